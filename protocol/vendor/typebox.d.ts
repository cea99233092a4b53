/** What Tributary uses of typebox. */
export type { Static, TSchema } from 'typebox';
export { default as Type } from 'typebox';
export { Value } from 'typebox/value';
