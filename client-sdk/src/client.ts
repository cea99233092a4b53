/** The public client: a partner or evaluator node as an object. */
import { EngineReport, TributaryError, toBase64, validate } from '@tributary/protocol';
import { nodeCrypto, nodeRandom } from '@tributary/protocol/node';
import type { Backoff } from './connection/backoff.ts';
import { type Connection, connect } from './connection/connection.ts';
import { askedFor, findSuccessor, type Successor } from './connection/successor.ts';
import { createMasker, type Masker } from './masking/masker.ts';
import type { Approvals, Decision, Policy } from './policy/index.ts';
import { createBulk } from './runtime/bulk.ts';
import { createJobs, type Jobs } from './runtime/jobs.ts';
import { type ClientEvents, createListeners, type Listener } from './runtime/listeners.ts';
import { createLoop, type Loop } from './runtime/loop.ts';
import {
  createSession,
  type LedgerRecord,
  type LedgerStore,
  type NodeIdentity,
  noted,
  readLedger,
  type SessionContext,
} from './session/index.ts';
import type { Trainer } from './trainer/port.ts';

export interface FederatedClientOptions {
  readonly coordinator: {
    /** `https://...`; plain `http://` on this machine only, unless `allowInsecure`. */
    readonly url: string;
    /** Its identity key, from the invite: this client talks to no other. */
    readonly key: string;
    /** Keys of the same coordinator that were replaced by that one, oldest first. */
    readonly former?: readonly string[];
  };
  /**
   * The pinned key of the coordinator signed for another one, which it shows now. True to go on with it, which must be
   * durable before. Left out: never.
   */
  readonly follow?: (successor: Successor) => Promise<boolean>;
  /** This node's key: `loadIdentity(folder, passphrase)` or `identityFromSeed(...)`. */
  readonly identity: NodeIdentity;
  /** What the owner allows: `parsePolicy({...}, 'partner')`. Denies what it does not allow. */
  readonly policy: Policy;
  /** Identity keys of the partners that the owner has accepted; only they count for `minRoster` and `minSum`. */
  readonly members: Iterable<string>;
  /** Lasting memory of what was sent: `openFileLedger(path)`. The caller closes it, after the client. */
  readonly ledger: LedgerStore;
  /** Trains and evaluates: `createTfjsTrainer({ data, folder })` or an own one. The caller closes it, after the client. */
  readonly trainer: Trainer;
  /** The owner's decisions so far about plans, by plan hash; see `decide`. */
  readonly approvals?: Approvals;
  /** Allows plain HTTP to another machine. */
  readonly allowInsecure?: boolean;
  /** Waits between tries to connect, download and upload; 0.2 s to 30 s with full jitter. */
  readonly backoff?: Backoff;
}

interface Running {
  readonly connection: Connection;
  readonly loop: Loop;
  readonly jobs: Jobs;
  readonly masker: Masker;
}

/**
 * Takes part in the runs of one coordinator, as far as the owner's policy allows: trains on local data, sends masked
 * updates, helps to unmask sums. It keeps connecting until `close()`.
 *
 * ```ts
 * const client = new FederatedClient({ coordinator, identity, policy, members, ledger, trainer });
 * client.on('published', ({ run, round }) => console.log(`${run}: round ${round}`));
 * await client.connect();
 * ```
 *
 * Every event is listed in `ClientEvents`; what it holds stays on this machine.
 */
export class FederatedClient {
  readonly #options: FederatedClientOptions;
  readonly #listeners = createListeners();
  readonly #decisions: Map<string, Decision>;
  readonly #members: Set<string>;
  #running: Running | null = null;
  #closed = false;
  #connecting: Promise<void> | null = null;
  #giveUp: (error: TributaryError) => void = () => {};

  constructor(options: FederatedClientOptions) {
    this.#options = options;
    this.#decisions = new Map(options.approvals);
    this.#members = new Set(options.members);
  }

  /** Identity key of this node. */
  get id(): string {
    return this.#options.identity.id;
  }

  /**
   * Calls `listener` at every event of that type, synchronously and in order: while a listener of `uploading` runs, the
   * ledger is written and no byte has left; `uploaded` says that the coordinator has the update durably (after a
   * reconnection it may come again).
   * @returns removes the listener.
   */
  on<T extends keyof ClientEvents>(type: T, listener: Listener<T>): () => void {
    return this.#listeners.on(type, listener);
  }

