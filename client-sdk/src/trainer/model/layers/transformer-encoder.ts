/**
 * `TransformerEncoder`: one encoder block of Vaswani et al. 2017, from [batch, length, dim] to the same shape:
 * multi-head self-attention and a feed-forward net, each with dropout, a residual connection and layer normalisation.
 * Positions that a layer before it masks (`mask_zero`) are not attended to.
 */
import type * as Core from '@tensorflow/tfjs-core';
import type * as Layers from '@tensorflow/tfjs-layers';
import {
  dropout,
  gelu,
  type InitializerConfig,
  normalise,
  type ReadInitializer,
  readInitializer,
  single,
  wholeNumber,
} from './parts.ts';

interface EncoderConfig {
  readonly numHeads: number;
  readonly ffDim: number;
  readonly dropout?: number;
  readonly activation?: 'relu' | 'gelu';
  /** Normalise before each part instead of after it (Xiong et al. 2020): deep stacks train without a warm-up. */
  readonly normFirst?: boolean;
  readonly epsilon?: number;
  readonly attentionInitializer?: InitializerConfig;
  readonly projectionInitializer?: InitializerConfig;
  readonly expandInitializer?: InitializerConfig;
  readonly contractInitializer?: InitializerConfig;
}

const NAME = 'TransformerEncoder';
/** Added to the score of a masked position: its share becomes 0 in float32. */
const MASKED = -1e9;
const KERNELS = ['attention', 'projection', 'expand', 'contract'] as const;
type Kernel = (typeof KERNELS)[number];

