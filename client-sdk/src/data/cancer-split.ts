/** `tributary data split cancer`: real measures dealt to simulated partners as CSV files. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type CancerRows, DIAGNOSES, loadCancer, pickRows } from './cancer.ts';
import { cancerPlan } from './cancer-plan.ts';
import { describePartition, type PartitionManifest } from './partition/manifest.ts';
import { partition } from './partition/partition.ts';
import { seededRandom } from './partition/random.ts';
import { checkPartners, requireFree, type SplitOptions } from './split.ts';
import { nodeYaml, planYaml } from './templates.ts';

/**
 * Writes `partner-1` ... `partner-N`, `evaluator`, `plan.yaml` and `manifest.json`.
 * @throws malformed, cohort-too-large, conflict, data-invalid
 */
export async function splitCancer(options: SplitOptions): Promise<PartitionManifest> {
  const { partners, out, partition: scheme = { kind: 'iid' }, seed = 1, force = false } = options;
  checkPartners(partners);
  await requireFree(out, partners, force);
  const { header, train, test } = await loadCancer();
  const parts = partition(scheme, train.labels, partners, seededRandom(seed));
  const manifest = describePartition(scheme, seed, parts, train.labels, DIAGNOSES.length);
  const write = async (name: string, file: string, { lines }: CancerRows, minRoster: number | null) => {
    const folder = join(out, name);
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, file), `${[header, ...lines].join('\n')}\n`);
    const data = { kind: 'csv', path: file } as const;
    await writeFile(join(folder, 'node.yaml'), nodeYaml({ name, data, minRoster }));
  };
  for (const [i, rows] of parts.entries())
    await write(`partner-${i + 1}`, 'train.csv', pickRows(train, rows), Math.min(5, partners));
  await write('evaluator', 'test.csv', test, null);
  await writeFile(join(out, 'plan.yaml'), planYaml(cancerPlan({ partners, seed })));
  await writeFile(join(out, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  return manifest;
}
