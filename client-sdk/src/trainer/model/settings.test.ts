import { describe, expect, it } from 'vitest';
import { digitsPlan } from '../../data/digits-plan.ts';
import { prepareTopology } from './topology.ts';
import { layersIn, type Topology } from './topology-tree.ts';

/** The digits network with settings added to its second layer, a Dense one. */
function withSettings(settings: object): Topology {
  const topology = structuredClone(digitsPlan({ partners: 3 }).model.topology);
  Object.assign(layersIn(topology)[1]!.config, settings);
  return topology;
}

describe('a setting that a layer does not know', () => {
  it.each([
    [
      { kernel_initialiser: 'zeros' },
      'has no setting kernel_initialiser',
      'Did you mean kernel_initializer?',
    ],
    [{ usebias: false }, 'has no setting usebias', 'Did you mean use_bias?'],
    [{ dropout: 0.5 }, 'has no setting dropout', 'It has units, activation'],
    [{ groups: 2 }, 'has no setting groups', 'It has units'],
  ])('is refused with layer and remedy: %j', async (settings, message, remedy) => {
    await expect(prepareTopology(withSettings(settings), 1)).rejects.toMatchObject({
      code: 'plan-invalid',
      message: expect.stringMatching(new RegExp(`layer "dense_1": Dense ${message}`)),
      remedy: expect.stringContaining(remedy),
    });
  });

  it('passes where Keras writes it and it is off; so do all that the layer reads', async () => {
    const settings = {
      quantization_config: null,
      groups: 1,
      threshold: 0,
      kernelConstraint: null,
      input_dim: 784,
    };
    await expect(prepareTopology(withSettings(settings), 1)).resolves.toBeTruthy();
  });
});