export function transformerEncoder(tf: typeof Core, tfl: typeof Layers): void {
  type Layer = InstanceType<typeof tfl.layers.Layer>;
  type Variable = ReturnType<Layer['addWeight']>;
  type Input = Parameters<Layer['call']>[0];
  type Shape = Layers.Shape | Layers.Shape[];

  class TransformerEncoder extends tfl.layers.Layer {
    static readonly className = NAME;
    readonly numHeads: number;
    readonly ffDim: number;
    readonly dropout: number;
    readonly activation: 'relu' | 'gelu';
    readonly normFirst: boolean;
    readonly epsilon: number;
    readonly initial: Record<Kernel, ReadInitializer>;
    /** By name, as `<layer>/<name>` in the model. */
    readonly parts = new Map<string, Variable>();

    constructor(config: EncoderConfig) {
      super(config as ConstructorParameters<typeof tfl.layers.Layer>[0]);
      this.supportsMasking = true;
      this.numHeads = wholeNumber(NAME, 'num_heads', config.numHeads);
      this.ffDim = wholeNumber(NAME, 'ff_dim', config.ffDim);
      this.dropout = config.dropout ?? 0;
      if (!(this.dropout >= 0 && this.dropout < 1))
        throw new Error(`dropout of a ${NAME} layer lies from 0 to below 1, not at ${config.dropout}`);
      this.activation = config.activation ?? 'relu';
      if (this.activation !== 'relu' && this.activation !== 'gelu')
        throw new Error(`activation of a ${NAME} layer is relu or gelu, not ${String(config.activation)}`);
      this.normFirst = config.normFirst ?? false;
      this.epsilon = config.epsilon ?? 1e-6;
      const read = (name: Kernel) => readInitializer(tfl, config[`${name}Initializer`] ?? 'glorotUniform');
      this.initial = {
        attention: read('attention'),
        projection: read('projection'),
        expand: read('expand'),
        contract: read('contract'),
      };
    }

    override build(inputShape: Shape): void {
      const shape = inputShape as Layers.Shape;
      const dim = shape.at(-1);
      if (shape.length !== 3 || !dim || dim % this.numHeads !== 0)
        throw new Error(
          `layer "${this.name}" takes [length, dim] with dim a multiple of num_heads ${this.numHeads}, not [${shape.slice(1)}]`,
        );
      const add = (name: string, size: number[], initializer: ReadInitializer['initializer']) =>
        void this.parts.set(name, this.addWeight(name, size, 'float32', initializer, undefined, true));
      const dense = (name: Kernel, inputs: number, units: number) => {
        add(`${name}_kernel`, [inputs, units], this.initial[name].initializer);
        add(`${name}_bias`, [units], tfl.initializers.zeros());
      };
      const norm = (name: string) => {
        add(`${name}_gamma`, [dim], tfl.initializers.ones());
        add(`${name}_beta`, [dim], tfl.initializers.zeros());
      };
      // Queries, keys and values side by side.
      dense('attention', dim, 3 * dim);
      dense('projection', dim, dim);
      norm('attention_norm');
      dense('expand', dim, this.ffDim);
      dense('contract', this.ffDim, dim);
      norm('output_norm');
      this.built = true;
    }

    override call(inputs: Input, kwargs: Record<string, unknown>): Core.Tensor {
      return tf.tidy(() => {
        this.invokeCallHook(inputs, kwargs);
        const given = single(inputs);
        const shape = given.shape as [number, number, number];
        const mask = kwargs.mask as Core.Tensor | undefined;
        const rate = kwargs.training ? this.dropout : 0;
        // [batch * length, dim] from here on.
        const x = tf.reshape(given, [shape[0] * shape[1], shape[2]]);
        const attended = this.residual('attention_norm', x, rate, (y) => this.attend(y, shape, mask));
        const out = this.residual('output_norm', attended, rate, (y) => this.feedForward(y));
        return tf.reshape(out, shape);
      });
    }

    private residual(
      norm: string,
      x: Core.Tensor,
      rate: number,
      part: (x: Core.Tensor) => Core.Tensor,
    ): Core.Tensor {
      const scaled = (y: Core.Tensor) =>
        tf.add(tf.mul(normalise(tf, y, this.epsilon), this.part(`${norm}_gamma`)), this.part(`${norm}_beta`));
      if (this.normFirst) return tf.add(x, dropout(tf, part(scaled(x)), rate));
      return scaled(tf.add(x, dropout(tf, part(x), rate)));
    }

    private attend(x: Core.Tensor, shape: readonly number[], mask: Core.Tensor | undefined): Core.Tensor {
      const [batch, length, dim] = shape as [number, number, number];
      const width = dim / this.numHeads;
      const [kernels, biases] = ['kernel', 'bias'].map((kind) =>
        tf.split(this.part(`attention_${kind}`), 3, -1),
      );
      const heads = (which: number, perm: number[]) => {
        const y = tf.add(tf.matMul(x as Core.Tensor2D, kernels![which] as Core.Tensor2D), biases![which]!);
        return tf.transpose(tf.reshape(y, [batch, length, this.numHeads, width]), perm);
      };
      const queries = heads(0, [0, 2, 1, 3]);
      const keys = heads(1, [0, 2, 3, 1]);
      const values = heads(2, [0, 2, 1, 3]);
      const scores = tf.matMul(tf.mul(queries, 1 / Math.sqrt(width)), keys);
      const shares = tf.softmax(mask ? tf.add(scores, hide(mask, batch, length)) : scores);
      const mixed = tf.transpose(tf.matMul(shares, values), [0, 2, 1, 3]);
      return this.dense('projection', tf.reshape(mixed, [batch * length, dim]));
    }

    private feedForward(x: Core.Tensor): Core.Tensor {
      const wide = this.dense('expand', x);
      return this.dense('contract', this.activation === 'relu' ? tf.relu(wide) : gelu(tf, wide));
    }

    private dense(name: Kernel, x: Core.Tensor): Core.Tensor {
      return tf.add(tf.matMul(x as Core.Tensor2D, this.part(`${name}_kernel`)), this.part(`${name}_bias`));
    }

    private part<T extends Core.Tensor>(name: string): T {
      return this.parts.get(name)!.read() as T;
    }

    override computeOutputShape(inputShape: Shape): Shape {
      return inputShape;
    }

    override getConfig() {
      const initial = KERNELS.map((name) => [`${name}Initializer`, this.initial[name].config]);
      const { numHeads, ffDim, dropout: rate, activation, normFirst, epsilon } = this;
      return {
        ...super.getConfig(),
        numHeads,
        ffDim,
        dropout: rate,
        activation,
        normFirst,
        epsilon,
        ...Object.fromEntries(initial),
      };
    }
  }

  /** 0 where a position counts, far below 0 where it is padding: [batch, 1, 1, length]. */
  function hide(mask: Core.Tensor, batch: number, length: number): Core.Tensor {
    const padding = tf.sub(1, tf.cast(mask, 'float32'));
    return tf.mul(tf.reshape(padding, [batch, 1, 1, length]), MASKED);
  }

  tf.serialization.registerClass(
    TransformerEncoder as unknown as Parameters<typeof tf.serialization.registerClass>[0],
  );
}
