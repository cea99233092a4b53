/** Deals a labelled data set to simulated partners, with all files that a run by hand needs. */
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FLOORS, LIMITS, TributaryError } from '@tributary/protocol';
import type { DataSource } from '../dataset.ts';
import { describePartition, type PartitionManifest } from '../partition/manifest.ts';
import { formatPartition, type PartitionScheme, partition } from '../partition/partition.ts';
import { seededRandom } from '../partition/random.ts';
import { nodeYaml } from '../templates.ts';

export interface SplitOptions {
  readonly partners: number;
  /** Folder to write; made when it does not exist. */
  readonly out: string;
  readonly partition?: PartitionScheme;
  readonly seed?: number;
  /** A plan of the library (client-sdk/plans) in place of the data set's own. */
  readonly plan?: string | undefined;
  /** Write into a folder that holds something, replacing files of the same names. */
  readonly force?: boolean;
}

export interface SampleRows {
  /** Class of each row: what partitions look at, and manifests count. */
  readonly labels: ArrayLike<number>;
  /** Writes the rows that `rows` names as files that begin with `name`; returns what `data:` in node.yaml says. */
  write(folder: string, name: string, rows: readonly number[]): Promise<DataSource>;
}

export interface Sample {
  /** What `labels` count in: classes of the plan, or the groups of a series. */
  readonly classes: readonly string[];
  readonly train: SampleRows;
  readonly test: SampleRows;
  /** Rows in time order are dealt in one piece, not by a partition. */
  readonly dealt?: (partners: number) => number[][];
}

export interface SplitManifest extends PartitionManifest {
  readonly classes: readonly string[];
}

/**
 * Writes `partner-1` ... `partner-N`, `evaluator`, `plan.yaml` and `manifest.json`.
 * @param planText plan.yaml, given the rows of the partner that has most of them
 * @throws malformed, cohort-too-large, conflict, data-invalid
 */
export async function deal(
  options: SplitOptions,
  load: () => Promise<Sample>,
  planText: (largest: number) => string | Promise<string>,
): Promise<SplitManifest> {
  const { partners, out, partition: scheme = { kind: 'iid' }, seed = 1, force = false } = options;
  checkPartners(partners);
  await requireFree(out, partners, force);
  const { classes, train, test, dealt } = await load();
  if (dealt && scheme.kind !== 'iid')
    throw new TributaryError('malformed', `${formatPartition(scheme)} would tear a series apart.`, {
      remedy: 'Leave --partition out: each partner gets a stretch of time.',
    });
  const parts = dealt?.(partners) ?? partition(scheme, train.labels, partners, seededRandom(seed));
  const described = describePartition(scheme, seed, parts, train.labels, classes.length);
  const manifest = { classes, ...described, ...(dealt && { scheme: 'time' }) };
  const write = async (name: string, set: string, rows: SampleRows, which: readonly number[]) => {
    const folder = join(out, name);
    await mkdir(folder, { recursive: true });
    const data = await rows.write(folder, set, which);
    const minRoster = set === 'train' ? Math.min(5, partners) : null;
    await writeFile(join(folder, 'node.yaml'), nodeYaml({ name, data, minRoster }));
  };
  for (const [i, rows] of parts.entries()) await write(`partner-${i + 1}`, 'train', train, rows);
  await write(
    'evaluator',
    'test',
    test,
    Array.from({ length: test.labels.length }, (_, row) => row),
  );
  const largest = Math.max(...manifest.partners.map(({ rows }) => rows));
  await writeFile(join(out, 'plan.yaml'), await planText(largest));
  await writeFile(join(out, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  return manifest;
}

function checkPartners(partners: number): void {
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
async function requireFree(out: string, partners: number, force: boolean): Promise<void> {
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
