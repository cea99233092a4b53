/**
 * What must be true whatever was killed: each published model is, bit for bit, the fold of what its survivors wrote down;
 * what was once shown or acknowledged never goes away; nothing is lost, nothing counts twice.
 */
import { decodeSafetensors, type Plan, type RoundRecord, type RunDetail } from '@tributary/protocol';
import { expectedModel } from './fold.ts';
import type { House } from './house.ts';
import { checkLedgers } from './ledgers.ts';
import type { AttemptRecord, Records } from './records.ts';
import type { Tally } from './tally.ts';

export interface Tallies {
  published: number;
  /** Models that came out bit for bit. */
  equal: number;
  lost: number;
  twice: number;
  /** Reports of evaluators. */
  evaluations: number;
}

export interface Oracle {
  readonly tallies: Readonly<Tallies>;
  /** Compares what a run shows now with all that it showed before, and each new model with its fold. */
  look(detail: RunDetail, initialModel: string): Promise<void>;
  /** When nothing moves any more. */
  finish(runs: readonly RunDetail[]): void;
}

interface Seen {
  readonly records: RoundRecord[];
  /** Reports of evaluators, by round, as text. */
  evaluated: string[][];
  verified: number;
}

export function createOracle(
  { api, folders }: Pick<House, 'api' | 'folders'>,
  records: Records,
  tally: Tally,
): Oracle {
  const { violation } = tally;
  const tallies: Tallies = { published: 0, equal: 0, lost: 0, twice: 0, evaluations: 0 };
  const seen = new Map<string, Seen>();
  /** `node/weights` to the round in which its update on them was counted. */
  const counted = new Map<string, string>();

  function attemptOf(run: string, { round, attempts }: RoundRecord): AttemptRecord | undefined {
    for (const attempt of records.attempts.values())
      if (attempt.run === run && attempt.round === round && attempt.attempt === attempts) return attempt;
    return undefined;
  }

  async function valuesOf(model: string): Promise<Float32Array> {
    return decodeSafetensors(await api().getBlob(model)).model.values;
  }

  async function verify(run: string, plan: Plan, record: RoundRecord, base: string): Promise<void> {
    const where = `round ${record.round} of ${run}`;
    const attempt = attemptOf(run, record);
    if (!attempt) return violation(`${where}: no node was told of attempt ${record.attempts}`);
    // First what may fail and be tried again: from here on this round is looked at once.
    const [before, after] = await Promise.all([valuesOf(base), valuesOf(record.model)]);
    const { participants } = record;
    if (new Set(participants).size !== participants.length) {
      tallies.twice++;
      return violation(`${where}: a partner is in U3 twice: ${participants.join(', ')}`);
    }
    const vectors: Uint32Array[] = [];
    const sizes = new Set<number>();
    for (const node of participants) {
      const vector = records.vector(attempt.id, node);
      const facts = attempt.vectors.get(node);
      if (!vector || !facts) return violation(`${where}: ${node} counts, and wrote no vector down`);
      vectors.push(vector);
      sizes.add(facts.members);
      const key = `${node}/${facts.weights}`;
      if (counted.has(key)) {
        tallies.twice++;
        violation(`${where}: ${node} was counted on these weights in ${counted.get(key)} already`);
      }
      counted.set(key, where);
    }
    if (sizes.size !== 1) return violation(`${where}: survivors masked for cohorts of ${[...sizes]}`);
    const expected = expectedModel(plan, before, vectors, [...sizes][0]!);
    const wrong = after.findIndex((value, i) => !Object.is(value, expected.values[i]));
    const same = wrong < 0 && after.length === expected.values.length;
    if (same) tallies.equal++;
    else
      violation(`${where}: parameter ${wrong} is ${after[wrong]}, the fold says ${expected.values[wrong]}`);
    if (record.metrics.weight !== expected.weight)
      violation(`${where}: the weights sum to ${record.metrics.weight}, not ${expected.weight}`);
  }

  return {
    tallies,
    async look(detail, initialModel) {
      const { id, history } = detail;
      const known = seen.get(id) ?? { records: [], evaluated: [], verified: 0 };
      seen.set(id, known);
      const evaluated = [detail.initialEvaluations, ...history.map(({ evaluations }) => evaluations)];
      for (const [round, reports] of known.evaluated.entries())
        for (const text of reports)
          if (!evaluated[round]?.some((report) => JSON.stringify(report) === text))
            violation(`an evaluation of round ${round} of ${id} is gone: ${text}`);
      known.evaluated = evaluated.map((reports) => reports.map((report) => JSON.stringify(report)));
      for (const [i, before] of known.records.entries())
        if (sameRecord(before) !== sameRecord(history[i]))
          violation(`round ${before.round} of ${id} was shown otherwise before, or is gone`);
      for (const record of history.slice(known.records.length)) {
        known.records.push(record);
        tallies.published++;
        tally.published();
      }
      const head = history.at(-1)?.model ?? initialModel;
      if (detail.model !== head || detail.round !== history.length)
        violation(`${id} is at round ${detail.round} with ${detail.model}, its history ends with ${head}`);
      while (known.verified < known.records.length) {
        const record = known.records[known.verified]!;
        records.read();
        const base = known.records[known.verified - 1]?.model ?? initialModel;
        await verify(id, detail.planBody as Plan, record, base);
        known.verified++;
        const attempt = attemptOf(id, record);
        if (attempt) records.drop(attempt.id);
      }
    },
    finish(runs) {
      for (const { evaluated } of seen.values()) tallies.evaluations += evaluated.flat().length;
      records.read();
      const published = new Map<string, RoundRecord>();
      for (const { id, history } of runs)
        for (const record of history) {
          const attempt = attemptOf(id, record);
          if (attempt) published.set(attempt.id, record);
        }
      for (const attempt of records.attempts.values()) {
        const record = published.get(attempt.id);
        if (!record) continue;
        for (const node of attempt.acknowledged)
          if (!record.participants.includes(node) && !attempt.withdrawn.has(node)) {
            tallies.lost++;
            violation(
              `round ${record.round} of ${attempt.run} was published without ${node}, whose update was acknowledged`,
            );
          }
      }
      checkLedgers(folders, records, new Set(published.keys()), violation);
      for (const { node, run, round, model, transcript } of records.claims) {
        const record = runs.find(({ id }) => id === run)?.history[round - 1];
        if (record?.model !== model || record.transcript !== transcript)
          violation(`${node} was told of round ${round} of ${run}; the history has another, or none`);
      }
    },
  };
}

/** Evaluations come later, and are compared by themselves. */
function sameRecord(record: RoundRecord | undefined): string {
  return JSON.stringify(record && { ...record, evaluations: [] });
}
