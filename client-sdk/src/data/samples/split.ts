/** `tributary data split weather|speeches|emoji`: data for the plans of the library. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DataSource } from '../dataset.ts';
import { csvRows } from './csv-lines.ts';
import { deal, type SampleRows, type SplitManifest, type SplitOptions } from './deal.ts';
import { type EmojiSet, emojiIdx, loadEmoji, PAIR, pickEmoji, SUBJECTS } from './emoji.ts';
import { libraryYaml, requirePlan } from './plan-library.ts';
import { ERAS, loadSpeeches } from './speeches.ts';
import { loadWeather, PLACES, stretches } from './weather.ts';

/** @throws malformed, cohort-too-large, conflict, data-invalid, not-found */
export async function splitSpeeches(options: SplitOptions): Promise<SplitManifest> {
  const { partners, seed = 1, plan: name = 'embedding-classifier' } = options;
  const plan = requirePlan(name, 'speeches');
  const load = async () => {
    const { train, test } = await loadSpeeches();
    return { classes: ERAS, train: csvRows(train), test: csvRows(test) };
  };
  return deal(options, load, (largest) => libraryYaml(plan, { partners, seed, largest }));
}

/** @throws malformed, cohort-too-large, conflict, data-invalid, not-found */
export async function splitWeather(options: SplitOptions): Promise<SplitManifest> {
  const { partners, seed = 1, plan: name = 'lstm-forecaster' } = options;
  const plan = requirePlan(name, 'weather');
  const load = async () => {
    const { train, test } = await loadWeather();
    const dealt = (count: number) => stretches(train.labels, count);
    return { classes: PLACES, train: csvRows(train), test: csvRows(test), dealt };
  };
  return deal(options, load, (largest) => libraryYaml(plan, { partners, seed, largest }));
}

/** @throws malformed, cohort-too-large, conflict, data-invalid, not-found */
export async function splitEmoji(options: SplitOptions): Promise<SplitManifest> {
  const { partners, seed = 1, plan: name = 'cnn-32' } = options;
  const plan = requirePlan(name, 'emoji');
  const load = async () => {
    const pair = plan === 'cnn-64';
    const { train, test } = await loadEmoji(pair ? 'pair-64' : 'all-32');
    return { classes: pair ? PAIR : SUBJECTS, train: emojiRows(train), test: emojiRows(test) };
  };
  return deal(options, load, (largest) => libraryYaml(plan, { partners, seed, largest }));
}

function emojiRows(set: EmojiSet): SampleRows {
  return {
    labels: set.labels,
    async write(folder, name, which): Promise<DataSource> {
      const files = { images: `${name}-images.idx4-ubyte`, labels: `${name}-labels.idx1-ubyte` };
      const { images, labels } = emojiIdx(pickEmoji(set, which));
      await writeFile(join(folder, files.images), images);
      await writeFile(join(folder, files.labels), labels);
      return { kind: 'idx', ...files };
    },
  };
}
