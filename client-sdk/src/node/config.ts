/** node.yaml: who this node is, where its data and state lie, what its owner allows. */
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { Closed, Name, TributaryError, validate } from '@tributary/protocol';
import { type Static, Type } from '@tributary/protocol/typebox';
import type { DataSource } from '../data/dataset.ts';
import { type Policy, parsePolicy } from '../policy/index.ts';
import { shellWord } from '../shell-word.ts';
import { ENGINE_CHOICES, type EngineChoice } from '../trainer/engine/names.ts';
import { type Enrolment, findEnrolment } from './enrolment.ts';
import { parseYaml } from './yaml.ts';

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

/** Not its own variable to give: what begins so is the node's. */
const VARIABLE = '^(?!TRIBUTARY_)[A-Za-z_][A-Za-z0-9_]{0,99}$';
const MAX_VALUE = 4096;
const OwnTrainer = Closed({
  /** Program and arguments, run in the folder of node.yaml without a shell. */
  command: Type.Array(Type.String({ maxLength: 4096 }), { minItems: 1, maxItems: 100 }),
  /** Added to the few variables that it gets. */
  env: Type.Optional(
    Type.Record(Type.String({ pattern: VARIABLE }), Type.String({ maxLength: MAX_VALUE }), {
      additionalProperties: false,
    }),
  ),
});
type OwnTrainer = Static<typeof OwnTrainer>;

const NodeFile = Closed({
  name: Name,
  state: FilePath,
  data: Type.Optional(Data),
  /** The partner's own program instead of the built-in trainer (TRAINER.md). */
  trainer: Type.Optional(OwnTrainer),
  /** What trains: the best that works here, unless said otherwise. */
  engine: Type.Optional(Type.Enum([...ENGINE_CHOICES])),
  policy: Type.Optional(Type.Unknown()),
});

/** The built-in trainer needs data; a program of the owner's may know by itself where its rows are. */
type Training =
  | { readonly data: DataSource; readonly trainer?: undefined }
  | { readonly data?: DataSource | undefined; readonly trainer: OwnTrainer };

interface NodeFacts {
  /** As the operator invited it. */
  readonly name: string;
  /** State folder, absolute. */
  readonly state: string;
  readonly engine: EngineChoice;
  /** Folder that relative paths in `data` start from: that of node.yaml. */
  readonly folder: string;
  readonly policy: Policy;
  readonly enrolment: Enrolment;
}

export type NodeConfig = NodeFacts & Training;

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
      remedy: 'Give the path of node.yaml with --config; `tributary node init INVITE` makes a first one.',
    });
  }
  return parseNodeConfig(text, resolve(path));
}

async function parseNodeConfig(text: string, path: string): Promise<NodeConfig> {
  const raw = parseYaml(text, path);
  checkVariables(raw, path);
  const file = validate(NodeFile, raw, path);
  const folder = dirname(path);
  const state = resolve(folder, file.state);
  const enrolment = await findEnrolment(state);
  if (!enrolment)
    throw new TributaryError('not-found', `${state} is not enrolled with a coordinator.`, {
      remedy: `Enrol this node first: \`tributary node init INVITE --dir ${shellWord(folder)}\`.`,
    });
  if (file.name !== enrolment.name)
    throw new TributaryError(
      'conflict',
      `${path}: name is ${file.name}, but ${state} is enrolled as ${enrolment.name}.`,
      { remedy: 'Correct `name` or `state`.' },
    );
  const policy = parsePolicy(file.policy, enrolment.role);
  const { name, engine = 'auto' } = file;
  return { name, state, engine, folder, policy, enrolment, ...trainingOf(file, path) };
}

/** What is wrong with a variable is said without its value: it may be a secret, and doctors and logs show errors. */
function checkVariables(raw: unknown, path: string): void {
  const env = (raw as { trainer?: { env?: unknown } | null } | null)?.trainer?.env ?? {};
  const wrong = (what: string): never => {
    throw new TributaryError('malformed', `${path}: ${what}; its value is not shown.`);
  };
  if (typeof env !== 'object' || Array.isArray(env)) wrong('trainer.env must be a map of names to text');
  for (const [name, value] of Object.entries(env as object))
    if (typeof value !== 'string' || value.length > MAX_VALUE)
      wrong(`trainer.env.${name} must be text in quotes, at most ${MAX_VALUE} characters`);
}

function trainingOf({ data, trainer, engine }: Static<typeof NodeFile>, path: string): Training {
  if (trainer && engine)
    throw new TributaryError('malformed', `${path}: engine ${engine} is of the built-in trainer.`, {
      remedy: 'Take `engine` out, or `trainer`.',
    });
  if (trainer) return { data, trainer };
  if (data) return { data };
  throw new TributaryError('malformed', `${path}: data is missing.`, {
    remedy: 'Say where the rows are; only a `trainer` of your own may do without.',
  });
}
