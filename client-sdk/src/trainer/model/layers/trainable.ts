/**
 * Which layer classes of tfjs train: each was trained on wasm, its gradients compared with the cpu backend's. Anything
 * else is refused when a plan is submitted, because a partner could only find out in the middle of a round.
 */
export const TRAINABLE_LAYERS: ReadonlySet<string> = new Set([
  // Containers
  'Sequential',
  'Functional',
  'Model',
  'InputLayer',
  // Our own
  'Moments',
  'PositionalEmbedding',
  'TransformerEncoder',
  // Core and activations
  'Activation',
  'Dense',
  'Dropout',
  'ELU',
  'Embedding',
  'Flatten',
  'LeakyReLU',
  'Masking',
  'Permute',
  'PReLU',
  'ReLU',
  'RepeatVector',
  'Rescaling',
  'Reshape',
  'Softmax',
  'SpatialDropout1D',
  // Convolution and pooling
  'AveragePooling1D',
  'AveragePooling2D',
  'Conv1D',
  'Conv2D',
  'Conv2DTranspose',
  'Cropping2D',
  'DepthwiseConv2D',
  'GlobalAveragePooling1D',
  'GlobalAveragePooling2D',
  'GlobalMaxPooling1D',
  'GlobalMaxPooling2D',
  'MaxPooling1D',
  'MaxPooling2D',
  'SeparableConv2D',
  'UpSampling2D',
  'ZeroPadding2D',
  // Recurrent
  'Bidirectional',
  'ConvLSTM2D',
  'ConvLSTM2DCell',
  'GRU',
  'GRUCell',
  'LSTM',
  'LSTMCell',
  'RNN',
  'SimpleRNN',
  'SimpleRNNCell',
  'StackedRNNCells',
  'TimeDistributed',
  // Merging
  'Add',
  'Average',
  'Concatenate',
  'Dot',
  'Maximum',
  'Minimum',
  'Multiply',
  // Noise and normalisation
  'AlphaDropout',
  'BatchNormalization',
  'GaussianDropout',
  'GaussianNoise',
  'LayerNormalization',
]);

interface Refusal {
  readonly why: string;
  readonly instead: string;
}

const volume = (instead: string): Refusal => ({
  why: 'three-dimensional layers have wrong or no gradients in tfjs',
  instead,
});
const preparation = (name: string): Refusal => ({
  why: `${name} prepares data and has no gradient in tfjs`,
  instead: "Say it in the plan's features, or prepare the files.",
});
const attention: Refusal = {
  why: 'tfjs ships this layer without a gradient',
  instead:
    'Use TransformerEncoder (num_heads, ff_dim) after PositionalEmbedding (input_dim, output_dim, input_length).',
};

/** Classes that people may expect to work. */
export const REFUSED_LAYERS: Readonly<Record<string, Refusal>> = {
  Lambda: { why: 'Lambda carries code, and plans are data', instead: 'Use layers that tfjs names.' },
  ThresholdedReLU: { why: 'ThresholdedReLU has no gradient in tfjs', instead: 'Use ReLU or LeakyReLU.' },
  AveragePooling3D: volume('Use AveragePooling2D.'),
  MaxPooling3D: volume('Use MaxPooling2D.'),
  Conv3D: volume('Use Conv2D, or TimeDistributed around it.'),
  Conv3DTranspose: volume('Use Conv2DTranspose.'),
  CategoryEncoding: preparation('CategoryEncoding'),
  CenterCrop: preparation('CenterCrop'),
  RandomHeight: preparation('RandomHeight'),
  RandomWidth: preparation('RandomWidth'),
  Resizing: preparation('Resizing'),
  CachedMultiHeadAttention: attention,
  EinsumDense: { why: 'Einsum has no gradient in tfjs', instead: 'Use Dense, which works on the last axis.' },
  MultiHeadAttention: attention,
  PositionEmbedding: attention,
  TransformerDecoder: attention,
};
