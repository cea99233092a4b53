import { parsePlan, TributaryError } from '@tributary/protocol';
import { nodeCrypto } from '@tributary/protocol/node';
import { describe, expect, test } from 'vitest';
import { type Approvals, hashesOf, judge, type Policy, parsePolicy, policyRemarks } from './index.ts';

const NONE: Approvals = new Map();

function planWith(changes: { aggregation?: object; cohort?: object; rounds?: number; name?: string } = {}) {
  return parsePlan({
    name: changes.name ?? 'digits',
    model: { topology: { class_name: 'Sequential', config: { name: 'm', layers: [] } } },
    features: { kind: 'image', height: 28, width: 28, channels: 1, classes: ['0', '1'] },
    training: { optimizer: { name: 'sgd', learningRate: 0.1 }, loss: 'sparseCategoricalCrossentropy' },
    aggregation: { clip: 10, ...changes.aggregation },
    cohort: { min: 5, ...changes.cohort },
    rounds: changes.rounds ?? 10,
  });
}

const plan = planWith();
const hashes = hashesOf(nodeCrypto, plan);
const listed = (more: object = {}): Policy =>
  parsePolicy({ plans: [{ plan: hashes.plan }], ...more }, 'partner');

describe('parsePolicy', () => {
  test('fills in the defaults of the design', () => {
    expect(parsePolicy(undefined, 'partner')).toEqual({
      role: 'partner',
      plans: [],
      aggregation: 'secure',
      minRoster: 5,
      minSum: 3,
      collusion: 1,
      maxRounds: 100,
      rotation: 'ask',
      weights: ['exact', 'bucketed', 'uniform'],
    });
    expect(parsePolicy(undefined, 'evaluator')).toEqual({ role: 'evaluator', plans: 'any', rotation: 'ask' });
  });

  test.each([
    [{ minRoster: 2 }, /policy: minRoster .*3, got 2/],
    [{ minSum: 2 }, /policy: minSum .*3, got 2/],
    [{ collusion: 0 }, /policy: collusion .*1, got 0/],
    [{ minroster: 5 }, /unknown field "minroster"/],
    [{ aggregation: 'plain' }, /policy: aggregation/],
    [{ rotation: 'always' }, /policy: rotation/],
    [{ plans: 'all' }, /policy: plans/],
    [{ plans: 'any' }, /policy: plans/],
    [{ plans: [{ plan: 'abc' }] }, /policy: plans/],
    [{ weights: [] }, /policy: weights/],
    [{ minRoster: 5, minSum: 6 }, /minSum 6 is above minRoster 5/],
    [{ minRoster: 5, collusion: 4 }, /collusion 4 leaves fewer than two honest partners of minRoster 5/],
    ['ask', /policy/],
  ])('refuses %j, naming rule and value', (raw, words) => {
    expect(() => parsePolicy(raw, 'partner')).toThrow(words);
    expect(() => parsePolicy(raw, 'partner')).toThrow(TributaryError);
  });

  test('an evaluator may restrict plans and nothing else', () => {
    expect(parsePolicy({ plans: 'ask' }, 'evaluator')).toEqual({
      role: 'evaluator',
      plans: 'ask',
      rotation: 'ask',
    });
    expect(() => parsePolicy({ minRoster: 5 }, 'evaluator')).toThrow(/unknown field "minRoster"/);
  });
});

