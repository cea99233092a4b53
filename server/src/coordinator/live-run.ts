/** A run that is going on: its durable state, and what is volatile around it. */
import type { RunEvent } from '@tributary/protocol';
import {
  answered,
  judgePatience,
  noteProgress,
  type Patience,
  quorum,
  type RunState,
  startPatience,
} from '../round/index.ts';
import { createEventLog, type EventLog } from './events.ts';

/** Waits this long, doubling, between attempts of one round that fail: milliseconds. */
const RETRY_MS = 500;
const RETRY_MAX_MS = 30_000;

/** Journal entries between two snapshots at most, but for those of one attempt: whoever consents and declines in turn writes one each. */
export const COMPACT_AFTER = 1000;

export interface LiveRun {
  state: RunState;
  /** Of the last journal entry. */
  seq: number;
  /** From this one on the journal is compacted while no attempt is open, though no round was published. */
  compactAt: number;
  readonly created: number;
  readonly initialModel: string;
  readonly events: EventLog;
  /** Phase that `patience` belongs to. */
  phase: string;
  patience: Patience;
  /** Member to twentieths of its local work. */
  progress: Map<string, number>;
  /** Model bytes sent since the last publication. */
  bytesDown: number;
  /** When an attempt may be opened again after a failure. */
  retryAt: number;
  /** Since when enough partners are ready. */
  readySince: number | null;
  /** Last words to watchers on what is awaited. */
  waiting: string;
  opening: boolean;
  /** Calls the timer off. */
  timer: (() => void) | null;
}

export function createLiveRun(
  state: RunState,
  seq: number,
  created: number,
  initialModel: string,
  now: number,
): LiveRun {
  return {
    state,
    seq,
    compactAt: seq + COMPACT_AFTER,
    created,
    initialModel,
    events: createEventLog(),
    phase: '',
    patience: startPatience(now),
    progress: new Map(),
    bytesDown: 0,
    retryAt: 0,
    readySince: null,
    waiting: '',
    opening: false,
    timer: null,
  };
}

export function emit(run: LiveRun, time: number, kind: string, data: RunEvent['data']): void {
  const { stage, head } = run.state;
  const attempt =
    stage.kind === 'attempt' || stage.kind === 'summing' ? stage.open.number : run.state.attempts;
  run.events.add({ time, kind, round: head.round + 1, attempt, data });
}

/** The phase of the open attempt; empty while none is open. */
function phaseOf(run: LiveRun): string {
  const { stage } = run.state;
  if (stage.kind === 'summing') return `${stage.open.secagg.attempt}/summing`;
  return stage.kind === 'attempt' ? `${stage.open.secagg.attempt}/${stage.open.secagg.phase}` : '';
}

/** Something moved: a new phase starts its patience anew, anything else counts as progress in this one. */
export function noteMove(run: LiveRun, now: number): void {
  const phase = phaseOf(run);
  if (phase !== run.phase) {
    run.phase = phase;
    run.patience = startPatience(now);
    if (phase.endsWith('/advertise')) run.progress = new Map();
  }
  run.patience = noteProgress(
    run.patience,
    now,
    run.state.stage.kind === 'attempt' && answered(run.state) >= quorum(run.state),
  );
}

/**
 * This side did not run for at least `late` milliseconds. What the others said meanwhile has yet to be read, so their
 * silence counts from now on, as after a restart.
 */
export function forgive(run: LiveRun, late: number, now: number): void {
  const { phaseSince, quorumSince } = run.patience;
  run.patience = {
    phaseSince: phaseSince + late,
    progressSince: now,
    quorumSince: quorumSince === null ? null : now,
  };
}

export function judge(run: LiveRun, now: number) {
  return judgePatience(run.patience, run.state.plan.timing, now);
}

/** After a failed attempt. */
export function backOff(run: LiveRun, now: number): void {
  run.retryAt = now + Math.min(RETRY_MAX_MS, RETRY_MS * 2 ** Math.max(0, run.state.attempts - 1));
}
