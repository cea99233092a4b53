/** Evaluator nodes report in the clear; partners never do. */
import { ClientMessage, type ServerMessage, TributaryError, validate } from '@tributary/protocol';
import { describe, expect, test } from 'vitest';
import {
  announceMessage,
  createNode,
  eventsOf,
  hash,
  kindsOf,
  messagesOf,
  type NodeOptions,
  partnerIdentities,
  plan,
  proposal,
  RUN,
  sentOf,
  testPlan,
} from './fixtures.ts';

const identities = partnerIdentities(5);
const nodeWith = (options: NodeOptions = {}) => createNode(identities[0]!, identities, options);

describe('evaluations in the clear', () => {
  const evaluate = (changes = {}): ServerMessage => ({
    ...{ type: 'evaluate', run: RUN, round: 1, model: hash('model'), plan },
    ...changes,
  });
  const result = { count: 100, loss: 0.5, metrics: { accuracy: 0.9 } };
  const place = { run: RUN, round: 1, model: hash('model') };

  test('a coordinator asks a partner for its metrics in the clear, and gets nothing', () => {
    const node = nodeWith();
    node.receive(proposal());
    const effects = node.receive(evaluate());
    expect(kindsOf(effects)).toEqual(['emit warning']);
    expect(eventsOf(effects)[0]).toMatchObject({ code: 'forbidden' });
  });

  test('an evaluator evaluates once, and reports again when asked again', () => {
    const node = nodeWith({ role: 'evaluator' });
    expect(kindsOf(node.receive(evaluate()))).toEqual(['evaluate']);
    expect(node.receive(evaluate())).toEqual([]);
    const reported = node.input({ type: 'evaluated', ...place, result });
    expect(kindsOf(reported)).toEqual(['send evaluation', 'emit evaluated']);
    expect(node.receive(evaluate())).toEqual(reported.slice(0, 1));
    validate(ClientMessage, messagesOf(reported)[0], 'evaluation');
  });

  test('rounds do not overtake each other', () => {
    const node = nodeWith({ role: 'evaluator' });
    node.receive(evaluate());
    node.receive(evaluate({ round: 2, model: hash('next') }));
    expect(kindsOf(node.input({ type: 'evaluated', ...place, result }))).toContain('send evaluation');
  });

  test('what an evaluator was asked about is reported even when the run is over by then', () => {
    const node = nodeWith({ role: 'evaluator' });
    node.receive(evaluate());
    node.receive({ type: 'run-ended', run: RUN, status: 'done', reason: '' });
    expect(kindsOf(node.input({ type: 'evaluated', ...place, result }))).toContain('send evaluation');
  });

  test('an evaluation that failed is tried again when asked again', () => {
    const node = nodeWith({ role: 'evaluator' });
    node.receive(evaluate());
    node.input({
      type: 'evaluation-failed',
      ...place,
      error: new TributaryError('unavailable', 'no download'),
    });
    expect(kindsOf(node.receive(evaluate()))).toEqual(['evaluate']);
  });

  test('a model that evaluates to NaN is not reported', () => {
    const node = nodeWith({ role: 'evaluator' });
    node.receive(evaluate());
    const effects = node.input({ type: 'evaluated', ...place, result: { ...result, loss: Number.NaN } });
    expect(kindsOf(effects)).toEqual(['emit warning']);
    expect(node.state.evaluations.size).toBe(0);
  });

  test('all models of a long run are reported, however many are asked for at once, and not without end', () => {
    const node = nodeWith({ role: 'evaluator' });
    for (let round = 1; round <= 1100; round++) node.receive(evaluate({ round }));
    expect(kindsOf(node.effects).filter((kind) => kind === 'evaluate')).toHaveLength(1000);
    expect(eventsOf(node.effects).at(-1)).toMatchObject({ code: 'rate-limited' });
    for (let round = 1; round <= 1000; round++) node.input({ type: 'evaluated', ...place, round, result });
    expect(messagesOf(node.effects)).toHaveLength(1000);
    expect(node.state.evaluations.size).toBe(100);
  });

  test('an evaluator trains nothing', () => {
    const node = nodeWith({ role: 'evaluator' });
    expect(sentOf(node.receive(proposal()), 'decline').code).toBe('forbidden');
    const effects = node.receive(announceMessage());
    expect(kindsOf(effects)).toEqual(['send leave', 'emit refused', 'append refused']);
    expect(sentOf(effects, 'leave')).toMatchObject({ code: 'forbidden' });
  });

  test('an evaluator whose owner lists plans evaluates no other', () => {
    const node = nodeWith({ role: 'evaluator', policy: { plans: [] } });
    expect(kindsOf(node.receive(evaluate({ plan: testPlan({ rounds: 3 }) })))).toEqual(['emit proposal']);
  });
});