describe('judge', () => {
  test('default deny: a policy without plans allows nothing', () => {
    const verdict = judge(parsePolicy({}, 'partner'), plan, hashes, NONE);
    expect(verdict).toEqual({
      verdict: 'refuse',
      code: 'policy-refused',
      rule: 'plans',
      value: hashes.plan,
      message:
        `plans allows no plan: plan ${hashes.plan} on topology ${hashes.topology} is refused. ` +
        'Only the owner of this node can change its policy: it can list that hash, or say `plans: ask`.',
    });
  });

  test('a listed plan, or any plan on a listed topology, is allowed; another one is not', () => {
    const other = planWith({ rounds: 11 });
    const otherHashes = hashesOf(nodeCrypto, other);
    expect(judge(listed(), plan, hashes, NONE)).toEqual({ verdict: 'allow' });
    expect(judge(listed(), other, otherHashes, NONE)).toMatchObject({ verdict: 'refuse', rule: 'plans' });
    const byTopology = parsePolicy({ plans: [{ topology: hashes.topology }] }, 'partner');
    expect(judge(byTopology, other, otherHashes, NONE)).toEqual({ verdict: 'allow' });
  });

  test('a listed topology does not cover plans that add up: it says nothing about their columns', () => {
    const topology = {
      class_name: 'Sequential',
      config: { layers: [{ class_name: 'Moments', config: { name: 'sums', rows: 10 } }] },
    };
    const moments = parsePlan({ ...plan, model: { topology } });
    const own = hashesOf(nodeCrypto, moments);
    const byTopology = parsePolicy({ plans: [{ topology: own.topology }] }, 'partner');
    expect(judge(byTopology, moments, own, NONE)).toMatchObject({
      verdict: 'refuse',
      rule: 'plans',
      message: expect.stringMatching(/adds up columns.*list its plan hash/),
    });
    const byPlan = parsePolicy({ plans: [{ plan: own.plan }] }, 'partner');
    expect(judge(byPlan, moments, own, NONE)).toEqual({ verdict: 'allow' });
  });

  test('ask: asks until the owner has decided, and an approval is for one plan hash only', () => {
    const ask = parsePolicy({ plans: 'ask' }, 'partner');
    expect(judge(ask, plan, hashes, NONE)).toEqual({ verdict: 'ask' });
    expect(judge(ask, plan, hashes, new Map([[hashes.plan, 'approved']]))).toEqual({ verdict: 'allow' });
    expect(judge(ask, plan, hashes, new Map([[hashes.topology, 'approved']]))).toEqual({ verdict: 'ask' });
    expect(judge(ask, plan, hashes, new Map([[hashes.plan, 'refused']]))).toMatchObject({ rule: 'plans' });
  });

  test('an approval does not replace a listed hash, and a refusal by the owner wins over one', () => {
    expect(
      judge(parsePolicy({}, 'partner'), plan, hashes, new Map([[hashes.plan, 'approved']])),
    ).toMatchObject({ verdict: 'refuse', rule: 'plans' });
    expect(judge(listed(), plan, hashes, new Map([[hashes.plan, 'refused']]))).toMatchObject({
      message: `plans: the owner of this node refused plan ${hashes.plan}; only the owner can change that (\`tributary node approve\`).`,
    });
  });

  const limits: [string, object, Parameters<typeof planWith>[0], string | number, string][] = [
    [
      'aggregation',
      {},
      { aggregation: { mode: 'plain' } },
      'plain',
      "aggregation is secure: the plan's aggregation.mode plain would show this partner's update to the coordinator. " +
        'Only the owner of this node can change its policy; the operator can set aggregation.mode to secure.',
    ],
    [
      'minRoster',
      {},
      { cohort: { min: 4 } },
      4,
      "minRoster is 5: the plan's cohort.min is only 4. Only the owner of this node can change its policy; the operator can raise cohort.min.",
    ],
    [
      'minSum',
      { minSum: 4 },
      {},
      3,
      "minSum is 4: the plan's cohort.minSum is only 3. Only the owner of this node can change its policy; the operator can raise cohort.minSum.",
    ],
    [
      'collusion',
      { collusion: 2 },
      {},
      1,
      "collusion is 2: the plan's aggregation.collusion is only 1. Only the owner of this node can change its policy; the operator can raise aggregation.collusion.",
    ],
    [
      'maxRounds',
      { maxRounds: 9 },
      {},
      10,
      'maxRounds is 9: the plan has 10 rounds. Only the owner of this node can change its policy; the operator can lower rounds.',
    ],
    [
      'weights',
      { weights: ['bucketed', 'uniform'] },
      {},
      'exact',
      "weights allows bucketed, uniform: the plan's aggregation.weights is exact. Only the owner of this node can change its policy; the operator can change aggregation.weights.",
    ],
  ];
  test.each(limits)(
    '%s is refused in plain words even where the plan is listed',
    (rule, policy, changes, value, message) => {
      const asked = planWith(changes);
      const its = hashesOf(nodeCrypto, asked);
      const verdict = judge(
        parsePolicy({ plans: [{ plan: its.plan }], ...policy }, 'partner'),
        asked,
        its,
        NONE,
      );
      expect(verdict).toEqual({ verdict: 'refuse', code: 'policy-refused', rule, value, message });
    },
  );

  test('a plan that another rule refuses is not even asked about', () => {
    const small = planWith({ cohort: { min: 3 } });
    const verdict = judge(parsePolicy({ plans: 'ask' }, 'partner'), small, hashesOf(nodeCrypto, small), NONE);
    expect(verdict).toMatchObject({ verdict: 'refuse', rule: 'minRoster' });
  });

  test('plain aggregation goes through only where the owner wrote allow-plain', () => {
    const plain = planWith({ aggregation: { mode: 'plain' } });
    const its = hashesOf(nodeCrypto, plain);
    const policy = parsePolicy({ plans: [{ plan: its.plan }], aggregation: 'allow-plain' }, 'partner');
    expect(judge(policy, plain, its, NONE)).toEqual({ verdict: 'allow' });
  });

  test('an evaluator evaluates any plan unless its owner restricts it', () => {
    const plain = planWith({ aggregation: { mode: 'plain' }, cohort: { min: 3 } });
    const its = hashesOf(nodeCrypto, plain);
    expect(judge(parsePolicy({}, 'evaluator'), plain, its, NONE)).toEqual({ verdict: 'allow' });
    expect(judge(parsePolicy({ plans: [] }, 'evaluator'), plain, its, NONE)).toMatchObject({ rule: 'plans' });
  });
});

