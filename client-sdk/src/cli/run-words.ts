/** What happens in a run, in plain words: one line per event, one row per round. */
import {
  EvaluationReport,
  type ModelSummary,
  RoundRecord,
  type RunDetail,
  type RunEvent,
} from '@tributary/protocol';
import { Value } from '@tributary/protocol/typebox';
import { printable } from './printable.ts';

/** Phases as the coordinator names them, and what they mean. */
const PHASES: Readonly<Record<string, string>> = {
  gathering: 'waiting for partners',
  advertise: 'partners train on their own data',
  share: 'partners exchange encrypted key shares',
  upload: 'partners send masked updates',
  agree: 'partners agree who is in the sum',
  unmask: 'partners unmask the sum, and only the sum',
  summing: 'the coordinator checks and averages the sum',
};

export function phaseWords(phase: string): string {
  return PHASES[phase] ?? printable(phase);
}

/** Undefined for events that only a live view has use for. */
export function eventWords(event: RunEvent): string | undefined {
  const words = tell(event);
  return words === undefined ? undefined : printable(words);
}

function tell(event: RunEvent): string | undefined {
  const { kind, round, attempt, data } = event;
  const text = (key: string) => (typeof data[key] === 'string' ? (data[key] as string) : '');
  const where = `round ${round}${attempt > 1 ? `, attempt ${attempt}` : ''}`;
  switch (kind) {
    case 'started':
      return `run started by ${text('by')}`;
    case 'waiting':
      return `waiting: ${text('reason')}`;
    case 'paused':
      return `paused by ${text('by')}: an attempt that is open goes on, no other is opened`;
    case 'resumed':
      return `resumed by ${text('by')}`;
    case 'phase':
      return `${where}: ${phaseWords(text('phase'))}`;
    case 'answered':
      return undefined;
    case 'progress': {
      const done = Number(data.twentieths);
      return done % 5 === 0 ? `${where}: ${text('name')} has trained ${5 * done} %` : undefined;
    }
    case 'consent':
      return `${text('name') || text('member').slice(0, 12)} takes part`;
    case 'decline':
      if (text('code') === 'approval-pending')
        return `${text('name') || text('member').slice(0, 12)} waits for its owner: \`tributary node pending\` there`;
      return `${text('name') || text('member').slice(0, 12)} does not take part: ${text('reason')}`;
    case 'joined':
      return `${text('name')} connected`;
    case 'left':
      return `${where}: ${text('name')} left (${text('code')}): ${text('reason')}`;
    case 'abandoned':
      return `${where}: given up (${text('code')}): ${text('reason')}; a new attempt follows`;
    case 'evaluation': {
      const { round: measured, ...report } = data;
      if (!Value.Check(EvaluationReport, report)) return unknown(where, event);
      return `round ${measured}: ${report.evaluator} measured ${metricWords(report)} on ${report.count} rows`;
    }
    case 'published':
      if (!Value.Check(RoundRecord, data.record)) return unknown(where, event);
      return `round ${data.record.round} published: ${roundWords(data.record)}`;
    case 'ended':
      return `run ${text('status')}${text('reason') ? `: ${text('reason')}` : ''}`;
    default:
      return unknown(where, event);
  }
}

/** A newer coordinator may tell more than this program knows. */
function unknown(where: string, { kind, data }: RunEvent): string {
  return `${where}: ${kind} ${JSON.stringify(data)}`;
}

function metricWords({ loss, metrics }: Pick<EvaluationReport, 'loss' | 'metrics'>): string {
  const named = Object.entries(metrics).map(([name, value]) => `${name} ${value.toFixed(4)}`);
  return [...named, `loss ${loss.toFixed(4)}`].join(', ');
}

function roundWords({ participants, dropped, metrics }: RoundRecord): string {
  const lost = dropped.length > 0 ? `, without ${dropped.join(', ')}` : '';
  const measured = metrics.holdout
    ? `the model it started from, on the hold-outs: ${metricWords(metrics.holdout)}`
    : `training loss ${metrics.trainingLoss.toFixed(4)}`;
  return `sum of ${participants.length} partners${lost}; ${measured}`;
}

export const ROUND_HEADER = [
  'ROUND',
  'PARTNERS',
  'DROPPED',
  'ACCURACY',
  'LOSS',
  'MEASURED BY',
  'SECONDS',
  'MB UP',
  'ENGINES',
];

/**
 * An evaluator's figures of the published model where there are any, else the sums over the partners' hold-outs, which
 * are of the model that the round started from.
 */
export function roundRow(record: RoundRecord): (string | number)[] {
  const { accuracy, loss, by } = figures(record);
  return [
    record.round,
    record.participants.length,
    record.dropped.length,
    accuracy,
    loss,
    by,
    ((record.published - record.started) / 1000).toFixed(1),
    (record.bytesUp / 1e6).toFixed(1),
    engineWords(record),
  ];
}

/** `wasm` or `4 wasm, 1 native`. */
function engineWords({ engines = {} }: RoundRecord): string {
  const counts = new Map<string, number>();
  for (const { name } of Object.values(engines)) counts.set(name, (counts.get(name) ?? 0) + 1);
  if (counts.size <= 1) return [...counts.keys()][0] ?? '-';
  return [...counts].map(([name, count]) => `${count} ${name}`).join(', ');
}

/** Who measured: 'hold-outs, before' are figures of the model that the round started from, not of its own. */
export function figures({ evaluations, metrics }: Pick<ModelSummary, 'evaluations' | 'metrics'>): {
  accuracy: string;
  loss: string;
  by: string;
} {
  const [report] = evaluations;
  const holdout = metrics?.holdout;
  const accuracy: number | undefined = (report ?? holdout)?.metrics.accuracy;
  return {
    accuracy: accuracy?.toFixed(4) ?? '-',
    loss: (report?.loss ?? holdout?.loss ?? metrics?.trainingLoss)?.toFixed(4) ?? '-',
    by: report?.evaluator ?? (holdout ? 'hold-outs, before' : metrics ? 'training' : '-'),
  };
}

export function runState(run: Pick<RunDetail, 'status' | 'round' | 'rounds' | 'reason'>): string {
  return `${run.status}, round ${run.round} of ${run.rounds}${run.reason ? ` (${printable(run.reason)})` : ''}`;
}
