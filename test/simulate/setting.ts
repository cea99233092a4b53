/** Who takes part in what: follows from the seed. */
import {
  type Crypto,
  type Identity,
  identityFromSeed,
  type Plan,
  parsePlan,
  planHash,
} from '@tributary/protocol';
import { nodeCrypto } from '@tributary/protocol/node';
import { createRememberingCrypto } from './crypto.ts';
import { createDice } from './dice.ts';

export interface Setting {
  readonly seed: number;
  /** Partners. */
  readonly nodes: readonly Identity[];
  /** Partners, and behind them the evaluators. */
  readonly everybody: readonly Identity[];
  readonly coordinator: Identity;
  readonly plan: Plan;
  readonly planHash: string;
  readonly parameters: number;
  readonly random: (bytes: number) => Uint8Array;
  readonly crypto: Crypto;
}

export function drawSetting(seed: number): Setting {
  const dice = createDice(`setting ${seed}`);
  const count = 3 + dice.below(6);
  const parameters = 1 + dice.below(64);
  const min = Math.max(3, count - dice.below(3));
  const plan = parsePlan({
    name: 'simulated',
    model: { topology: { class_name: 'Sequential', config: { layers: [] } } },
    features: { kind: 'image', height: 1, width: 1, channels: 1, classes: ['a', 'b'] },
    training: { optimizer: { name: 'sgd', learningRate: 0.1 }, loss: 'sparseCategoricalCrossentropy' },
    aggregation: { clip: 10, coordinateBound: 1, weightCap: 1000 },
    cohort: { min },
    rounds: 1 + dice.below(3),
    timing: { patience: 4, grace: 1, maximum: 15 },
  });
  const evaluators = dice.chance(0.3) ? 1 + dice.below(2) : 0;
  const identity = (): Identity => identityFromSeed(nodeCrypto, dice.bytes(32));
  const nodes = Array.from({ length: count }, identity);
  const secrets = createDice(`secrets ${seed}`);
  return {
    seed,
    nodes,
    everybody: [...nodes, ...Array.from({ length: evaluators }, identity)],
    coordinator: identity(),
    plan,
    planHash: planHash(nodeCrypto, plan),
    parameters,
    random: secrets.bytes,
    crypto: createRememberingCrypto(),
  };
}
