/** What there is to see of a running demo. Everything in the run itself comes from the coordinator's public events. */
import type { RunEvent } from '@tributary/protocol';

export type BarState = 'waiting' | 'training' | 'trained' | 'shared' | 'sent' | 'killed' | 'done';

export interface Bar {
  readonly name: string;
  /** Of its local work in this round, 0 to 1. */
  done: number;
  state: BarState;
}

export interface RoundRow {
  readonly round: number;
  /** Of the evaluator; undefined until it has answered. */
  accuracy: number | undefined;
  loss: number | undefined;
  /** Names. */
  readonly participants: readonly string[];
  readonly dropped: readonly string[];
  readonly seconds: number;
  readonly bytesUp: number;
  readonly bytesDown: number;
}

export interface Board {
  readonly started: number;
  readonly rounds: number;
  readonly bars: readonly Bar[];
  readonly history: RoundRow[];
  /** Current phase in plain words. */
  phase: string;
  round: number;
  /** When the first round was opened, and when local training began: milliseconds. */
  runStarted: number | undefined;
  localStarted: number | undefined;
  /** Of the model before round 1. */
  initial: { readonly accuracy: number; readonly loss: number } | undefined;
}

export function createBoard(names: readonly string[], rounds: number, now: number): Board {
  return {
    started: now,
    rounds,
    bars: names.map((name) => ({ name, done: 0, state: 'waiting' })),
    history: [],
    phase: '',
    round: 0,
    runStarted: undefined,
    localStarted: undefined,
    initial: undefined,
  };
}

/** Phases as the coordinator names them. */
export const PHASES: Readonly<Record<string, string>> = {
  advertise: 'partners train on their own rows',
  share: 'partners exchange encrypted key shares',
  upload: 'partners send masked updates',
  agree: 'partners agree who is in the sum',
  unmask: 'partners unmask the sum, and only the sum',
  summing: 'the coordinator checks the sum and averages',
};

/** The state of a bar once its partner has answered in a phase. */
const ANSWERED: Readonly<Record<string, BarState>> = {
  advertise: 'trained',
  share: 'shared',
  upload: 'sent',
};

/** Takes one event in. @returns what to print as a line where there is no live view */
export function take(board: Board, event: RunEvent, now: number): string | undefined {
  const { kind, round, attempt, data } = event;
  const text = (key: string): string => (typeof data[key] === 'string' ? data[key] : '');
  const bar = board.bars.find(({ name }) => name === text('name'));
  switch (kind) {
    case 'phase': {
      board.round = round;
      board.phase = PHASES[text('phase')] ?? text('phase');
      board.runStarted ??= now;
      if (text('phase') === 'advertise')
        for (const each of board.bars)
          if (each.state !== 'killed') Object.assign(each, { done: 0, state: 'training' });
      return `round ${round}/${board.rounds}${attempt > 1 ? `, attempt ${attempt}` : ''}: ${board.phase}`;
    }
    case 'progress':
      if (bar && bar.state !== 'killed') bar.done = Number(data.twentieths) / 20;
      return undefined;
    case 'answered':
      if (bar && bar.state !== 'killed') {
        bar.done = 1;
        bar.state = ANSWERED[text('phase')] ?? bar.state;
      }
      return undefined;
    case 'evaluation':
      takeEvaluation(board, data);
      return undefined;
    case 'abandoned':
      return `round ${round}, attempt ${attempt}: given up (${text('code')}): ${text('reason')}`;
    case 'left':
      return `round ${round}: ${text('name')} left (${text('code')}): ${text('reason')}`;
    default:
      return undefined;
  }
}

function takeEvaluation(board: Board, data: RunEvent['data']): void {
  const { round, loss, metrics } = data as { round: number; loss: number; metrics: { accuracy: number } };
  if (round === 0) board.initial = { accuracy: metrics.accuracy, loss };
  const row = board.history.find((each) => each.round === round);
  if (row) Object.assign(row, { accuracy: metrics.accuracy, loss });
}

export function roundLine(
  { round, accuracy, loss, participants, dropped, ...row }: RoundRow,
  of: number,
): string {
  const lost = dropped.length > 0 ? ` without ${dropped.join(', ')}` : '';
  return (
    `round ${round}/${of} published: accuracy ${accuracy?.toFixed(4) ?? '?'}, loss ${loss?.toFixed(4) ?? '?'}, ` +
    `sum of ${participants.length} partners${lost}, ${row.seconds.toFixed(1)} s, ` +
    `${megabytes(row.bytesUp)} up, ${megabytes(row.bytesDown)} down`
  );
}

export function megabytes(bytes: number): string {
  return bytes < 1e5 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

/** `m:ss` */
export function duration(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}

/**
 * Milliseconds to go, once a round is published: rounds at their mean pace, then local training, which is the same work
 * once more without the waiting in between.
 */
export function remaining(board: Board, now: number): number | undefined {
  const { history, rounds, runStarted, localStarted, bars } = board;
  if (runStarted === undefined || history.length === 0) return undefined;
  const perRound = history.reduce((sum, row) => sum + row.seconds * 1000, 0) / history.length;
  const local = 0.8 * perRound * rounds;
  if (localStarted === undefined) {
    const left = rounds * perRound - (now - runStarted);
    return Math.max(0, left) + local;
  }
  const done = bars.reduce((sum, bar) => sum + bar.done, 0) / bars.length;
  if (done < 0.05) return local;
  return ((now - localStarted) * (1 - done)) / done;
}
