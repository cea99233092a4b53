/** When something happens by itself: attempts open once enough partners are there, phases close when patience is over. */
import { asTributaryError, type Random, toBase64 } from '@tributary/protocol';
import { nodeRandom } from '@tributary/protocol/node';
import type { Logger } from 'pino';
import { gather, type Invitee, type RoundInput, select, waitingFor } from '../round/index.ts';
import type { PartnerRow } from '../storage/ports.ts';
import { type Clock, systemClock } from './clock.ts';
import { emit, forgive, judge, type LiveRun, noteMove } from './live-run.ts';

/** Between tries of what the disk refused: milliseconds. */
const STORAGE_RETRY_MS = 1000;
/** A timer that is later than this did not wait for other work: the process, or its machine, stood still. Milliseconds. */
const STOOD_STILL_MS = 1000;

export interface PaceDeps {
  /** Connected ones. */
  readonly partners: () => Iterable<PartnerRow>;
  readonly stopping: () => boolean;
  readonly epoch: number;
  readonly submit: (run: LiveRun, input: RoundInput) => Promise<void>;
  readonly log: Logger;
  readonly clock?: Clock | undefined;
  readonly random?: Random | undefined;
}

export interface Pace {
  /**
   * Something moved, so that patience starts anew if it was the attempt: who changes its mind over and over is no
   * progress, nor is a refused message or a timer that fires.
   */
  moved(run: LiveRun, attempt?: boolean): void;
  /** Patience is judged, and a gathering run may open its next attempt. */
  settle(run: LiveRun): void;
  /** For inputs that nobody waits for. */
  submitQuietly(run: LiveRun, input: RoundInput): void;
}

export function createPace(deps: PaceDeps): Pace {
  const { partners, stopping, epoch, submit, log, clock = systemClock, random = nodeRandom } = deps;

  function submitQuietly(run: LiveRun, input: RoundInput): void {
    submit(run, input).catch((error) => {
      if (stopping()) return;
      log.error({ run: run.state.id, input: input.type, err: asTributaryError(error) }, 'input not taken');
      retryStorage(run, error);
    });
  }

  /**
   * A disk that is full now may have room soon: what was to happen is considered again. Nobody loses patience over what
   * this side could not take down, so it starts anew.
   */
  function retryStorage(run: LiveRun, error: unknown): void {
    if (stopping() || asTributaryError(error).code !== 'storage-failed') return;
    const now = clock.now();
    run.phase = '';
    noteMove(run, now);
    wakeAt(run, now + STORAGE_RETRY_MS, now);
  }

  function settle(run: LiveRun): void {
    run.timer?.();
    run.timer = null;
    if (stopping()) return;
    const now = clock.now();
    const { stage } = run.state;
    if (stage.kind === 'ended') {
      run.events.end();
      return;
    }
    if (stage.kind === 'gathering') considerOpening(run, now);
    if (stage.kind === 'attempt') armPatience(run, now);
  }

  function armPatience(run: LiveRun, now: number): void {
    const verdict = judge(run, now);
    if (verdict.kind === 'wait') wakeAt(run, verdict.until, now);
    else submitQuietly(run, { type: 'close', why: verdict.why });
  }

  function wakeAt(run: LiveRun, at: number, now: number): void {
    run.timer?.();
    const wait = Math.min(Math.max(1, at - now), 2 ** 31 - 1);
    run.timer = clock.after(wait, () => {
      const woken = clock.now();
      const late = woken - (now + wait);
      if (late > STOOD_STILL_MS) forgive(run, late, woken);
      settle(run);
    });
  }

  function considerOpening(run: LiveRun, now: number): void {
    const connected: Invitee[] = [...partners()].map(({ key, name }) => ({ member: key!, name }));
    const gathering = gather(run.state, connected);
    if (!gathering.enough) {
      run.readySince = null;
      const words = waitingFor(run.state, gathering);
      if (words !== run.waiting) emit(run, now, 'waiting', { reason: words });
      run.waiting = words;
      return;
    }
    run.waiting = '';
    run.readySince ??= now;
    const graceOver = run.readySince + run.state.plan.timing.grace * 1000;
    const due = Math.max(run.retryAt, gathering.undecided > 0 ? graceOver : 0);
    if (now < due) {
      wakeAt(run, due, now);
      return;
    }
    if (run.opening) return;
    run.opening = true;
    run.readySince = null;
    const nonce = toBase64(random(16));
    const invited = select(run.state, gathering.eligible);
    submit(run, { type: 'open', nonce, epoch, invited })
      .catch((error) => {
        log.error({ run: run.state.id, err: asTributaryError(error) }, 'no attempt opened');
        retryStorage(run, error);
      })
      .finally(() => {
        run.opening = false;
      });
  }

  return {
    moved(run, attempt = true) {
      if (attempt) noteMove(run, clock.now());
      settle(run);
    },
    settle,
    submitQuietly,
  };
}
