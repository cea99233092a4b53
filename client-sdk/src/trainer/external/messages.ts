/** Between the node and a partner's own trainer program: one JSON message per line (client-sdk/TRAINER.md). */
import { Closed, Count, type Plan, TributaryError, validate } from '@tributary/protocol';
import { type Static, Type } from '@tributary/protocol/typebox';
import type { DataSource } from '../../data/dataset.ts';
import { checkMoments, momentsLayerOf } from '../model/moments-checks.ts';

export const TRAINER_PROTOCOL = 'tributary-trainer/1';

/** Caps on what a program may say; TRAINER.md states them. */
export const TRAINER_LIMITS = {
  /** Bytes of one line: the longest message holds a few numbers and a reason. */
  line: 64 * 1024,
  /** Messages of progress in one task: each is parsed in the node's main thread. */
  progress: 10_000,
  /** Lines of standard error that one task may add to the node's log. */
  stderrLines: 50,
  /** Characters of such a line. */
  stderrLine: 500,
} as const;

export type NodeMessage =
  | {
      readonly type: 'setup';
      readonly protocol: string;
      /** `data:` of node.yaml with absolute paths; null when it names none. */
      readonly data: DataSource | null;
    }
  | TaskMessage
  | { readonly type: 'cancel'; readonly id: number };

export type TaskMessage =
  | {
      readonly type: 'train';
      readonly id: number;
      readonly plan: Plan;
      /** A safetensors file to read. */
      readonly weights: string;
      /** 32 bytes each, as hex. */
      readonly seed: string;
      readonly splitSeed: string;
      /** The safetensors file to write. */
      readonly output: string;
    }
  | { readonly type: 'evaluate'; readonly id: number; readonly plan: Plan; readonly weights: string };

const Id = Count;
const Metrics = Type.Record(Type.String({ maxLength: 100 }), Type.Number());
const Measured = { count: Count, loss: Type.Number(), metrics: Metrics };

const PROGRAM_MESSAGES = {
  hello: Closed({
    type: Type.Literal('hello'),
    protocol: Type.String(),
    name: Type.String({ pattern: '^[a-z0-9._-]{1,32}$' }),
    version: Type.String({ pattern: '^[A-Za-z0-9._+-]{1,64}$' }),
    speed: Type.Optional(Type.Enum(['slow', 'medium', 'fast'])),
    /** What not every program can do. Unknown words are let through: a later node may know them. */
    capabilities: Type.Optional(
      Type.Array(Type.String({ pattern: '^[a-z0-9-]{1,32}$' }), { maxItems: 32, uniqueItems: true }),
    ),
  }),
  progress: Closed({
    type: Type.Literal('progress'),
    id: Id,
    done: Type.Number({ minimum: 0, maximum: 1 }),
  }),
  trained: Closed({
    type: Type.Literal('trained'),
    id: Id,
    samples: Count,
    loss: Type.Number(),
    holdout: Closed(Measured),
    weights: Type.String(),
  }),
  evaluated: Closed({ type: Type.Literal('evaluated'), id: Id, ...Measured }),
  failed: Closed({
    type: Type.Literal('failed'),
    id: Id,
    code: Type.Enum(['training-failed', 'data-invalid', 'plan-invalid', 'not-finite']),
    message: Type.String(),
  }),
  cancelled: Closed({ type: Type.Literal('cancelled'), id: Id }),
};

type ProgramMessages = { [T in keyof typeof PROGRAM_MESSAGES]: Static<(typeof PROGRAM_MESSAGES)[T]> };
export type ProgramMessage = ProgramMessages[keyof ProgramMessages];
export type Hello = ProgramMessages['hello'];
export type Trained = ProgramMessages['trained'];
export type Evaluated = ProgramMessages['evaluated'];
export type Answer = Trained | Evaluated;

