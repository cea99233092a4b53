/** A partner's node as a process that can die: the real session machine, loop and jobs, on ports that can. */

import type { LedgerRecord, LedgerStore, SessionEvent } from '@tributary/client-sdk';
import { parsePolicy } from '@tributary/client-sdk';
import {
  type Bulk,
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
  decodeSafetensors,
  type ServerMessage,
  TributaryError,
  toBase64,
} from '@tributary/protocol';
import type { CoordinatorProcess } from './coordinator-process.ts';
import { sha256 } from './disk.ts';
import type { Faults } from './faults.ts';
import type { Session } from './network.ts';
import type { Life } from './process.ts';
import { createTrainer } from './trainer.ts';
import type { World } from './world.ts';

export interface NodeProcess {
  life(): Life | null;
  start(): void;
  stop(): void;
  down(session: Session, message: ServerMessage): void;
  lost(session: Session): void;
  /** What a new life would find. */
  readonly records: readonly LedgerRecord[];
}

/** Milliseconds. */
const RECONNECT = [200, 2500] as const;
const RETRY = [100, 1500] as const;

export function createNodeProcess(
  world: World,
  index: number,
  coordinator: CoordinatorProcess,
  faults: Faults,
): NodeProcess {
  const { ports, timeline, dice, network, oracle, crypto } = world;
  const identity = world.nodes[index]!;
  const records: LedgerRecord[] = [];
  let life: Life | null = null;
  let receive: ((message: ServerMessage) => void) | null = null;
  let session: Session | null = null;
  let ready = false;
  let waiting: (() => void)[] = [];
  let sessions = 0;
  let disconnected: () => void = () => {};

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
    const id = `${index}.${++sessions}`;
    const ends = { id, node: index, member: identity.id, nodeLife: born, coordinatorLife: running.life };
    session = network.open(ends);
    ready = false;
    running.accept(session);
  }

  function send(born: Life, message: ClientMessage): boolean {
    const current = session;
    if (!current?.nodeOpen || !ready) return false;
    return ports.now(born, 'session.send', () => {
      oracle.emitted(index, message, records);
      network.send(current, 'up', message);
    });
  }

  /** A request under the current session. @throws what the coordinator answers; unavailable when it is lost on the way */
  async function request<T>(
    born: Life,
    port: 'bulk.download' | 'bulk.upload',
    signal: AbortSignal,
    answer: () => Promise<T>,
  ): Promise<T> {
    while (!ready) {
      await new Promise<void>((resolve) => waiting.push(resolve));
      signal.throwIfAborted();
    }
    const fault = faults.transfer(index, port);
    const gone = new TributaryError('unavailable', 'The connection broke.');
    await ports.pause(born, dice.between(1, 60) + (fault?.what === 'delay' ? fault.ms : 0));
    const running = coordinator.current();
    if (fault?.what === 'lost-request' || !running) {
      await ports.pause(born, fault?.ms ?? 20);
      throw gone;
    }
    // Who dies meanwhile never answers: the connection is reset.
    const broke = new Promise<never>((_, reject) => {
      const watch = (): void => {
        if (running.life.alive) ports.after(born, 500, watch);
        else reject(gone);
      };
      watch();
    });
    broke.catch(() => {});
    const result = await Promise.race([answer(), broke]);
    await ports.pause(born, dice.between(1, 60));
    if (fault?.what === 'lost-answer') throw gone;
    return result;
  }

  /** As `persist` of connection/bulk.ts. */
  async function persist<T>(
    born: Life,
    signal: AbortSignal,
    attempt: (tries: number) => Promise<T>,
  ): Promise<T> {
    for (let tries = 1; ; tries++) {
      try {
        const result = await attempt(tries);
        signal.throwIfAborted();
        return result;
      } catch (thrown) {
        signal.throwIfAborted();
        const error = asTributaryError(thrown);
        if (error.code === 'internal') oracle.violation('transfer', String(thrown));
        if (!error.retryable && error.code !== 'unauthenticated') throw error;
        await ports.pause(born, dice.between(...RETRY));
        signal.throwIfAborted();
      }
    }
  }

  function createBulk(born: Life): Bulk {
    return {
      async download({ model }, signal) {
        const file = await ports
          .call(born, 'bulk.download', () => undefined)
          .then(() =>
            persist(born, signal, () =>
              request(born, 'bulk.download', signal, () =>
                coordinator.current()!.download(identity.id, model),
              ),
            ),
          );
        if (sha256(file) !== model) throw new TributaryError('hash-mismatch', 'Another model.');
        return decodeSafetensors(file).model;
      },
      async upload(attempt, bytes, hash, signal) {
        oracle.uploading(index, attempt, hash, records);
        const body = Uint8Array.from(bytes);
        await ports.call(born, 'bulk.upload', () => undefined);
        return persist(born, signal, async (tries) => {
          try {
            await request(born, 'bulk.upload', signal, () =>
              coordinator.current()!.upload({ attempt, member: identity.id, sha256: hash, bytes: body }),
            );
            return true;
          } catch (error) {
            if (tries === 1 || asTributaryError(error).code !== 'late') throw error;
            return false;
          }
        });
      },
    };
  }

  const policy = parsePolicy({ plans: 'ask', minRoster: 3, minSum: 3 }, 'partner');

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
    const approvals = new Map([[world.planHash, 'approved' as const]]);
    const state = createSession(view, approvals, new Set(world.nodes.map(({ id }) => id)));
    const jobs: Jobs = createJobs({
      bulk: createBulk(born),
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
      life = null;
      receive = null;
      session = null;
      ready = false;
      waiting = [];
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
