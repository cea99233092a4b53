/** One seed, from the first start to the end of the run, and what was wrong with it. */
import { isOver } from '@tributary/protocol';
import { createCoordinatorProcess } from './coordinator/coordinator-process.ts';
import { createDice } from './dice.ts';
import { createDisk, type Disk, losePower } from './disk/disk.ts';
import { COORDINATOR, drawFaults, type Fault } from './faults/faults.ts';
import { createFaults } from './faults/table.ts';
import { describeFault } from './faults/words.ts';
import { membersOf } from './members.ts';
import { createNetwork } from './network.ts';
import { createNodeProcess, type NodeProcess } from './node/node-process.ts';
import { finish } from './oracle/finish.ts';
import { createOracle, type Oracle, type Violation } from './oracle/oracle.ts';
import { createPopulation, type Population } from './people.ts';
import { createPorts, type Life } from './process.ts';
import { drawSetting } from './setting.ts';
import { createTimeline, START } from './timeline.ts';
import { createTrace } from './trace.ts';
import type { World } from './world.ts';

/** Milliseconds: no fault after the first; from then on the run has as long as the second to come to its end. */
const FAULTY_MS = 90_000;
const RECOVERY_MS = 3_600_000;
/** Looked at for so long after its end. */
const AFTERMATH_MS = 3000;

export interface Outcome {
  readonly seed: number;
  readonly nodes: number;
  readonly violations: readonly Violation[];
  /** done, failed, or why it waits. */
  readonly end: string;
  readonly published: number;
  readonly voided: number;
  readonly met: readonly Fault[];
  /** `process port moment` to how often. */
  readonly passed: Readonly<Record<string, number>>;
  readonly counts: Oracle['counts'];
  readonly trace: string;
  readonly lines: readonly string[];
}

export interface SimulationOptions {
  /** In place of those that follow from the seed. */
  readonly faults?: readonly Fault[];
  readonly keepTrace?: boolean;
}

export function faultsOf(seed: number): Fault[] {
  const { everybody, nodes } = drawSetting(seed);
  return drawFaults(createDice(`faults ${seed}`), everybody.length, nodes.length, 20_000);
}

export async function simulate(seed: number, options: SimulationOptions = {}): Promise<Outcome> {
  const setting = drawSetting(seed);
  const list = options.faults ?? faultsOf(seed);
  const timeline = createTimeline();
  const dice = createDice(`schedule ${seed}`);
  const disk = createDisk();
  const oracle = createOracle(setting, disk, timeline.now);
  const log = createTrace(options.keepTrace ?? false);
  const trace = (line: string) => log.add(timeline.now() - START, line);
  const met: Fault[] = [];
  const passed: Record<string, number> = {};
  const faulty = () => timeline.now() < START + FAULTY_MS;
  const faults = createFaults(list, faulty, (fault) => {
    met.push(fault);
    trace(`fault: ${describeFault(fault)}`);
  });

  const nodes: NodeProcess[] = [];
  function die(life: Life, down: number): void {
    if (!life.alive) return;
    trace(`${life.who === COORDINATOR ? 'coordinator' : `node ${life.who}`} dies`);
    life.alive = false;
    for (const write of life.pending) if (dice.chance(0.5)) write();
    const dead = life.who === COORDINATOR ? coordinator : nodes[life.who]!;
    if (life.who === COORDINATOR) {
      network.coordinatorDied();
      losePower(disk, dice);
    }
    dead.stop();
    timeline.after(down, () => dead.start());
  }
  const ports = createPorts({
    ...{ timeline, dice, faults, die },
    passed(life, port, moment) {
      trace(`${life.who} ${port} ${moment}`);
      if (moment === 'done') {
        if (life.who === COORDINATOR) people.passed(port);
        return;
      }
      const name = `${life.who === COORDINATOR ? 'coordinator' : 'node'} ${port} ${moment}`;
      passed[name] = (passed[name] ?? 0) + 1;
    },
  });
  const network = createNetwork({
    ...{ timeline, dice, faults },
    handlers: {
      up: (session, message) => coordinator.current()?.up(session, message),
      down: (session, message) => nodes[session.node]!.down(session, message),
      lostByCoordinator: (session) => coordinator.current()?.lost(session),
      lostByNode: (session) => nodes[session.node]!.lost(session),
      trace,
    },
  });
  const world: World = { ...setting, timeline, dice, ports, network, oracle, trace };
  const coordinator = createCoordinatorProcess(world, disk);
  for (const index of setting.everybody.keys())
    nodes.push(createNodeProcess(world, index, coordinator, faults));
  const people: Population = createPopulation(list, {
    ...{ world, disk, coordinator, nodes, die, active: faulty },
    met: (fault) => void met.push(fault),
  });
  timeline.after(FAULTY_MS, people.tidy);
  await enrol(world, disk);

  for (const fault of list) {
    if (fault.kind !== 'kill') continue;
    timeline.after(fault.at, () => {
      const life = fault.who === COORDINATOR ? coordinator.life() : nodes[fault.who]?.life();
      if (!life?.alive) return;
      met.push(fault);
      die(life, fault.down);
    });
  }
  const onRejection = (reason: unknown): void =>
    oracle.violation('unhandled rejection', reason instanceof Error ? `${reason.stack}` : String(reason));
  process.on('unhandledRejection', onRejection);
  coordinator.start();
  for (const node of nodes) timeline.after(dice.between(0, 300), () => node.life() ?? node.start());
  let ended = 0;
  const over = (): boolean => {
    if (oracle.violations.length > 0) return true;
    const [run] = disk.runs.values();
    const finished = run !== undefined && isOver(run.status) && !people.busy();
    if (!finished) ended = 0;
    else if (coordinator.current()) ended ||= timeline.now();
    return ended > 0 && timeline.now() > ended + AFTERMATH_MS && coordinator.current() !== null;
  };
  await timeline.run(over, START + FAULTY_MS + RECOVERY_MS);
  process.off('unhandledRejection', onRejection);

  const end =
    oracle.violations.length > 0 ? 'violated' : finish(world, disk, coordinator, nodes, met.length === 0);
  return {
    ...{ seed, nodes: nodes.length, violations: oracle.violations, end, met, passed },
    published: disk.rounds.length,
    voided: disk.voids.length,
    counts: oracle.counts,
    trace: log.hash(),
    lines: log.lines,
  };
}

async function enrol(world: World, disk: Disk): Promise<void> {
  for (const { name, role, key } of membersOf(world))
    await disk.others.invite({
      ...{ name, role, key, status: 'active', inviteHash: null, inviteExpires: null },
      ...{ created: START, lastSeen: null, instance: null, incident: null },
    });
}
