/** Which columns or pixels enter a model, and with which constants: declared in the plan, applied at every partner alike. */
import Type, { type Static } from 'typebox';
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

export const Features = Type.Union([
  Closed({
    kind: Type.Literal('image'),
    height: Type.Integer({ minimum: 1, maximum: 4096 }),
    width: Type.Integer({ minimum: 1, maximum: 4096 }),
    channels: Type.Enum([1, 3]),
    /** Pixel bytes 0..255 become (byte * scale - mean) / std, per channel. */
    scale: Type.Number({ exclusiveMinimum: 0, default: 1 / 255 }),
    mean: Type.Number({ default: 0 }),
    std: Type.Number({ exclusiveMinimum: 0, default: 1 }),
    /** Class names in label order: folders of images by name, IDX labels by index. */
    classes: Type.Array(Type.String({ minLength: 1, maxLength: 200 }), {
      minItems: 2,
      maxItems: 10_000,
      uniqueItems: true,
    }),
  }),
  Closed({
    kind: Type.Literal('table'),
    columns: Type.Array(Column, { minItems: 1, maxItems: 10_000 }),
    label: Type.Union([
      Closed({
        name: ColumnName,
        kind: Type.Literal('class'),
        classes: Type.Array(Type.String({ maxLength: 200 }), {
          minItems: 2,
          maxItems: 10_000,
          uniqueItems: true,
        }),
      }),
      Closed({ name: ColumnName, kind: Type.Literal('number') }),
    ]),
  }),
]);

export type Features = Static<typeof Features>;
export type Column = Static<typeof Column>;