  /**
   * Resolves with the first session; a coordinator that cannot be reached is tried again until then, and after every
   * disconnection. Calling it again returns the same promise.
   * @throws wrong-coordinator, bad-signature, unsupported-version, unauthenticated, forbidden, superseded at the first
   * contact; malformed, policy-refused for the URL; storage-failed for the ledger; unavailable when closed meanwhile
   */
  connect(): Promise<void> {
    this.#connecting ??= this.#start();
    return this.#connecting;
  }

  /** The owner decides about a plan, by plan hash: waiting or declined runs of it are answered anew. */
  decide(planHash: string, decision: Decision): void {
    if (this.#decisions.get(planHash) === decision) return;
    this.#decisions.set(planHash, decision);
    this.#running?.loop.submit({ type: 'approvals', approvals: new Map(this.#decisions) });
  }

  /** The owner accepts further partners, by identity key. */
  accept(members: Iterable<string>): void {
    const before = this.#members.size;
    for (const member of members) this.#members.add(member);
    if (this.#members.size > before)
      this.#running?.loop.submit({ type: 'pinned', pinned: new Set(this.#members) });
  }

  /** Exactly these partners are accepted from now on: a key that is not among them counts no longer. */
  pin(members: Iterable<string>): void {
    const pinned = new Set(members);
    const same = pinned.size === this.#members.size && [...pinned].every((key) => this.#members.has(key));
    if (same) return;
    this.#members.clear();
    for (const key of pinned) this.#members.add(key);
    this.#running?.loop.submit({ type: 'pinned', pinned });
  }

  /** Leaves attempts under way, tells the coordinator so, and ends the session. Idempotent. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#giveUp(closedError());
    const running = this.#running;
    if (!running) return;
    running.loop.submit({ type: 'stop' });
    await running.loop.idle();
    running.jobs.close();
    running.connection.close();
    await running.masker.close();
    await running.loop.idle();
  }

  async #start(): Promise<void> {
    const { identity, policy, coordinator, ledger, trainer, backoff } = this.#options;
    const context: SessionContext & { coordinator: string; former: readonly string[] } = {
      ...{ crypto: nodeCrypto, random: nodeRandom, identity, policy },
      engine: validate(EngineReport, { name: trainer.engine, speed: trainer.speed }, 'trainer'),
      coordinator: coordinator.key,
      former: coordinator.former ?? [],
      instance: toBase64(nodeRandom(16)),
    };
    const started: LedgerRecord = { type: 'started', time: Date.now() };
    const view = noted(readLedger(await ledger.load()), started);
    await ledger.append(started);
    if (this.#closed) throw closedError();
    const state = createSession(view, new Map(this.#decisions), new Set(this.#members));
    await new Promise<void>((resolve, reject) => {
      this.#giveUp = reject;
      this.on('connected', () => resolve());
      const masker = createMasker();
      const loop = createLoop(
        state,
        {
          ...{ context, ledger, now: Date.now },
          send: (message) => void connection.send(message),
          emit: (event) => this.#listeners.emit(event),
        },
        () => jobs,
      );
      const connection = connect({
        ...{ url: coordinator.url, identity, coordinator: coordinator.key },
        successor: (base) => this.#succeed(base, context),
        ...{ allowInsecure: this.#options.allowInsecure ?? false, ...(backoff ? { backoff } : {}) },
        epoch: loop.epoch,
        backlog: loop.waiting,
        greeted: (epoch) => loop.submit({ type: 'greeted', epoch }),
        message: (message) => loop.submit({ type: 'message', message }),
        down: (error, final) => {
          if (final) reject(error);
          loop.submit({ type: 'disconnected', error, final });
        },
      });
      const jobs = createJobs({
        bulk: createBulk(connection, backoff),
        trainer,
        masker,
        submit: loop.submit,
      });
      this.#running = { connection, loop, jobs, masker };
    });
  }

  /** @throws wrong-coordinator with what to ask, when the owner is to decide */
  async #succeed(
    base: URL,
    context: { coordinator: string; former: readonly string[] },
  ): Promise<string | null> {
    const successor = await findSuccessor(base, context.coordinator);
    if (!successor) return null;
    if (!(await this.#options.follow?.(successor))) throw askedFor(successor);
    context.former = [...context.former, ...successor.former];
    context.coordinator = successor.key;
    return successor.key;
  }
}

function closedError(): TributaryError {
  return new TributaryError('unavailable', 'The client was closed.');
}
