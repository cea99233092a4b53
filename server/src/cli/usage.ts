/** What the command line refuses before anything is done; exit code 2. */
import type { ArgsDef } from 'citty';

export class UsageError extends Error {}

export function usage(message: string): never {
  throw new UsageError(message);
}

/**
 * citty takes any option and any word; a mistyped one must not leave its default in force unnoticed. An empty value is
 * that of a shell variable which is not set: as a path it would be the folder that one happens to be in.
 */
export function refuseUnknown(rawArgs: readonly string[], args: ArgsDef, parsed: Parsed): void {
  const known = Object.keys(args);
  for (const arg of rawArgs) {
    const name = /^--(?:no-)?([^=]+)/.exec(arg)?.[1];
    if (name !== undefined && !known.includes(name))
      usage(`There is no option --${name}; there are --${known.join(', --')}.`);
  }
  const words = known.filter((name) => args[name]?.type === 'positional');
  const extra = parsed._[words.length];
  if (extra !== undefined) usage(`"${extra}" is one word too many.`);
  for (const name of known)
    if (parsed[name] === '')
      usage(`${words.includes(name) ? name.toUpperCase() : `--${name}`} needs a value.`);
}

/** What citty made of the command line; `_` has the words that are no options. */
interface Parsed {
  readonly _: readonly string[];
  readonly [name: string]: unknown;
}

export function portOf(text: string, option = '--port'): number {
  const port = Number(text);
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port;
  return usage(`${option} is a number from 0 to 65535, not ${text}.`);
}

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'silent'];

export function levelOf(text: string): string {
  return LEVELS.includes(text) ? text : usage(`--log-level is one of ${LEVELS.join(', ')}, not ${text}.`);
}

/** Invites carry it to partners: a wrong one would be noticed only there. */
export function publicUrlOf(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const url = URL.canParse(text) ? new URL(text) : null;
  const plain = url && !url.username && !url.password && !url.search && !url.hash;
  if (plain && ['http:', 'https:'].includes(url.protocol)) return text;
  return usage(`--public-url is an address as https://fl.example.org, not ${text}.`);
}
