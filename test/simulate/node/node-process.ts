/** A partner's node as a process that can die: the real session machine, loop and jobs, on ports that can. */

import type { LedgerRecord, LedgerStore, SessionEvent } from '@tributary/client-sdk';
import { parsePolicy } from '@tributary/client-sdk';
import {
  createBulk,
  createJobs,
  createLoop,
  createSession,
  type Jobs,
  maskUpdate,
  noted,
  readLedger,
  type SessionContext,
} from '@tributary/client-sdk/parts';
import {
  asTributaryError,
  type ClientMessage,
  type ServerMessage,
  TributaryError,
  toBase64,
} from '@tributary/protocol';
import type { CoordinatorProcess } from '../coordinator/coordinator-process.ts';
import type { Faults } from '../faults/table.ts';
import type { Session } from '../network.ts';
import type { Life } from '../process.ts';
import type { World } from '../world.ts';
import { createTrainer } from './trainer.ts';
import { createWire, type NodeWire } from './wire.ts';

export interface NodeProcess {
  life(): Life | null;
  start(): void;
  stop(): void;
  /** As its owner stops it: it leaves what is under way. @returns whether it did; the caller stops it then */
  leave(): Promise<boolean>;
  /** Its owner approves the plan, or no longer. */
  decide(approved: boolean): void;
  down(session: Session, message: ServerMessage): void;
  lost(session: Session): void;
  /** What a new life would find. */
  readonly records: readonly LedgerRecord[];
}

/** Milliseconds. */
const RECONNECT = [200, 2500] as const;