/** @throws training-failed, or not-finite for numbers that JSON does not have, naming what is wrong with the line */
export function parseProgramMessage(line: string): ProgramMessage {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    // What Python and JavaScript write for them where nobody looked.
    if (/[:[,]\s*-?(NaN|Infinity)\b/.test(line))
      throw new TributaryError(
        'not-finite',
        `The trainer said ${quote(line)}: JSON has finite numbers only.`,
      );
    throw misbehaved(`said ${quote(line)}, which is not JSON; only messages go to standard output`);
  }
  const type = typeof value === 'object' && value !== null && 'type' in value ? value.type : undefined;
  if (typeof type !== 'string' || !Object.hasOwn(PROGRAM_MESSAGES, type))
    throw misbehaved(
      `said ${quote(line)}, whose type is none of ${Object.keys(PROGRAM_MESSAGES).join(', ')}`,
    );
  const { protocol } = value as { protocol?: unknown };
  if (type === 'hello' && protocol !== TRAINER_PROTOCOL)
    throw misbehaved(
      `speaks ${typeof protocol === 'string' ? quote(protocol) : 'another protocol'}, this node ${TRAINER_PROTOCOL}`,
    );
  try {
    return validate<Schema>(PROGRAM_MESSAGES[type as keyof ProgramMessages], value, type);
  } catch (thrown) {
    throw misbehaved(`said ${(thrown as TributaryError).message}`);
  }
}

type Schema = (typeof PROGRAM_MESSAGES)[keyof ProgramMessages];

/** A fault of the program: `The trainer ${what}.` */
export function misbehaved(what: string): TributaryError {
  return new TributaryError('training-failed', `The trainer ${what.replace(/\.$/, '')}.`, {
    remedy:
      'Correct the program (client-sdk/TRAINER.md), or take `trainer` out of node.yaml to train with tfjs.',
  });
}

/** Something of the program's in a message of ours: on one line, cut. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 97)}...` : text);
}

/**
 * A program that trains as `plan.training` says would answer a plan that adds up (PROTOCOL.md 5.8) with nonsense that
 * nobody notices in a masked sum. @throws plan-invalid, before the program hears of the plan
 */
export function checkCapable({ name, capabilities = [] }: Hello, plan: Plan): void {
  const layer = momentsLayerOf(plan);
  if (!layer) return;
  if (!capabilities.includes('moments'))
    throw new TributaryError(
      'plan-invalid',
      `model layer "${layer.name}": Moments adds up and trains nothing, and trainer ${quote(name)} does not list the capability "moments".`,
      {
        remedy:
          'Take `trainer` out of node.yaml while this plan runs, or teach the program PROTOCOL.md 5.8 and ' +
          'let its hello say capabilities: ["moments"] (client-sdk/TRAINER.md).',
      },
    );
  checkMoments(plan);
}

/** Against the plan and, where JSON cannot say it, against sense. @throws data-invalid, training-failed */
export function checkAnswer(answer: Answer, plan: Plan): void {
  const measured = answer.type === 'trained' ? answer.holdout : answer;
  const what = answer.type === 'trained' ? 'trained: holdout' : 'evaluated';
  const { metrics: names } = plan.training;
  const given = Object.keys(measured.metrics);
  if ([...given].sort().join() !== [...names].sort().join())
    throw misbehaved(`said ${what}.metrics ${quote(given.join())}, the plan has ${quote(names.join())}`);
  for (const [name, value] of Object.entries(measured.metrics))
    if (value < 0 || (name === 'accuracy' && value > 1))
      throw misbehaved(
        `said ${what}.metrics.${name} ${value}, ${name === 'accuracy' ? '0 to 1' : '0 or more'} is due`,
      );
  if (answer.type === 'evaluated') return;
  if (plan.holdout === 0 && measured.count > 0)
    throw misbehaved(`held ${measured.count} rows out, the plan's holdout is 0`);
  if (answer.samples === 0)
    throw new TributaryError('data-invalid', 'The trainer trained on 0 rows, at least one is due.');
}
