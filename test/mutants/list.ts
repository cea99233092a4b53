import { ACCESS } from './list/access.ts';
import { AGGREGATION } from './list/aggregation.ts';
import { AT_REST } from './list/at-rest.ts';
import { DURABILITY } from './list/durability.ts';
import { NODE } from './list/node.ts';
import { KEYS } from './list/rotation.ts';
import { ROUND } from './list/round.ts';
import type { Mutant } from './mutant.ts';

export const MUTANTS: readonly Mutant[] = [
  ...AGGREGATION,
  ...ROUND,
  ...NODE,
  ...DURABILITY,
  ...AT_REST,
  ...ACCESS,
  ...KEYS,
];
