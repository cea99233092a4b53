/**
 * `Moments`: a layer that passes rows on as they are, and whose weights are sums over rows instead of parameters
 * (PROTOCOL.md 5.8). It lets partners agree on constants of standardisation with the machinery of any other plan.
 */
import type * as Core from '@tensorflow/tfjs-core';
import type * as Layers from '@tensorflow/tfjs-layers';

/** As it stands in a plan's topology, and as tfjs hands it over. */
interface RandomUniform {
  readonly className: 'RandomUniform';
  readonly config: { readonly minval: number; readonly maxval: number; readonly seed: number | null };
}

interface MomentsConfig {
  readonly rows?: number;
  readonly countInitializer?: RandomUniform;
  readonly sumInitializer?: RandomUniform;
  readonly sumOfSquaresInitializer?: RandomUniform;
}

/** Half the width of the initial weights: next to sums near 1 it costs no digit of float32. */
const SPREAD = 1e-3;
/** `sum_of_squares` is what `sumOfSquares` becomes in a topology. */
const INITIALIZERS = ['countInitializer', 'sumInitializer', 'sumOfSquaresInitializer'] as const;

/**
 * Initial weights are random, from the plan's seed, and subtracted again from what is published: a node sits out where
 * it sees base weights a second time (6.8), and with zeros every `Moments` model of a width would be the same one.
 */
export function momentsLayer({ serialization }: typeof Core, tfl: typeof Layers) {
  type Input = Parameters<InstanceType<typeof tfl.layers.Layer>['call']>[0];

  class Moments extends tfl.layers.Layer {
    static readonly className = 'Moments';
    /** What one unit of the weights stands for. */
    readonly rows: number;
    readonly initial: RandomUniform[];

    constructor(config: MomentsConfig) {
      super(config as ConstructorParameters<typeof tfl.layers.Layer>[0]);
      this.rows = config.rows ?? 1;
      if (!Number.isInteger(this.rows) || this.rows < 1)
        throw new Error(`rows of a Moments layer is a whole number from 1, not ${this.rows}`);
      this.initial = INITIALIZERS.map((key) => config[key] ?? uniform());
    }

    override build(inputShape: Layers.Shape | Layers.Shape[]): void {
      const columns = (inputShape as Layers.Shape).at(-1) as number;
      const add = (name: string, shape: number[], { config }: RandomUniform) => {
        const { seed, ...range } = config;
        const initializer = tfl.initializers.randomUniform(seed === null ? range : { ...range, seed });
        this.addWeight(name, shape, 'float32', initializer, undefined, false);
      };
      add('count', [1], this.initial[0]!);
      add('sum', [columns], this.initial[1]!);
      add('sum_of_squares', [columns], this.initial[2]!);
      this.built = true;
    }

    override call(inputs: Input): ReturnType<InstanceType<typeof tfl.layers.Layer>['call']> {
      return Array.isArray(inputs) ? inputs[0]! : inputs;
    }

    override computeOutputShape(inputShape: Layers.Shape | Layers.Shape[]): Layers.Shape | Layers.Shape[] {
      return inputShape;
    }

    override getConfig() {
      const initial = INITIALIZERS.map((key, index) => [key, this.initial[index]!]);
      return { ...super.getConfig(), rows: this.rows, ...Object.fromEntries(initial) };
    }
  }
  serialization.registerClass(Moments as Parameters<typeof serialization.registerClass>[0]);
}

function uniform(): RandomUniform {
  return { className: 'RandomUniform', config: { minval: -SPREAD, maxval: SPREAD, seed: null } };
}