export function createNodeProcess(
  world: World,
  index: number,
  coordinator: CoordinatorProcess,
  faults: Faults,
): NodeProcess {
  const { ports, timeline, dice, network, oracle, crypto } = world;
  const identity = world.everybody[index]!;
  const records: LedgerRecord[] = [];
  let life: Life | null = null;
  let receive: ((message: ServerMessage) => void) | null = null;
  let session: Session | null = null;
  let ready = false;
  let waiting: (() => void)[] = [];
  let sessions = 0;
  let disconnected: () => void = () => {};
  let wire: NodeWire | null = null;
  let leave: (() => Promise<void>) | null = null;
  let approved = true;
  let decided: () => void = () => {};
  let epoch: () => number = () => 0;
  let greeted: (epoch: number) => void = () => {};

  /** After a failure nothing more is appended, until the owner has made room and started the node again. */
  function openLedger(born: Life): LedgerStore {
    let failed: unknown = null;
    return {
      load: () => ports.call(born, 'ledger.load', () => structuredClone(records)),
      async append(record) {
        if (failed) throw failed;
        const kept = structuredClone(record);
        // The last line may be cut off; the next start removes it.
        const effect = (torn: boolean) => void (torn || records.push(kept));
        try {
          await ports.call(born, 'ledger.append', effect, { writes: true });
        } catch (thrown) {
          failed = thrown;
          ports.after(born, 5000, restart);
          throw thrown;
        }
      },
      async close() {},
    };
  }

  function connect(born: Life): void {
    const again = () => ports.after(born, dice.between(...RECONNECT), () => connect(born));
    const running = coordinator.current();
    if (!running?.life.alive) return void again();
    // As `connection/link.ts`, which reads it in the welcome.
    if (running.epoch < epoch() && !coordinator.lies) {
      oracle.staleWelcome();
      return void again();
    }
    const id = `${index}.${++sessions}`;
    const ends = { id, node: index, member: identity.id, nodeLife: born, coordinatorLife: running.life };
    session = network.open(ends);
    ready = false;
    running.accept(session);
    greeted(running.epoch);
  }

  function send(born: Life, message: ClientMessage): boolean {
    const current = session;
    if (!current?.nodeOpen || !ready) {
      oracle.unsent(index, message);
      return false;
    }
    return ports.now(born, 'session.send', () => {
      oracle.emitted(index, message, records);
      network.send(current, 'up', message);
    });
  }

  const isPartner = index < world.nodes.length;
  const policy = isPartner
    ? parsePolicy({ plans: 'ask', minRoster: 3, minSum: 3 }, 'partner')
    : parsePolicy({}, 'evaluator');

  /** Until there is a session. */
  async function authorize(line: { readonly digest: string }, signal: AbortSignal): Promise<string> {
    while (!ready) {
      await new Promise<void>((resolve) => waiting.push(resolve));
      signal.throwIfAborted();
    }
    return line.digest;
  }

  async function run(born: Life): Promise<void> {
    const ledger = openLedger(born);
    const context: SessionContext = {
      ...{ crypto, random: world.random, identity, policy },
      engine: { name: 'simulated', speed: 'medium' },
      coordinator: world.coordinator.id,
      instance: toBase64(world.random(16)),
    };
    const started: LedgerRecord = { type: 'started', time: timeline.now() };
    const view = noted(readLedger(await ledger.load()), started);
    await ledger.append(started);
    const approvals = () =>
      new Map(approved ? [[world.planHash, 'approved' as const]] : [[world.planHash, 'refused' as const]]);
    const state = createSession(view, approvals(), new Set(world.nodes.map(({ id }) => id)));
    wire = createWire(world, index, born, coordinator, faults);
    const bulk = createBulk({ base: new URL('http://127.0.0.1:1'), authorize }, undefined, wire);
    const jobs: Jobs = createJobs({
      bulk: {
        ...bulk,
        upload(attempt, bytes, hash, signal) {
          oracle.uploading(index, attempt, hash, records);
          return bulk.upload(attempt, bytes, hash, signal);
        },
      },
      trainer: createTrainer(world, index, born),
      masker: { mask: (job) => ports.call(born, 'masker.mask', () => maskNoted(job)) },
      submit: (input) => loop.submit(input),
    });
    const emit = (event: SessionEvent): void => {
      if (born.alive) oracle.event(index, event);
    };
    const loop = createLoop(
      state,
      { context, ledger, now: timeline.now, send: (message) => void send(born, message), emit },
      () => jobs,
    );
    epoch = loop.epoch;
    greeted = (now) => loop.submit({ type: 'greeted', epoch: now });
    decided = () => loop.submit({ type: 'approvals', approvals: approvals() });
    leave = async () => {
      loop.submit({ type: 'stop' });
      await loop.idle();
      jobs.close();
    };
    receive = (message) => {
      if (message.type === 'ready') {
        ready = true;
        const woken = waiting;
        waiting = [];
        for (const wake of woken) wake();
      }
      loop.submit({ type: 'message', message });
    };
    disconnected = () => {
      const error = new TributaryError('unavailable', 'The session is gone.');
      loop.submit({ type: 'disconnected', error, final: false });
      ports.after(born, dice.between(...RECONNECT), () => connect(born));
    };
    connect(born);
  }

  const node: NodeProcess = {
    records,
    life: () => life,
    start() {
      const born: Life = { who: index, alive: true, pending: new Set() };
      life = born;
      run(born).catch((error) => {
        if (asTributaryError(error).code !== 'storage-failed') oracle.violation('node', String(error));
      });
    },
    stop() {
      if (life) life.alive = false;
      if (session) network.end(session, dice.chance(0.7) ? 'soon' : 'late');
      oracle.restarted(index);
      wire?.cut();
      life = null;
      leave = null;
      wire = null;
      receive = null;
      session = null;
      ready = false;
      waiting = [];
    },
    decide(given) {
      approved = given;
      if (life?.alive) decided();
    },
    async leave() {
      const born = life;
      if (!born || !leave) return false;
      await leave();
      return born.alive;
    },
    down(from, message) {
      if (from === session) receive?.(message);
    },
    lost(from) {
      if (from !== session) return;
      session = null;
      ready = false;
      disconnected();
    },
  };
  return node;

  function restart(): void {
    node.stop();
    node.start();
  }

  /** What is masked is also told bare, for the fold that must come out. */
  function maskNoted(job: Parameters<typeof maskUpdate>[0]) {
    const bare = maskUpdate({
      ...job,
      result: { ...job.result, values: job.result.values.slice() },
      terms: [],
    });
    const masked = maskUpdate(job);
    oracle.masked(masked.sha256, new Uint32Array(bare.bytes.slice().buffer), job.members);
    return masked;
  }
}
