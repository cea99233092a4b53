import { parsePlan } from '@tributary/protocol';
import { expect, test } from 'vitest';
import { digitsPlan } from '../data/digits-plan.ts';
import type { Estimate } from './estimate.ts';
import { planFindings } from './plan-findings.ts';

const plan = digitsPlan({ partners: 7 });
const costs = {
  rows: 700,
  parameters: 199_210,
  seconds: { slow: 4, medium: 1, fast: 0.2 },
  traffic: { up: 797_000 },
} as Estimate;

function rules(change: object, facts: Partial<Estimate> = {}, trains = true) {
  const changed = parsePlan({ ...structuredClone(plan), ...change });
  return planFindings(changed, { estimate: { ...costs, ...facts }, norm: 23, trains }).map(
    ({ level, rule }) => `${level} ${rule}`,
  );
}
const training = (change: object) => ({ training: { ...plan.training, ...change } });
const aggregation = (change: object) => ({ aggregation: { ...plan.aggregation, ...change } });
const layer = (class_name: string, config: object) => ({
  model: { topology: { class_name: 'Sequential', config: { layers: [{ class_name, config }] } } },
});

test('a usual plan gives no cause for remarks', () => {
  expect(rules({})).toEqual([]);
});

test.each<[string, object, Partial<Estimate>?]>([
  ['warning learning-rate', training({ optimizer: { name: 'sgd', learningRate: 5 } })],
  ['warning learning-rate', training({ optimizer: { name: 'adam', learningRate: 1e-6 } })],
  ['warning clip-small', aggregation({ clip: 0.1 })],
  ['warning clip-large', aggregation({ clip: 1000 })],
  ['warning weight-cap', aggregation({ weightCap: 600 })],
  ['warning weight-cap', aggregation({ weightCap: 100_000 })],
  ['warning no-holdout', { holdout: 0 }],
  ['note small-holdout', { holdout: 0.1 }, { rows: 60 }],
  ['warning early-stop', { earlyStop: { metric: 'loss', patience: 10 } }],
  ['note no-early-stop', { rounds: 100 }],
  ['warning batch-size', training({ batchSize: 700 })],
  ['warning epochs', training({ epochs: 50 })],
  ['warning penalty', training({ l2: 1 })],
  ['warning dropout', layer('Dropout', { name: 'd', rate: 0.9 })],
  ['warning batch-normalization', layer('BatchNormalization', { name: 'n' })],
  ['note large-model', {}, { parameters: 5_000_000 }],
  ['warning large-update', {}, { traffic: { ...costs.traffic, up: 2e8 } }],
  ['warning too-slow', {}, { seconds: { ...costs.seconds, slow: 4000 } }],
  ['warning plain', aggregation({ mode: 'plain' })],
  ['warning no-dropout', { cohort: { min: 3 } }],
  ['warning few-partners', { cohort: { min: 4 } }],
  ['warning no-dropout', { cohort: { min: 5 }, ...aggregation({ collusion: 3 }) }],
])('%s', (expected, change, facts) => {
  const found = rules(change, facts);
  expect(found).toContain(expected);
});

test('every finding says what to do, and a plan that trains nothing has no learning rate', () => {
  const strange = parsePlan({ ...plan, ...training({ epochs: 50 }), holdout: 0, cohort: { min: 3 } });
  for (const { message, remedy } of planFindings(strange, { estimate: costs, norm: 23, trains: true })) {
    expect(message).toMatch(/\.$/);
    expect(remedy).toMatch(/\.$/);
  }
  expect(rules(aggregation({ clip: 1000 }), {}, false)).toEqual([]);
});
