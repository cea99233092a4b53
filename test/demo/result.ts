/** The demo's JSON: a contract. Fields beyond it are additions. */
import type { Moments } from '@tributary/client-sdk';
import type { RunDetail } from '@tributary/protocol';
import type { Agreed } from './agree.ts';
import type { LocalOnly } from './baseline.ts';
import { type DatasetName, datasetOf } from './datasets/index.ts';
import type { Victim } from './drop.ts';
import type { Findings } from './evidence.ts';
import type { House } from './house.ts';
import type { DemoOptions } from './options.ts';

export interface DemoResult {
  readonly dataset: DatasetName;
  readonly source: string;
  readonly licence: string;
  /** What partners train with. */
  readonly engine: string;
  readonly aggregation: 'secure' | 'plain';
  readonly rounds: readonly DemoRound[];
  readonly final: {
    /** Of the last model on the held-out rows, as the evaluator measured it. */
    readonly accuracy: number;
    readonly loss: number;
    /** Accuracy on the same rows of each partner that trained alone, in the order of `partners`. */
    readonly localOnly: readonly number[];
  };
  readonly initial: { readonly accuracy: number; readonly loss: number } | null;
  readonly partners: readonly { readonly name: string; readonly rows: number }[];
  readonly killed: readonly Victim[];
  readonly plan: string;
  readonly run: string;
  /** What partners agreed on before they trained, where the data set asks for it. */
  readonly constants: Constants | null;
  readonly evidence: Findings | null;
  readonly flags: Omit<DemoOptions, 'data' | 'json'>;
  /** Wall time of the whole demo. */
  readonly seconds: number;
}

interface Constants extends Moments {
  readonly run: string;
  readonly seconds: number;
  readonly bytesUp: number;
}

export interface DemoRound {
  readonly round: number;
  readonly accuracy: number;
  readonly loss: number;
  /** Partners in the sum (U3), and those of the roster (U1) that are not. */
  readonly participants: number;
  readonly dropped: number;
  readonly seconds: number;
  readonly bytesUp: number;
  readonly bytesDown: number;
  readonly names: { readonly participants: readonly string[]; readonly dropped: readonly string[] };
}

export interface ResultParts {
  readonly options: DemoOptions;
  readonly house: House;
  readonly run: RunDetail;
  readonly agreed: Agreed | undefined;
  readonly engine: string;
  readonly localOnly: readonly LocalOnly[];
  readonly findings: Findings | undefined;
  readonly seconds: number;
}

export function resultOf(parts: ResultParts): DemoResult {
  const { options, house, run, agreed, engine, localOnly, findings, seconds } = parts;
  const { data: _, json: __, ...flags } = options;
  const rounds = run.history.map((record): DemoRound => {
    const { accuracy, loss } = measured(record);
    const { round, participants, dropped, started, published, bytesUp, bytesDown } = record;
    return {
      ...{ round, accuracy, loss },
      participants: participants.length,
      dropped: dropped.length,
      seconds: (published - started) / 1000,
      ...{ bytesUp, bytesDown, names: { participants, dropped } },
    };
  });
  const last = rounds.at(-1)!;
  const { source, licence } = datasetOf(options);
  return {
    ...{ dataset: options.dataset, source, licence },
    engine,
    aggregation: run.aggregation,
    rounds,
    final: {
      accuracy: last.accuracy,
      loss: last.loss,
      localOnly: localOnly.map(({ accuracy }) => accuracy),
    },
    initial: run.initialEvaluations.length > 0 ? measured({ evaluations: run.initialEvaluations }) : null,
    partners: house.partners.map(({ name }, i) => ({ name, rows: house.rows[i]! })),
    killed: house.victims,
    plan: run.plan,
    run: run.id,
    constants: agreed ? constantsOf(agreed) : null,
    evidence: findings ?? null,
    flags,
    seconds,
  };
}

function constantsOf({ moments, run, seconds, bytesUp }: Agreed): Constants {
  return { run, seconds, bytesUp, ...moments };
}

function measured({ evaluations }: Pick<RunDetail['history'][number], 'evaluations'>) {
  const { metrics, loss } = evaluations[0]!;
  return { accuracy: metrics.accuracy!, loss };
}
