/** node.yaml: who this node is, where its data and state lie, what its owner allows. */
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { Closed, Name, TributaryError, validate } from '@tributary/protocol';
import Type from 'typebox';
import { parse } from 'yaml';
import type { DataSource } from '../data/dataset.ts';
import { type Policy, parsePolicy } from '../policy/index.ts';
import { ENGINE_CHOICES, type EngineChoice } from '../trainer/engine/names.ts';
import { type Enrolment, loadEnrolment } from './enrolment.ts';

const FilePath = Type.String({ minLength: 1, maxLength: 4096 });
const Data = Type.Union([
  Closed({ kind: Type.Literal('idx'), images: FilePath, labels: FilePath }),
  Closed({
    kind: Type.Literal('csv'),
    path: FilePath,
    delimiter: Type.Optional(Type.String({ minLength: 1, maxLength: 1 })),
  }),
  Closed({ kind: Type.Literal('folder'), path: FilePath }),
]);

const NodeFile = Closed({
  name: Name,
  state: FilePath,
  data: Data,
  /** What trains: the best that works here, unless said otherwise. */
  engine: Type.Optional(Type.Enum([...ENGINE_CHOICES])),
  policy: Type.Optional(Type.Unknown()),
});

export interface NodeConfig {
  /** As the operator invited it. */
  readonly name: string;
  /** State folder, absolute. */
  readonly state: string;
  readonly data: DataSource;
  readonly engine: EngineChoice;
  /** Folder that relative paths in `data` start from: that of node.yaml. */
  readonly folder: string;
  readonly policy: Policy;
  readonly enrolment: Enrolment;
}

/**
 * @param path of node.yaml; paths in it are relative to its folder.
 * @throws not-found, malformed naming file, field and value; conflict when `name` is not the enrolled one
 */
export async function loadNodeConfig(path: string): Promise<NodeConfig> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (thrown) {
    const code = (thrown as NodeJS.ErrnoException).code;
    throw new TributaryError('not-found', `${path} cannot be read (${code}).`, {
      remedy: 'Give the path of node.yaml with --config; the README shows one.',
    });
  }
  return parseNodeConfig(text, resolve(path));
}

async function parseNodeConfig(text: string, path: string): Promise<NodeConfig> {
  let raw: unknown;
  try {
    raw = parse(text, { maxAliasCount: 0, uniqueKeys: true });
  } catch (thrown) {
    throw new TributaryError('malformed', `${path}: ${(thrown as Error).message.split('\n', 1)[0]}`);
  }
  const file = validate(NodeFile, raw, path);
  const folder = dirname(path);
  const state = resolve(folder, file.state);
  const enrolment = await loadEnrolment(state);
  if (file.name !== enrolment.name)
    throw new TributaryError(
      'conflict',
      `${path}: name is ${file.name}, but ${state} is enrolled as ${enrolment.name}.`,
      { remedy: 'Correct `name` or `state`.' },
    );
  const policy = parsePolicy(file.policy, enrolment.role);
  const { name, data, engine = 'auto' } = file;
  return { name, state, data, engine, folder, policy, enrolment };
}
