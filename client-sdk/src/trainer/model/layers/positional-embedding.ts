/**
 * `PositionalEmbedding`: from ids [batch, length] to [batch, length, output_dim], the learnt vector of each id plus the
 * learnt vector of its position (Gehring et al. 2017). With `mask_zero` positions of id 0 are padding.
 */
import type * as Core from '@tensorflow/tfjs-core';
import type * as Layers from '@tensorflow/tfjs-layers';
import {
  type InitializerConfig,
  type ReadInitializer,
  readInitializer,
  single,
  wholeNumber,
} from './parts.ts';

interface EmbeddingConfig {
  readonly inputDim: number;
  readonly outputDim: number;
  readonly inputLength: number;
  readonly maskZero?: boolean;
  readonly batchInputShape?: Layers.Shape;
  readonly embeddingsInitializer?: InitializerConfig;
  readonly positionsInitializer?: InitializerConfig;
}

const NAME = 'PositionalEmbedding';

export function positionalEmbedding(tf: typeof Core, tfl: typeof Layers): void {
  type Layer = InstanceType<typeof tfl.layers.Layer>;
  type Variable = ReturnType<Layer['addWeight']>;
  type Input = Parameters<Layer['call']>[0];
  type Shape = Layers.Shape | Layers.Shape[];

  class PositionalEmbedding extends tfl.layers.Layer {
    static readonly className = NAME;
    readonly inputDim: number;
    readonly outputDim: number;
    readonly inputLength: number;
    readonly maskZero: boolean;
    readonly embeddingsInitializer: ReadInitializer;
    readonly positionsInitializer: ReadInitializer;
    embeddings: Variable | undefined;
    positions: Variable | undefined;

    constructor(config: EmbeddingConfig) {
      const shape = config.batchInputShape ?? [null, config.inputLength];
      super({ ...config, batchInputShape: shape } as ConstructorParameters<typeof tfl.layers.Layer>[0]);
      this.inputDim = wholeNumber(NAME, 'input_dim', config.inputDim);
      this.outputDim = wholeNumber(NAME, 'output_dim', config.outputDim);
      this.inputLength = wholeNumber(NAME, 'input_length', config.inputLength);
      this.maskZero = config.maskZero ?? false;
      this.supportsMasking = this.maskZero;
      this.embeddingsInitializer = readInitializer(tfl, config.embeddingsInitializer ?? 'randomUniform');
      this.positionsInitializer = readInitializer(tfl, config.positionsInitializer ?? 'randomUniform');
    }

    override build(inputShape: Shape): void {
      const length = (inputShape as Layers.Shape)[1];
      if ((inputShape as Layers.Shape).length !== 2 || length !== this.inputLength)
        throw new Error(`layer "${this.name}" takes [${this.inputLength}] ids, not [${inputShape.slice(1)}]`);
      const add = (name: string, rows: number, { initializer }: ReadInitializer) =>
        this.addWeight(name, [rows, this.outputDim], 'float32', initializer, undefined, true);
      this.embeddings = add('embeddings', this.inputDim, this.embeddingsInitializer);
      this.positions = add('positions', this.inputLength, this.positionsInitializer);
      this.built = true;
    }

    override call(inputs: Input, kwargs: Record<string, unknown>): Core.Tensor {
      return tf.tidy(() => {
        this.invokeCallHook(inputs, kwargs);
        const ids = single(inputs);
        const flat = tf.cast(tf.reshape(ids, [ids.size]), 'int32');
        const rows = tf.gather(this.embeddings!.read(), flat as Core.Tensor1D);
        const vectors = tf.reshape(rows, [ids.shape[0]!, this.inputLength, this.outputDim]);
        return tf.add(vectors, this.positions!.read());
      });
    }

    override computeMask(inputs: Core.Tensor | Core.Tensor[]): Core.Tensor | Core.Tensor[] {
      // tfjs takes null for "no mask", which its own types leave out.
      return this.maskZero ? tf.notEqual(single(inputs), 0) : (null as unknown as Core.Tensor);
    }

    override computeOutputShape(inputShape: Shape): Shape {
      return [(inputShape as Layers.Shape)[0]!, this.inputLength, this.outputDim];
    }

    override getConfig() {
      const { inputDim, outputDim, inputLength, maskZero } = this;
      return {
        ...super.getConfig(),
        inputDim,
        outputDim,
        inputLength,
        maskZero,
        embeddingsInitializer: this.embeddingsInitializer.config as string,
        positionsInitializer: this.positionsInitializer.config as string,
      };
    }
  }
  tf.serialization.registerClass(
    PositionalEmbedding as unknown as Parameters<typeof tf.serialization.registerClass>[0],
  );
}
