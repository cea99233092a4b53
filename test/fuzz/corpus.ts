/** Inputs that are kept: what once was a fault, and what is worth trying first. One JSON file for each target. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Json } from './target.ts';

export interface Kept {
  readonly target: string;
  readonly why: string;
  readonly input: Json;
}

/** Beside the sources; the build knows no JSON. */
const FOLDER = [join(import.meta.dirname, 'corpus'), join(import.meta.dirname, '../../fuzz/corpus')].find(
  existsSync,
);

export function readCorpus(): readonly Kept[] {
  if (FOLDER === undefined) throw new Error('test/fuzz/corpus is missing.');
  return readdirSync(FOLDER)
    .filter((name) => name.endsWith('.json'))
    .sort()
    .flatMap((name) => {
      const kept: { why: string; input: Json }[] = JSON.parse(readFileSync(join(FOLDER, name), 'utf8'));
      return kept.map((one) => ({ ...one, target: name.replace(/\.json$/, '') }));
    });
}
