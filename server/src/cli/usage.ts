/** What the command line refuses before anything is done; exit code 2. */
import type { ArgsDef } from 'citty';

export class UsageError extends Error {}

export function usage(message: string): never {
  throw new UsageError(message);
}

/** citty takes any option; a mistyped one must not leave its default in force unnoticed. */
export function refuseUnknown(rawArgs: readonly string[], args: ArgsDef): void {
  const known = Object.keys(args);
  for (const arg of rawArgs) {
    const name = /^--(?:no-)?([^=]+)/.exec(arg)?.[1];
    if (name !== undefined && !known.includes(name))
      usage(`There is no option --${name}; there are --${known.join(', --')}.`);
  }
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
