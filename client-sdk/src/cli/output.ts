/** How results, remarks and errors look: results on standard output, everything else on standard error. */
import { inspect } from 'node:util';
import { asTributaryError, TributaryError } from '@tributary/protocol';
import { UsageError } from './command.ts';
import type { Context } from './context.ts';
import { EXIT, type ExitCode, exitCodeOf } from './exit-codes.ts';
import { printable } from './printable.ts';

/** The answer of a command: `value` for programs, `human` for people. */
export function printResult({ io, json }: Context, value: unknown, human: string): void {
  io.out(json ? `${JSON.stringify(value)}\n` : human.endsWith('\n') || human === '' ? human : `${human}\n`);
}

/** A remark for people, such as what to do next; never part of the result. */
export function note({ io, json }: Context, text: string): void {
  if (!json) io.err(`${text}\n`);
}

export function warn({ io, json }: Context, text: string): void {
  if (!json) io.err(`${io.colors.err.yellow('note:')} ${text}\n`);
}

/** Left-aligned columns under a header; numbers right-aligned. */
export function table(
  { io }: Context,
  header: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): string {
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => printable(String(row[column] ?? '')).length)),
  );
  const line = (cells: readonly (string | number)[]) =>
    cells
      .map((cell, column) =>
        typeof cell === 'number'
          ? String(cell).padStart(widths[column]!)
          : printable(cell).padEnd(widths[column]!),
      )
      .join('  ')
      .trimEnd();
  return `${[io.colors.out.dim(line(header)), ...rows.map(line)].join('\n')}\n`;
}

/** `label` and value, one pair per line. */
export function fields({ io }: Context, pairs: readonly (readonly [string, string])[]): string {
  const width = Math.max(...pairs.map(([label]) => label.length));
  return pairs
    .map(([label, value]) => `${io.colors.out.dim(label.padEnd(width))}  ${printable(value)}\n`)
    .join('');
}

/** Local time to the minute, or to the second within a live view. */
export function clock(milliseconds: number): string {
  return new Date(milliseconds).toTimeString().slice(0, 8);
}

export function dateTime(milliseconds: number): string {
  const date = new Date(milliseconds);
  const two = (value: number) => String(value).padStart(2, '0');
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${two(date.getHours())}:${two(date.getMinutes())}`;
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count.toLocaleString('en-US')} ${count === 1 ? one : many}`;
}

/** What is wrong and what to do next; with `--json` the Problem of PROTOCOL.md 9. */
export function printError({ io, json }: Context, thrown: unknown): ExitCode {
  if (thrown instanceof Error && thrown.name === 'AbortError') return EXIT.interrupted;
  const error = describe(thrown);
  const { red, dim } = io.colors.err;
  io.err(
    json
      ? `${JSON.stringify(error.toProblem())}\n`
      : `${red('error:')} ${printable(error.message)}${error instanceof UsageError ? '' : dim(` (${error.code})`)}\n${dim('next: ')} ${printable(error.remedy)}\n`,
  );
  if (io.env.TRIBUTARY_DEBUG === '1') io.err(`${inspect(thrown)}\n`);
  return error instanceof UsageError ? EXIT.usage : exitCodeOf(error.code);
}

const DISK: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full',
  EDQUOT: 'the quota of this user is used up',
  EROFS: 'the disk is mounted read-only',
  EFBIG: 'no file may be that large here (`ulimit -f`)',
  EIO: 'the disk has a fault',
};

/** Files that are missing or closed to us are the user's to mend, not faults of ours. */
function describe(thrown: unknown): TributaryError {
  const { code = '', path } = (thrown ?? {}) as NodeJS.ErrnoException;
  const disk = DISK[code];
  // What the system says of a write does not name the file.
  if (!(thrown instanceof TributaryError) && disk !== undefined)
    return new TributaryError('storage-failed', `${path ?? 'A file'} cannot be written: ${disk} (${code}).`, {
      remedy: '`df -h` shows the disks. Mend that, or write to another one; then repeat the command.',
    });
  if (!(thrown instanceof TributaryError) && path !== undefined) {
    if (code === 'ENOENT')
      return new TributaryError('not-found', `${path} does not exist.`, {
        remedy: 'Check the path; `ls` shows what is there.',
      });
    if (code === 'EEXIST')
      return new TributaryError('conflict', `${path} exists already.`, {
        remedy: 'Choose another name, or move that away first.',
      });
    if (code === 'EISDIR')
      return new TributaryError('not-found', `${path} is a folder, not a file.`, {
        remedy: 'Name the file in it; `ls` shows what is there.',
      });
    if (code === 'EACCES' || code === 'EPERM')
      return new TributaryError('storage-failed', `${path} is closed to this user (${code}).`, {
        remedy: `Check owner and mode: \`ls -ld ${path}\`.`,
      });
    return new TributaryError('storage-failed', `${path} cannot be used: ${code}.`);
  }
  const error = asTributaryError(thrown);
  if (error.code !== 'internal') return error;
  return new TributaryError('internal', error.message, {
    remedy: `${error.remedy} TRIBUTARY_DEBUG=1 shows where it arose.`,
    cause: thrown,
  });
}
