/**
 * Which columns, pixels or words enter a model, and with which constants: declared in the plan, applied at every
 * partner alike (PROTOCOL.md 5.4).
 */
import { type Static, Type } from '@tributary/protocol/typebox';
import { Closed } from './schema.ts';

const ColumnName = Type.String({ minLength: 1, maxLength: 200 });
const Finite = Type.Number({ minimum: -1e15, maximum: 1e15 });

/** One input column. Missing or unreadable cells are a typed error unless `missing` gives the value to use. */
export const Column = Closed({
  name: ColumnName,
  transform: Type.Union([
    Closed({ kind: Type.Literal('identity') }),
    /** (x - mean) / std */
    Closed({ kind: Type.Literal('standardise'), mean: Finite, std: Type.Number({ exclusiveMinimum: 0 }) }),
    /** (x - min) / (max - min), not clamped */
    Closed({ kind: Type.Literal('minmax'), min: Finite, max: Finite }),
    /** log(1 + x); x > -1 */
    Closed({ kind: Type.Literal('log1p') }),
    /** One output per category; an unknown category is an error unless `other` adds a last output for it. */
    Closed({
      kind: Type.Literal('onehot'),
      categories: Type.Array(Type.String({ maxLength: 200 }), {
        minItems: 1,
        maxItems: 1000,
        uniqueItems: true,
      }),
      other: Type.Boolean({ default: false }),
    }),
  ]),
  missing: Type.Optional(Type.Union([Finite, Type.String({ maxLength: 200 })])),
});

const Classes = (name: object) =>
  Type.Array(Type.String({ ...name, maxLength: 200 }), { minItems: 2, maxItems: 10_000, uniqueItems: true });
const Columns = Type.Array(Column, { minItems: 1, maxItems: 10_000 });

const ClassLabel = Closed({ name: ColumnName, kind: Type.Literal('class'), classes: Classes({}) });
/** Autoencoders: what is to be predicted are the transformed features themselves. */
const FeaturesLabel = Closed({ kind: Type.Literal('features') });

const Image = Closed({
  kind: Type.Literal('image'),
  height: Type.Integer({ minimum: 1, maximum: 4096 }),
  width: Type.Integer({ minimum: 1, maximum: 4096 }),
  channels: Type.Enum([1, 3]),
  /** Pixel bytes 0..255 become (byte * scale - mean) / std, per channel. */
  scale: Type.Number({ exclusiveMinimum: 0, default: 1 / 255 }),
  mean: Type.Number({ default: 0 }),
  std: Type.Number({ exclusiveMinimum: 0, default: 1 }),
  /** Class names in label order: folders of images by name, IDX labels by index. */
  classes: Classes({ minLength: 1 }),
  /** Missing: the class. */
  label: Type.Optional(FeaturesLabel),
});

const Table = Closed({
  kind: Type.Literal('table'),
  columns: Columns,
  label: Type.Union([
    ClassLabel,
    /** (y - mean) / std; missing: 0 and 1. No defaults, or plans without them would change their hash. */
    Closed({
      name: ColumnName,
      kind: Type.Literal('number'),
      mean: Type.Optional(Finite),
      std: Type.Optional(Type.Number({ exclusiveMinimum: 0 })),
    }),
    FeaturesLabel,
  ]),
});

/** Rows in time order; one example is a window of consecutive rows, and what a column says some rows later. */
const Series = Closed({
  kind: Type.Literal('series'),
  columns: Columns,
  /** Rows of one example. Recurrent layers take them one by one: beyond this nothing trains. */
  window: Type.Integer({ minimum: 1, maximum: 10_000 }),
  /** How many rows after the last one of its window a label stands. */
  horizon: Type.Integer({ minimum: 1, maximum: 100_000 }),
  /** A window begins every so many rows. */
  stride: Type.Integer({ minimum: 1, maximum: 100_000, default: 1 }),
  /** Column whose cells tell one series from the other: no window crosses from one to the next. */
  group: Type.Optional(ColumnName),
  /** (y - mean) / std */
  label: Closed({
    name: ColumnName,
    kind: Type.Literal('number'),
    mean: Type.Number({ minimum: -1e15, maximum: 1e15, default: 0 }),
    std: Type.Number({ exclusiveMinimum: 0, default: 1 }),
  }),
});

/** One column of words, each hashed to one of `buckets` ids: no vocabulary has to be agreed, or gives rows away. */
const Text = Closed({
  kind: Type.Literal('text'),
  column: ColumnName,
  /** Words of one example: longer ones are cut, shorter ones padded with 0 at the end. */
  length: Type.Integer({ minimum: 1, maximum: 10_000 }),
  /** An embedding has buckets + 1 rows, all of which travel in every round. */
  buckets: Type.Integer({ minimum: 1, maximum: 1_000_000 }),
  label: ClassLabel,
});

export const Features = Type.Union([Image, Table, Series, Text]);

export type Features = Static<typeof Features>;
export type Column = Static<typeof Column>;

/** What a model of these features predicts. */
export type Target =
  | { readonly kind: 'class'; readonly classes: readonly string[] }
  | { readonly kind: 'number' }
  | { readonly kind: 'features' };

export function targetOf(features: Features): Target {
  if (features.kind === 'image') return features.label ?? { kind: 'class', classes: features.classes };
  return features.label;
}

/** What the schema cannot say (PROTOCOL.md 5.2). @returns the fault in words, or undefined */
export function featuresFault(features: Features): string | undefined {
  if (features.kind !== 'table' && features.kind !== 'series') return undefined;
  const names = features.columns.map((column) => column.name);
  if (new Set(names).size < names.length) return 'features.columns names a column twice';
  if (features.kind === 'series' && features.group === features.label.name)
    return `features.group and features.label are both column ${JSON.stringify(features.group)}`;
  return undefined;
}
