/** Settings of single layers with which training would fail or go wrong. */
import { REFUSED_LAYERS, TRAINABLE_LAYERS } from './trainable.ts';

interface Settings {
  readonly [key: string]: unknown;
}

/** tfjs reads keys of a topology in either spelling. */
function setting(config: Settings, name: string): unknown {
  return config[name] ?? config[name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())];
}

interface LayerRefusal {
  readonly why: string;
  readonly instead?: string;
}

/** undefined when nothing is known against the layer. `first` tells that nothing but inputs comes before it. */
export function refusalOf(className: string, config: Settings, first: boolean): LayerRefusal | undefined {
  if (Object.hasOwn(REFUSED_LAYERS, className)) return REFUSED_LAYERS[className];
  if (!TRAINABLE_LAYERS.has(className))
    return {
      why: `there is no layer class ${className} that is known to train`,
      instead: `Use one of ${[...TRAINABLE_LAYERS].join(', ')}.`,
    };
  const number = wrongNumber(config);
  if (number) return { why: number };
  const dilation = setting(config, 'dilation_rate');
  if ([dilation].flat().some((rate) => Number(rate ?? 1) > 1))
    return {
      why: `dilation_rate ${JSON.stringify(dilation)} has no gradient in tfjs`,
      instead: 'Use larger strides, pooling or a larger kernel_size.',
    };
  if (setting(config, 'stateful') === true)
    return {
      why: 'stateful carries state from one batch into the next, and rows here are shuffled',
      instead: 'Leave it out; put what belongs together into one row.',
    };
  if (setting(config, 'reset_after') === true)
    return { why: 'reset_after is not in tfjs', instead: 'Leave it out.' };
  if (setting(config, 'padding') === 'causal')
    return { why: 'padding causal is not in tfjs', instead: 'Use padding same or valid.' };
  if (className === 'SeparableConv2D' && /first/i.test(String(setting(config, 'data_format'))))
    return {
      why: 'channels first do not work with SeparableConv2D in tfjs',
      instead: 'Leave data_format out: images here are [height, width, channels].',
    };
  if (className === 'Masking' && !first)
    return {
      why: 'Masking has no gradient in tfjs, so that nothing before it would train',
      instead: 'Put it first, or use mask_zero of an embedding.',
    };
  if (/Dropout|Noise/.test(className) && (setting(config, 'seed') ?? null) !== null)
    return { why: 'a seed would repeat the same mask at every step', instead: 'Leave the seed out.' };
  return undefined;
}

/** Settings that count something, once or for each axis. Layers have their own defaults for those that are left out. */
const COUNTS = [
  'units',
  'filters',
  'depth_multiplier',
  'kernel_size',
  'pool_size',
  'strides',
  'dilation_rate',
  'size',
  'n',
  'input_dim',
  'output_dim',
];
const DROPPED_SHARES = ['rate', 'dropout', 'recurrent_dropout'];

/** tfjs takes many of these as they are: strides of 1.5 give wrong sizes, and a rate of 2 means 1, where nothing is left. */
function wrongNumber(config: Settings): string | undefined {
  for (const name of COUNTS) {
    const given = setting(config, name) ?? 1;
    if (![given].flat().every((count) => Number.isSafeInteger(count) && (count as number) > 0))
      return `${name} must be ${Array.isArray(given) ? 'whole numbers' : 'a whole number'} from 1, got ${JSON.stringify(given)}`;
  }
  for (const name of DROPPED_SHARES) {
    const given = setting(config, name) ?? 0;
    if (typeof given !== 'number' || !(given >= 0 && given < 1))
      return `${name} must be a share from 0 to below 1, got ${JSON.stringify(given)}`;
  }
  return undefined;
}
