/** After a start: each open run as its snapshot and journal tell, replayed without carrying anything out. */
import {
  asTributaryError,
  type Crypto,
  type ErrorCode,
  type Identity,
  isOver,
  TributaryError,
} from '@tributary/protocol';
import { crashPoint } from '@tributary/protocol/node';
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
import type { JournalEntry, RunRow, Snapshot, Spool, Store, VoidRow } from '../storage/ports.ts';
import { type Clock, systemClock } from './clock.ts';
import { createLiveRun, type LiveRun } from './live-run.ts';
import { voidRow } from './loop.ts';

export interface RecoverContext {
  readonly store: Store;
  readonly crypto: Crypto;
  readonly identity: Identity;
  readonly log: Logger;
  /** What became of a run's open attempt, for the summary of the start. */
  readonly note?: NoteRun;
  readonly clock?: Clock;
}

/** `reason` tells why its attempt is void. */
export type NoteRun = (run: RunState, reason?: string) => void;

/** Runs that are not over. The caller submits `restarted` to each before anything else. */
export async function recoverRuns(context: RecoverContext): Promise<LiveRun[]> {
  return Promise.all((await openRows(context.store)).map((row) => recoverRun(row, context)));
}

export async function openRows(store: Store): Promise<RunRow[]> {
  return (await store.runs()).filter((row) => !isOver(row.status));
}

async function recoverRun(row: RunRow, context: RecoverContext): Promise<LiveRun> {
  const { store, log, clock = systemClock } = context;
  const epoch = await store.epoch();
  const { state, seq, broken, last, replayed } = await recovered(row, context);
  const restored = epochOf(state) !== undefined && epochOf(state) !== epoch;
  if (broken) log.error({ run: row.id, ...broken }, 'the journal does not replay: the open attempt is void');
  else log.info({ run: row.id, round: state.head.round, replayed }, 'run recovered');
  if (!broken && !restored) return createLiveRun(state, seq, row.created, row.initialModel, clock.now());
  const reason = broken
    ? `The journal is damaged at entry ${broken.seq}: ${broken.why}.`
    : 'A backup was restored.';
  const { state: without, voids } = withoutAttempt(state, 'storage-failed', reason, clock.now());
  await store.commit({
    epoch,
    voids,
    snapshots: [{ run: row.id, seq: last, machine: MACHINE_VERSION, state: without }],
  });
  crashPoint('coordinator.recovery.committed');
  context.note?.(without, reason);
  return createLiveRun(without, last, row.created, row.initialModel, clock.now());
}

/** As its snapshot and journal tell, as far as they fit; attempts that were announced are counted also beyond that. */
export async function recovered(row: RunRow, context: Pick<RecoverContext, 'store' | 'crypto' | 'identity'>) {
  const { store } = context;
  const snapshot = await store.snapshot(row.id);
  if (!snapshot) throw new TributaryError('storage-failed', `Run ${row.id} has no snapshot.`, LOST);
  const entries = await store.journal(row.id);
  const { state, seq, broken } = replayRun(snapshot, entries, context);
  const lost = broken ? entries.filter((entry) => entry.seq >= broken.seq) : [];
  const attempts = state.attempts + opened(lost);
  const last = entries.at(-1)?.seq ?? seq;
  return { state: { ...state, attempts }, seq, broken, last, replayed: entries.length };
}

const LOST = {
  remedy:
    '`tributary-server check --data DIR` says what else is wrong; `tributary-server restore` makes a sound folder from a backup.',
};

export interface Replayed {
  /** As far as the journal fits. */
  readonly state: RunState;
  readonly seq: number;
  /** The first entry that does not fit; it and what follows are lost. */
  readonly broken: { readonly seq: number; readonly why: string } | null;
}

/** Carries nothing out. */
export function replayRun(
  snapshot: Snapshot,
  entries: readonly JournalEntry[],
  context: Pick<RecoverContext, 'crypto' | 'identity'>,
): Replayed {
  let state = snapshot.state as RunState;
  let { seq } = snapshot;
  for (const entry of entries) {
    const next = entry.seq === seq + 1 ? replay(state, entry, context) : `entry ${seq + 1} is missing`;
    if (typeof next === 'string') return { state, seq, broken: { seq: entry.seq, why: next } };
    state = next;
    seq = entry.seq;
  }
  return { state, seq, broken: null };
}

export interface ResumeContext extends Pick<RecoverContext, 'crypto' | 'identity' | 'log' | 'note'> {
  readonly spool: Spool;
  readonly submit: (run: LiveRun, input: RoundInput) => Promise<void>;
  readonly perform: (run: LiveRun, effect: Effect) => void;
}

/** The open attempt goes on where the journal ends; with an update that the disk has lost, it is void. */
export async function resumeRun(run: LiveRun, context: ResumeContext): Promise<void> {
  const { spool, submit, perform, log } = context;
  const damaged = await damagedUpdates(run, spool);
  const wasOpen = run.state.stage.kind !== 'gathering';
  await submit(run, { type: 'restarted', damaged });
  if (damaged.length > 0 && wasOpen && run.state.stage.kind === 'gathering')
    context.note?.(run.state, 'An update that was acknowledged is missing or damaged on disk.');
  else if (wasOpen) context.note?.(run.state);
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

/**
 * What came after the damage, or after the backup, may have frozen and signed a list: gone on with, the attempt could get
 * a second one.
 */
export function withoutAttempt(
  state: RunState,
  code: ErrorCode,
  reason: string,
  now: number,
): { state: RunState; voids: VoidRow[] } {
  if (state.stage.kind !== 'attempt' && state.stage.kind !== 'summing') return { state, voids: [] };
  const { open } = state.stage;
  const data = { round: state.head.round + 1, attempt: open.number, code, reason };
  const voids = [voidRow(state.id, now, data)];
  return { state: voidAttempt(state, open, code, reason).state, voids };
}

/** Of the open attempt. */
function epochOf({ stage }: RunState): number | undefined {
  if (stage.kind !== 'attempt' && stage.kind !== 'summing') return undefined;
  return stage.open.secagg.announcement.epoch;
}

/** Attempts that were announced: their numbers must not be used again, or nodes refuse them as stale. */
function opened(entries: readonly { readonly input: unknown }[]): number {
  return entries.filter(({ input }) => (input as { type?: unknown }).type === 'open').length;
}

/** Why it does not fit, when it is of another machine, is refused, or leads to another state than it did. */
function replay(
  state: RunState,
  entry: JournalEntry,
  { crypto, identity }: Pick<RecoverContext, 'crypto' | 'identity'>,
): RunState | string {
  if (entry.machine !== MACHINE_VERSION)
    return `it is of round machine ${entry.machine}, this program has ${MACHINE_VERSION}`;
  try {
    const next = step(state, entry.input as RoundInput, entry.time, { crypto, identity });
    return stateHash(crypto, next.state) === entry.stateHash
      ? next.state
      : 'it leads to another state than it did';
  } catch (error) {
    return `it is refused (${asTributaryError(error).message})`;
  }
}
