/** What a command is. citty reads the words; the checks that it leaves out are here. */
import { TributaryError } from '@tributary/protocol';
import { type ArgDef, type ArgsDef, parseArgs } from 'citty';
import { nearest } from '../nearest.ts';
import type { Context } from './context.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';

/** The command line is wrong. */
export class UsageError extends TributaryError {
  constructor(message: string, remedy: string) {
    super('malformed', message, { remedy });
  }
}

interface Example {
  /** As typed, without `tributary`. */
  readonly line: string;
  readonly does: string;
}

/** Without a default or `required`, an option may be missing; citty's own type hides that. */
type Values<A extends ArgsDef> = { readonly [K in keyof A]: ValueOf<A[K]> };
type ValueOf<D extends ArgDef> = D extends { type: 'boolean' }
  ? boolean
  : D extends { type: 'positional'; required: false }
    ? string | undefined
    : D extends { type: 'positional' } | { required: true } | { default: string }
      ? string
      : string | undefined;

interface Described {
  readonly name: string;
  readonly description: string;
  readonly examples: readonly Example[];
}

export interface Command extends Described {
  readonly kind: 'command';
  readonly args: ArgsDef;
  readonly takesRest: boolean;
  /**
   * @param path words before, such as `tributary runs start`
   * @throws UsageError
   */
  check(raw: readonly string[], path: string): void;
  execute(context: Context, raw: readonly string[], path: string): Promise<ExitCode>;
}

export interface Group extends Described {
  readonly kind: 'group';
  readonly commands: readonly (Command | Group)[];
}

export interface CommandSpec<A extends ArgsDef> extends Described {
  readonly args: A;
  /** Set when more words may follow the positional arguments; they are passed as `rest`. */
  readonly takesRest?: boolean;
  run(context: Context, args: Values<A>, rest: readonly string[]): Promise<ExitCode | undefined>;
}

/** Understood by every command. */
export const COMMON_ARGS = {
  json: { type: 'boolean', description: 'Print JSON and nothing else, for programs' },
  help: { type: 'boolean', alias: 'h', description: 'Show this help' },
} as const satisfies ArgsDef;

export function command<const A extends ArgsDef>(spec: CommandSpec<A>): Command {
  const args: ArgsDef = { ...spec.args, ...COMMON_ARGS };
  return {
    kind: 'command',
    name: spec.name,
    description: spec.description,
    examples: spec.examples,
    args,
    takesRest: spec.takesRest === true,
    check(raw, path) {
      checkOptions(raw, args, path);
      checkPositionals(raw, args, spec.takesRest === true, path);
      checkRequired(raw, args, path);
    },
    async execute(context, raw, path) {
      this.check(raw, path);
      const parsed = parseArgs([...raw], args);
      const values = Object.fromEntries(
        Object.keys(spec.args).map((name) => [
          name,
          args[name]!.type === 'boolean' ? parsed[name] === true : parsed[name],
        ]),
      );
      const rest = parsed._.slice(positionals(args).length).map(String);
      return (await spec.run(context, values as Values<A>, rest)) ?? EXIT.ok;
    },
  };
}

export function group(spec: Omit<Group, 'kind'>): Group {
  return { kind: 'group', ...spec };
}

/** Option and its value as separate words, or `--option=value`; nothing unknown, nothing left empty. */
function checkOptions(raw: readonly string[], args: ArgsDef, path: string): void {
  const known = new Map<string, ArgDef>();
  for (const [name, definition] of Object.entries(args)) {
    if (definition.type === 'positional') continue;
    known.set(`--${name}`, definition);
    if ('alias' in definition)
      for (const alias of [definition.alias ?? []].flat()) known.set(`-${alias}`, definition);
  }
  for (let at = 0; at < raw.length; at++) {
    const word = raw[at]!;
    if (word === '--') return;
    if (!isOption(word)) continue;
    const [option, given] = splitOnce(word);
    const definition = known.get(option);
    if (!definition) {
      const near = nearest(option, [...known.keys()]);
      throw new UsageError(
        `${path} has no option ${option}.`,
        near ? `Did you mean ${near}? ${seeHelp(path)}` : seeHelp(path),
      );
    }
    if (definition.type === 'boolean') {
      if (given !== undefined)
        throw new UsageError(`${option} takes no value, got "${given}".`, seeHelp(path));
      continue;
    }
    const value = given ?? raw[++at];
    if (value === undefined || value === '' || (given === undefined && known.has(splitOnce(value)[0])))
      throw new UsageError(`${option} needs a value.`, seeHelp(path));
  }
}

function checkPositionals(raw: readonly string[], args: ArgsDef, takesRest: boolean, path: string): void {
  const wanted = positionals(args);
  const given = parseArgs([...raw], optionsOnly(args))._;
  const missing = wanted.slice(given.length).find(([, definition]) => definition.required !== false);
  if (missing) throw new UsageError(`${missing[0].toUpperCase()} is missing.`, seeHelp(path));
  const extra = given[wanted.length];
  if (extra !== undefined && !takesRest)
    throw new UsageError(`"${extra}" is one word too many.`, seeHelp(path));
}

function checkRequired(raw: readonly string[], args: ArgsDef, path: string): void {
  const given = parseArgs([...raw], optionsOnly(args));
  for (const [name, definition] of Object.entries(args))
    if (definition.type === 'string' && definition.required && given[name] === undefined)
      throw new UsageError(`--${name} is missing.`, seeHelp(path));
}

/** For options that take one of a few words; citty's own `enum` would answer in colours, and without a suggestion. */
export function choice<const T extends string>(given: string, option: string, allowed: readonly T[]): T {
  const found = allowed.find((word) => word === given);
  if (found !== undefined) return found;
  const near = nearest(given, allowed);
  throw new UsageError(
    `${option} is "${given}", not one of ${allowed.join(', ')}.`,
    near ? `Did you mean ${near}?` : 'Give one of these.',
  );
}

export function wholeNumber(given: string, option: string, minimum: number, maximum: number): number {
  const value = /^\d+$/.test(given) ? Number(given) : Number.NaN;
  if (value >= minimum && value <= maximum) return value;
  throw new UsageError(`${option} is "${given}".`, `Give a whole number from ${minimum} to ${maximum}.`);
}

function positionals(args: ArgsDef): [string, ArgDef][] {
  return Object.entries(args).filter(([, definition]) => definition.type === 'positional');
}

function optionsOnly(args: ArgsDef): ArgsDef {
  return Object.fromEntries(
    Object.entries(args)
      .filter(([, definition]) => definition.type !== 'positional')
      .map(([name, definition]) => [name, { ...definition, required: false } as ArgDef]),
  );
}

function isOption(word: string): boolean {
  return word.startsWith('-') && word !== '-';
}

function splitOnce(word: string): [string, string | undefined] {
  const at = word.indexOf('=');
  return at < 0 ? [word, undefined] : [word.slice(0, at), word.slice(at + 1)];
}

export function seeHelp(path: string): string {
  return `See \`${path} --help\`.`;
}
