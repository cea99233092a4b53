/** The plans that ship in client-sdk/plans, each made for a data set that `tributary data split` deals. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { TributaryError } from '@tributary/protocol';
import { weightCapFor } from '../digits-plan.ts';

export const LIBRARY = {
  'digits-2nn': 'digits',
  autoencoder: 'digits',
  'logistic-regression': 'cancer',
  'lstm-forecaster': 'weather',
  'gru-forecaster': 'weather',
  'embedding-classifier': 'speeches',
  'transformer-encoder': 'speeches',
  'cnn-32': 'emoji',
  'cnn-64': 'emoji',
} as const;

export type LibraryPlan = keyof typeof LIBRARY;
export type SampleName = (typeof LIBRARY)[LibraryPlan];

/** Where the plan's commented YAML file is. */
export function libraryPath(plan: LibraryPlan): string {
  return fileURLToPath(new URL(`../../../plans/${plan}.yaml`, import.meta.url));
}

function plansFor(sample: SampleName): LibraryPlan[] {
  return (Object.keys(LIBRARY) as LibraryPlan[]).filter((plan) => LIBRARY[plan] === sample);
}

/** @throws not-found unless the library has such a plan for this data */
export function requirePlan(name: string, sample: SampleName): LibraryPlan {
  const known = plansFor(sample).find((plan) => plan === name);
  if (known) return known;
  throw new TributaryError('not-found', `The library has no plan ${JSON.stringify(name)} for ${sample}.`, {
    remedy: `Take one of ${plansFor(sample).join(', ')}.`,
  });
}

export interface Simulated {
  readonly partners: number;
  readonly seed: number;
  /** Rows of the partner that has most of them. */
  readonly largest: number;
}

/** The plan's file, comments and all, with what a split decides. */
export async function libraryYaml(
  plan: LibraryPlan,
  { partners, seed, largest }: Simulated,
): Promise<string> {
  const text = await readFile(libraryPath(plan), 'utf8');
  return [
    text
      .replace(/^( {2}min: )\d+/m, `$1${partners}`)
      .replace(/^( {2}weightCap: )\d+/m, `$1${weightCapFor(largest)}`)
      .trimEnd(),
    `seed: ${seed}                    # of the initial weights; each partner's own randomness is its own\n`,
  ].join('\n');
}
