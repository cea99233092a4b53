/** `tributary data split digits`: real digits dealt to simulated partners, with all files that a run by hand needs. */
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FLOORS, LIMITS, TributaryError } from '@tributary/protocol';
import { DIGIT_SIDE, type DigitSet, loadDigits, pickDigits } from './digits.ts';
import { digitsPlan } from './digits-plan.ts';
import { writeIdx } from './idx.ts';
import { describePartition, type PartitionManifest } from './partition/manifest.ts';
import { type PartitionScheme, partition } from './partition/partition.ts';
import { seededRandom } from './partition/random.ts';
import { nodeYaml, planYaml } from './templates.ts';

export interface SplitOptions {
  readonly partners: number;
  /** Folder to write; made when it does not exist. */
  readonly out: string;
  readonly partition?: PartitionScheme;
  readonly seed?: number;
  /** Write into a folder that holds something, replacing files of the same names. */
  readonly force?: boolean;
}

/**
 * Writes `partner-1` ... `partner-N`, `evaluator`, `plan.yaml` and `manifest.json`.
 * @throws malformed, cohort-too-large, conflict, data-invalid
 */
export async function splitDigits(options: SplitOptions): Promise<PartitionManifest> {
  const { partners, out, partition: scheme = { kind: 'iid' }, seed = 1, force = false } = options;
  checkPartners(partners);
  await requireFree(out, partners, force);
  const { train, test } = await loadDigits();
  const parts = partition(scheme, train.labels, partners, seededRandom(seed));
  const manifest = describePartition(scheme, seed, parts, train.labels, 10);
  const minRoster = Math.min(5, partners);
  for (const [i, rows] of parts.entries())
    await writeNode(out, `partner-${i + 1}`, 'train', pickDigits(train, rows), minRoster);
  await writeNode(out, 'evaluator', 'test', test, null);
  const largest = Math.max(...manifest.partners.map((partner) => partner.rows));
  await writeFile(join(out, 'plan.yaml'), planYaml(digitsPlan({ partners, seed, largest })));
  await writeFile(join(out, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  return manifest;
}

async function writeNode(out: string, name: string, set: string, digits: DigitSet, minRoster: number | null) {
  const folder = join(out, name);
  const images = `${set}-images.idx3-ubyte`;
  const labels = `${set}-labels.idx1-ubyte`;
  await mkdir(folder, { recursive: true });
  const { rows } = digits;
  await writeFile(
    join(folder, images),
    writeIdx({ shape: [rows, DIGIT_SIDE, DIGIT_SIDE], values: digits.images }),
  );
  await writeFile(join(folder, labels), writeIdx({ shape: [rows], values: digits.labels }));
  await writeFile(
    join(folder, 'node.yaml'),
    nodeYaml({ name, data: { kind: 'idx', images, labels }, minRoster }),
  );
}

export function checkPartners(partners: number): void {
  if (!Number.isInteger(partners) || partners < FLOORS.members)
    throw new TributaryError(
      'malformed',
      `${partners} partners are too few: with two, the sum tells each of them the other's update.`,
      { remedy: `Take at least ${FLOORS.members}; 5 and more survive a drop-out.` },
    );
  if (partners > LIMITS.cohort)
    throw new TributaryError(
      'cohort-too-large',
      `${partners} partners, the limit of one cohort is ${LIMITS.cohort}.`,
      { remedy: `Take ${LIMITS.cohort} or fewer.` },
    );
}

/** Partners left over from a larger split would train on rows that this one deals to others: not even `force` mixes. */
export async function requireFree(out: string, partners: number, force: boolean): Promise<void> {
  const found = await readdir(out).catch((thrown: NodeJS.ErrnoException) => {
    if (thrown.code === 'ENOENT') return [];
    throw new TributaryError('storage-failed', `${out} cannot be used as a folder (${thrown.code}).`);
  });
  if (found.length > 0 && !force)
    throw new TributaryError('conflict', `${out} is not empty.`, {
      remedy: 'Choose another folder, or pass --force to replace the files in it.',
    });
  const left = found.find((name) => Number(/^partner-(\d+)$/.exec(name)?.[1]) > partners);
  if (left)
    throw new TributaryError('conflict', `${join(out, left)} belongs to a split with more partners.`, {
      remedy: 'Delete it, or choose another folder.',
    });
}
