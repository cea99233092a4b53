/** `tributary data split digits`: real digits as IDX files. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DataSource } from './dataset.ts';
import { DIGIT_SIDE, type DigitSet, loadDigits, pickDigits } from './digits.ts';
import { digitsPlan } from './digits-plan.ts';
import { writeIdx } from './idx.ts';
import { deal, type SampleRows, type SplitManifest, type SplitOptions } from './samples/deal.ts';
import { libraryYaml, requirePlan } from './samples/plan-library.ts';
import { planYaml } from './templates.ts';

/** @throws malformed, cohort-too-large, conflict, data-invalid, not-found */
export async function splitDigits(options: SplitOptions): Promise<SplitManifest> {
  const { partners, seed = 1 } = options;
  const plan = options.plan === undefined ? undefined : requirePlan(options.plan, 'digits');
  const load = async () => {
    const { train, test } = await loadDigits();
    return { classes: [...'0123456789'], train: digitRows(train), test: digitRows(test) };
  };
  return deal(options, load, (largest) =>
    plan ? libraryYaml(plan, { partners, seed, largest }) : planYaml(digitsPlan({ partners, seed, largest })),
  );
}

function digitRows(set: DigitSet): SampleRows {
  return {
    labels: set.labels,
    async write(folder, name, which): Promise<DataSource> {
      const { rows, images, labels } = pickDigits(set, which);
      const files = { images: `${name}-images.idx3-ubyte`, labels: `${name}-labels.idx1-ubyte` };
      const values = writeIdx({ shape: [rows, DIGIT_SIDE, DIGIT_SIDE], values: images });
      await writeFile(join(folder, files.images), values);
      await writeFile(join(folder, files.labels), writeIdx({ shape: [rows], values: labels }));
      return { kind: 'idx', ...files };
    },
  };
}
