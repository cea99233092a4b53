/** node.yaml in plain words: the policy, and whether the data is where it says. */
import { access, constants, open, readdir, stat } from 'node:fs/promises';
import { delimiter, isAbsolute, join, resolve } from 'node:path';
import { type Check, type Finding, failed, fine, warning } from '@tributary/protocol';
import { parse as parseCsv } from 'csv-parse/sync';
import type { DataSource } from '../data/dataset.ts';
import { fileProblem, invalidData } from '../data/problems.ts';
import { readNumber } from '../data/transforms.ts';
import type { NodeConfig } from '../node/config.ts';
import { type Policy, policyRemarks } from '../policy/index.ts';

export function fileChecks(config: NodeConfig, file: string): Check[] {
  return [
    {
      name: 'config',
      run: async () => [fine('config', `${file} is valid: ${config.name}, ${config.policy.role}`)],
    },
    { name: 'policy', run: async () => policyFindings(config.policy, file) },
    { name: 'data', run: async () => [await dataFinding(config)] },
    { name: 'trainer', run: () => trainerFindings(config) },
  ];
}

function policyFindings(policy: Policy, file: string): Finding[] {
  const { plans } = policy;
  const plan =
    plans === 'ask'
      ? 'you decide on each plan'
      : plans === 'any'
        ? 'any plan'
        : `${plans.length} plans allowed`;
  const words =
    policy.role === 'evaluator'
      ? plan
      : `${plan}; ${policy.aggregation === 'secure' ? 'secure aggregation only' : 'plain sums too'}; ` +
        `${policy.minRoster} partners or more in a round, ${policy.minSum} in a sum; ${policy.maxRounds} rounds at most`;
  const remarks = policyRemarks(policy).map((remark) =>
    warning('policy', remark, `If that is not what you want, change \`policy\` in ${file}.`),
  );
  return [fine('policy', words), ...remarks];
}

/** Whether the rows are where node.yaml says, as far as that shows without a plan. */
export async function dataFinding({ data, folder }: NodeConfig): Promise<Finding> {
  if (!data) return fine('data', 'known to your own trainer');
  try {
    return await describe(data, folder);
  } catch (thrown) {
    const { message } = fileProblem('The data', thrown) as Error;
    return failed('data', message, 'Correct `data` in node.yaml, or put the file there.');
  }
}

/** Headers only: the rows are read when a plan says what they mean. */
async function describe(data: DataSource, folder: string): Promise<Finding> {
  switch (data.kind) {
    case 'csv': {
      const path = resolve(folder, data.path);
      const header = await firstLine(path, data.delimiter ?? ',');
      const words = `${data.path}: CSV with ${header.length} columns`;
      // A row of somebody, and what a doctor says is passed on to others.
      if (header.filter((cell) => readNumber(cell) !== undefined).length > header.length / 2)
        return warning(
          'data',
          `${words} and, as it seems, no header row: its first row holds numbers.`,
          "Put a row with the columns' names first.",
        );
      return fine('data', `${words} (${header.slice(0, 5).join(', ')}${header.length > 5 ? ', ...' : ''})`);
    }
    case 'idx': {
      const images = await idxShape(resolve(folder, data.images));
      const labels = await idxShape(resolve(folder, data.labels));
      if (images[0] !== labels[0])
        throw invalidData(`${data.images} has ${images[0]} rows, ${data.labels} has ${labels[0]}.`);
      return fine('data', `${data.images}: IDX of ${images.join(' x ')}, with labels`);
    }
    case 'folder': {
      const path = resolve(folder, data.path);
      const entries = await readdir(path, { withFileTypes: true }).catch((thrown) => {
        throw fileProblem(path, thrown);
      });
      const classes = entries.filter((entry) => entry.isDirectory());
      if (classes.length === 0) throw invalidData(`${path} holds no folder per class.`);
      return fine('data', `${data.path}: ${classes.length} folders, one per class`);
    }
  }
}

/** A header of 10,000 long names. */
const HEADER_BYTES = 1024 * 1024;

async function head(path: string, bytes: number): Promise<{ head: Buffer; size: number }> {
  try {
    const file = await open(path);
    try {
      const { size } = await file.stat();
      const { buffer, bytesRead } = await file.read(Buffer.alloc(bytes), 0, bytes, 0);
      return { head: buffer.subarray(0, bytesRead), size };
    } finally {
      await file.close();
    }
  } catch (thrown) {
    throw fileProblem(path, thrown);
  }
}

async function firstLine(path: string, separator: string): Promise<string[]> {
  const { head: bytes } = await head(path, HEADER_BYTES);
  let rows: string[][];
  try {
    rows = parseCsv(bytes, { bom: true, delimiter: separator, trim: true, skip_empty_lines: true, to: 1 });
  } catch {
    throw invalidData(`${path} does not begin with a header row of CSV.`);
  }
  if (!rows[0]) throw invalidData(`${path} is empty.`);
  return rows[0];
}

/** Big-endian sizes behind four bytes; see data/idx.ts. */
async function idxShape(path: string): Promise<number[]> {
  const { head: bytes, size } = await head(path, 4 + 4 * 4);
  const rank = bytes[3] ?? 0;
  if (
    bytes[0] !== 0 ||
    bytes[1] !== 0 ||
    bytes[2] !== 8 ||
    rank < 1 ||
    rank > 4 ||
    bytes.length < 4 + 4 * rank
  )
    throw invalidData(`${path} is not an IDX file of bytes.`);
  const shape = Array.from({ length: rank }, (_, i) => bytes.readUInt32BE(4 + 4 * i));
  const needed = 4 + 4 * rank + shape.reduce((product, length) => product * length, 1);
  if (size !== needed) throw invalidData(`${path} should have ${needed} bytes and has ${size}.`);
  return shape;
}

async function trainerFindings({ trainer, folder }: NodeConfig): Promise<Finding[]> {
  const program = trainer?.command[0];
  if (program === undefined) return [];
  const named = isAbsolute(program) || program.includes('/');
  const places = named
    ? [resolve(folder, program)]
    : (process.env.PATH ?? '').split(delimiter).map((at) => join(at, program));
  for (const place of places)
    if (await isProgram(place)) return [fine('trainer', `your own program, ${place}`)];
  return [
    failed(
      'trainer',
      `${program} is no program that can be run.`,
      'Correct `trainer.command` in node.yaml; see TRAINER.md.',
    ),
  ];
}

async function isProgram(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}
