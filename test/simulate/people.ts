/** What people do at any instant: to the run, to partners, to their nodes and to the coordinator's disk. They insist. */
import { asTributaryError } from '@tributary/protocol';
import type { CoordinatorProcess, Running } from './coordinator/coordinator-process.ts';
import { type Disk, type Image, putImage, takeImage } from './disk/disk.ts';
import type { Fault, Instant, People, Port } from './faults/faults.ts';
import { describeFault } from './faults/words.ts';
import { nameOf } from './members.ts';
import type { NodeProcess } from './node/node-process.ts';
import { answerOf, type Life } from './process.ts';
import type { World } from './world.ts';

export interface Population {
  /** A call of the coordinator is done. */
  passed(port: Port): void;
  /** Whether somebody still has something to take back. */
  busy(): boolean;
  /** Faults are over: a restored run may be paused, a partner suspended. */
  tidy(): void;
}

interface PopulationDeps {
  readonly world: World;
  readonly disk: Disk;
  readonly coordinator: CoordinatorProcess;
  readonly nodes: readonly NodeProcess[];
  readonly die: (life: Life, down: number) => void;
  readonly active: () => boolean;
  readonly met: (fault: Fault) => void;
}

/** Milliseconds between tries, and between restores: an epoch is a second. */
const AGAIN_MS = 200;
const EPOCH_MS = 2000;

/** The rows of a disk, and the updates that lie beside them. */
interface Copy {
  readonly image: Image;
  readonly spool: Disk['spool'];
  readonly partials: Disk['partials'];
}

export function createPopulation(list: readonly Fault[], deps: PopulationDeps): Population {
  const { world, disk, coordinator, nodes, die, active, met } = deps;
  const { timeline, dice, oracle } = world;
  const calls = new Map<Port, number>();
  const people = list.filter((fault): fault is People => 'when' in fault);
  const backups = new Map<People, Promise<Image>>();
  let pending = 0;
  let turn = Promise.resolve();
  let restored = 0;
  let before: Copy | null = null;
  let swapped = false;

  const pause = (ms: number): Promise<void> => new Promise((resolve) => timeline.after(ms, resolve));

  /** One after the other, each until it is done or there is nothing left to do it to. */
  function insist(ask: (running: Running) => Promise<unknown>, done: () => void = () => {}): Promise<void> {
    turn = turn.then(async () => {
      for (;;) {
        const running = coordinator.current();
        try {
          if (running) {
            await answerOf(timeline, running.life, () => ask(running));
            return done();
          }
        } catch (thrown) {
          const { code } = asTributaryError(thrown);
          if (code === 'wrong-phase') return;
          if (code !== 'unavailable' && code !== 'storage-failed')
            return oracle.violation('people', `refused: ${String(thrown)}`);
        }
        await pause(AGAIN_MS);
      }
    });
    return turn;
  }

  const control = (action: 'pause' | 'resume' | 'cancel') => (running: Running) => {
    if (action === 'resume') oracle.resuming();
    return running.people.control([...disk.runs.keys()][0]!, action, 'operator');
  };
  const setStatus = (node: number, status: 'active' | 'suspended') => (running: Running) =>
    running.partners.setStatus(nameOf(node), status);

  async function act(fault: People): Promise<void> {
    switch (fault.kind) {
      case 'pause':
        await insist(control('pause'), oracle.paused);
        await pause(fault.ms);
        return insist(control('resume'));
      case 'cancel':
        return insist(control('cancel'), oracle.cancelled);
      case 'suspend':
        await insist(setStatus(fault.node, 'suspended'));
        await pause(fault.ms);
        return insist(setStatus(fault.node, 'active'));
      case 'reject':
        nodes[fault.node]?.decide(false);
        await pause(fault.ms);
        nodes[fault.node]?.decide(true);
        return;
      case 'stop': {
        const life = nodes[fault.node]?.life();
        if (life?.alive && (await nodes[fault.node]!.leave())) die(life, fault.ms);
        return;
      }
      case 'restore': {
        const image = await backups.get(fault);
        if (!image || swapped || timeline.now() < restored + EPOCH_MS) return;
        restored = timeline.now();
        // As `backup/restore.ts`.
        const epoch = Math.max(image.epoch + 1, Math.floor(timeline.now() / 1000));
        before = await exchange({ image, spool: new Map(), partials: new Map() }, epoch, fault.ms);
        return;
      }
      case 'old-copy': {
        if (!before || swapped) return;
        swapped = true;
        coordinator.lies = fault.lies;
        const now = await exchange(before, before.image.epoch, 500);
        await pause(fault.ms + 500);
        coordinator.lies = false;
        before = await exchange(now, now.image.epoch, 500);
        swapped = false;
        return;
      }
    }
  }

  /** The coordinator goes down, and comes back with this disk. @returns the one it had */
  async function exchange(copy: Copy, epoch: number, down: number): Promise<Copy> {
    const life = coordinator.life();
    if (life?.alive) die(life, down);
    const { spool, partials } = disk;
    const had = { image: await takeImage(disk), spool, partials };
    await putImage(disk, copy.image, epoch);
    Object.assign(disk, { spool: copy.spool, partials: copy.partials });
    world.trace(`the coordinator has another disk, in epoch ${epoch}`);
    oracle.replaced();
    return had;
  }

  const isAt = (instant: Instant, port: Port, nth: number): boolean =>
    instant.port === port && instant.nth === nth;

  return {
    passed(port) {
      if (!active() || people.length === 0) return;
      const nth = (calls.get(port) ?? 0) + 1;
      calls.set(port, nth);
      for (const fault of people) {
        if (fault.kind === 'restore' && isAt(fault.taken, port, nth)) backups.set(fault, takeImage(disk));
        if (!isAt(fault.when, port, nth)) continue;
        pending++;
        timeline.after(dice.between(0, 3), () => {
          world.trace(`people: ${describeFault(fault)}`);
          met(fault);
          act(fault).finally(() => {
            pending--;
          });
        });
      }
    },
    busy: () => pending > 0,
    tidy() {
      if (people.length === 0) return;
      const run = [...disk.runs.values()][0];
      if (run?.status === 'paused') void insist(control('resume'));
      for (const node of world.everybody.keys()) void insist(setStatus(node, 'active'));
    },
  };
}