describe('policyRemarks', () => {
  test.each([
    [
      { minRoster: 3 },
      ['minRoster 3: with three partners no drop-out is survived, and two partners together know the third.'],
    ],
    [
      { minRoster: 4 },
      [
        'minRoster 4: with four partners a sum may hold only three, and two partners together know the third.',
      ],
    ],
    [{}, []],
    [{ minSum: 5 }, ['minRoster 5: with five partners no drop-out is survived.']],
    [
      { aggregation: 'allow-plain' },
      ["aggregation allow-plain: in a plain run the coordinator sees this partner's whole update."],
    ],
  ])('%j', (rules, words) => {
    expect(policyRemarks(parsePolicy({ plans: 'ask', ...rules }, 'partner'))).toEqual(words);
  });

  test('says when nothing is allowed', () => {
    expect(policyRemarks(parsePolicy({}, 'partner'))).toEqual([
      'plans: none are allowed, so this node takes part in nothing.',
    ]);
  });
});

describe('a misspelt word in a policy', () => {
  test.each([
    [{ plans: 'aks' }, 'plans must be ask or a list, got "aks"'],
    [{ rotation: 'folow' }, 'rotation must be one of ask, follow, got "folow"'],
    [{ aggregation: 'plain' }, 'aggregation must be one of secure, allow-plain, got "plain"'],
    [{ weights: ['exakt'] }, 'weights.0 must be one of exact, bucketed, uniform, got "exakt"'],
    [{ plans: [{ plan: 'abc' }] }, 'plans.0.plan must match pattern'],
  ])('is refused with the words that there are: %j', (policy, message) => {
    expect(() => parsePolicy(policy, 'partner')).toThrow(message);
  });
});
