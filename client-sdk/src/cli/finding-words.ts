/** Findings for people: on standard error, worst first. With `--json` they are in the result instead. */
import { ERRORS, TributaryError } from '@tributary/protocol';
import type { Finding } from '../planning/finding.ts';
import type { Context } from './context.ts';
import { printable } from './printable.ts';

const ORDER = ['error', 'warning', 'note'] as const;

export function printFindings({ io, json }: Context, findings: readonly Finding[]): void {
  if (json) return;
  const { red, yellow, dim } = io.colors.err;
  const paint = { error: red, warning: yellow, note: dim };
  for (const level of ORDER)
    for (const { message, remedy } of findings.filter((found) => found.level === level))
      io.err(`${paint[level](`${level}:`)} ${printable(message)}\n${dim('   so:')} ${printable(remedy)}\n`);
}

/** A refusal whose remedy names no command yet gets the one to try when the fault is mended. */
export function thenAgain(thrown: unknown, line: string): unknown {
  if (!(thrown instanceof TributaryError)) return thrown;
  // What the error table says is meant for a node's own data; here it is a sample.
  const general = thrown.code === 'data-invalid' && thrown.remedy === ERRORS[thrown.code].remedy;
  if (!general && /--[a-z]|`/.test(thrown.remedy)) return thrown;
  const remedy = `${general ? 'Correct the file, or name another one.' : thrown.remedy} Then: ${line}`;
  return new TributaryError(thrown.code, thrown.message, { remedy, cause: thrown });
}

/** Powers of ten, as networks and disks count. */
export function bytes(count: number): string {
  return scaled(count, ['bytes', 'kB', 'MB', 'GB', 'TB']);
}

export function operations(count: number): string {
  return scaled(count, ['FLOP', 'kFLOP', 'MFLOP', 'GFLOP', 'TFLOP', 'PFLOP']);
}

function scaled(count: number, units: readonly string[]): string {
  const at = count < 1000 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(count) / 3));
  const value = count / 1000 ** at;
  return `${at === 0 ? Math.round(value) : Number(value.toPrecision(3))} ${units[at]}`;
}

export function duration(seconds: number): string {
  if (seconds < 1) return 'less than 1 s';
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return `${Math.round(seconds / 3600)} h`;
}
