/** After a start: each open run as its snapshot and journal tell, replayed without carrying anything out. */
import { asTributaryError, type Crypto, type Identity, isOver } from '@tributary/protocol';
import type { Logger } from 'pino';
import {
  type Effect,
  MACHINE_VERSION,
  outstanding,
  type RoundInput,
  type RunState,
  stateHash,
  step,
  updatesOf,
  voidAttempt,
} from '../round/index.ts';
import type { RunRow, Spool, Store } from '../storage/ports.ts';
import { createLiveRun, type LiveRun } from './live-run.ts';

export interface RecoverContext {
  readonly store: Store;
  readonly crypto: Crypto;
  readonly identity: Identity;
  readonly log: Logger;
}

/** Runs that are not over. The caller submits `restarted` to each before anything else. */
export async function recoverRuns(context: RecoverContext): Promise<LiveRun[]> {
  const rows = await context.store.runs();
  const open = rows.filter((row) => !isOver(row.status));
  return Promise.all(open.map((row) => recoverRun(row, context)));
}

async function recoverRun(row: RunRow, context: RecoverContext): Promise<LiveRun> {
  const { store, log } = context;
  const snapshot = await store.snapshot(row.id);
  if (!snapshot) throw new Error(`Run ${row.id} has no snapshot.`);
  let state = snapshot.state as RunState;
  let { seq } = snapshot;
  const entries = await store.journal(row.id);
  for (const [index, entry] of entries.entries()) {
    const next = replay(state, entry, context);
    seq = entry.seq;
    if (!next) {
      log.error({ run: row.id, seq: entry.seq }, 'the journal does not replay: the open attempt is void');
      seq = entries.at(-1)!.seq;
      state = withoutAttempt({ ...state, attempts: state.attempts + opened(entries.slice(index)) });
      const snapshot = { run: row.id, seq, machine: MACHINE_VERSION, state };
      await store.commit({ epoch: await store.epoch(), snapshots: [snapshot] });
      break;
    }
    state = next;
  }
  log.info({ run: row.id, round: state.head.round, replayed: entries.length }, 'run recovered');
  return createLiveRun(state, seq, row.created, row.initialModel, Date.now());
}

export interface ResumeContext extends Pick<RecoverContext, 'crypto' | 'identity' | 'log'> {
  readonly spool: Spool;
  readonly submit: (run: LiveRun, input: RoundInput) => Promise<void>;
  readonly perform: (run: LiveRun, effect: Effect) => void;
}

/** The open attempt goes on where the journal ends; with an update that the disk has lost, it is void. */
export async function resumeRun(run: LiveRun, context: ResumeContext): Promise<void> {
  const { spool, submit, perform, log } = context;
  const damaged = await damagedUpdates(run, spool);
  await submit(run, { type: 'restarted', damaged });
  const owed = outstanding(run.state, context);
  for (const effect of owed) perform(run, effect);
  const { stage } = run.state;
  const phase = stage.kind === 'attempt' ? stage.open.secagg.phase : stage.kind;
  log.info({ run: run.state.id, phase, damaged, owed: owed.length }, 'run goes on');
}

/** Members of the open attempt whose update is not on disk as it was acknowledged. */
async function damagedUpdates({ state }: LiveRun, spool: Spool): Promise<string[]> {
  if (state.stage.kind !== 'attempt' && state.stage.kind !== 'summing') return [];
  const { secagg } = state.stage.open;
  const damaged: string[] = [];
  for (const { member, sha256 } of updatesOf(secagg))
    if (!(await spool.holds(secagg.attempt, member, sha256))) damaged.push(member);
  return damaged;
}

/** What came after the damage may have frozen and signed a list: gone on with, the attempt could get a second one. */
function withoutAttempt(state: RunState): RunState {
  if (state.stage.kind !== 'attempt' && state.stage.kind !== 'summing') return state;
  return voidAttempt(state, state.stage.open, 'storage-failed', 'The journal is damaged.').state;
}

/** Attempts that were announced: their numbers must not be used again, or nodes refuse them as stale. */
function opened(entries: readonly { readonly input: unknown }[]): number {
  return entries.filter(({ input }) => (input as { type?: unknown }).type === 'open').length;
}

/** Null when the entry is of another machine, is refused, or leads to another state than it did. */
function replay(
  state: RunState,
  entry: {
    readonly input: unknown;
    readonly time: number;
    readonly machine: number;
    readonly stateHash: string;
  },
  { crypto, identity, log }: RecoverContext,
): RunState | null {
  if (entry.machine !== MACHINE_VERSION) return null;
  try {
    const next = step(state, entry.input as RoundInput, entry.time, { crypto, identity });
    return stateHash(crypto, next.state) === entry.stateHash ? next.state : null;
  } catch (error) {
    log.error({ err: asTributaryError(error) }, 'a journal entry was refused in replay');
    return null;
  }
}
