/** What somebody may put into a topology to hang a node or an operator's command line, or to get around its checks. */
import { parsePlan, TributaryError } from '@tributary/protocol';
import { describe, expect, test } from 'vitest';
import { planOf, sequential, tableFeatures } from '../test-plans.ts';
import { buildModel, prepareTopology } from './topology.ts';

const two = { batch_input_shape: [null, 2] };
const output: [string, object] = ['Dense', { name: 'out', units: 1 }];
const planWith = (topology: unknown) =>
  planOf({
    topology,
    features: tableFeatures(2, { kind: 'number' }),
    training: { loss: 'meanSquaredError', metrics: [] },
  });

const cases: [string, unknown, RegExp][] = [
  [
    'more parameters than the limit, before they are allocated',
    sequential(['Dense', { ...two, name: 'wide', units: 300_000_000 }], output),
    /"wide".*600000000.*parameters.*limit is 500000000/,
  ],
  [
    'gigantic values between layers',
    sequential(
      ['RepeatVector', { ...two, name: 'again', n: 200_000_000 }],
      ['GlobalAveragePooling1D', {}],
      output,
    ),
    /"again" gives \[200000000,2\] for one row.*limit is 100000000/,
  ],
  [
    'a setting in two spellings',
    sequential(
      ['Reshape', { ...two, target_shape: [2, 1] }],
      ['Conv1D', { name: 'c', filters: 1, kernel_size: 2, dilation_rate: 1, dilationRate: 2 }],
    ),
    /"c".*dilationRate.*twice/,
  ],
  [
    'a setting spelt as only tfjs reads it',
    sequential(
      ['Reshape', { ...two, target_shape: [2, 1] }],
      ['Conv1D', { name: 'c', filters: 1, kernel_size: 2, dilation__rate: 2 }],
    ),
    /"c".*dilation__rate/,
  ],
  [
    'a class that every object has',
    sequential(['constructor', { ...two, name: 'c' }], output),
    /no layer class/,
  ],
];

describe('refused by name, and fast', () => {
  test.each(cases)('%s', async (_, topology, message) => {
    for (const work of [
      () => buildModel(planWith(topology)),
      () => prepareTopology(planWith(topology).model.topology, 1),
    ]) {
      const refusal = await work().catch((error: unknown) => error);
      expect(refusal).toBeInstanceOf(TributaryError);
      expect(refusal).toMatchObject({ code: 'plan-invalid', message: expect.stringMatching(message) });
    }
  });

  test('a plan that is nested without end, or hides settings in a prototype', () => {
    let layers: unknown = [];
    for (let i = 0; i < 100_000; i += 1) layers = [layers];
    const plan = planWith(sequential(output));
    const given = (config: unknown) => () =>
      parsePlan({ ...plan, model: { topology: { class_name: 'Sequential', config } } });
    expect(given(layers)).toThrow(/plan: nested more than 100 deep/);
    const hidden = JSON.parse('{"layers": [{"class_name": "Dense", "config": {"__proto__": {"units": 1}}}]}');
    expect(given(hidden)).toThrow(/plan: a key is "__proto__"/);
    const cyclic: Record<string, unknown> = {};
    cyclic.layers = [cyclic];
    expect(given(cyclic)).toThrow(/nested more than 100 deep/);
  });
});
