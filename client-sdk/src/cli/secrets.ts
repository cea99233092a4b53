/** Tokens and passphrases: asked without echo, or taken from a file, standard input or the environment. */
import { readFile, stat } from 'node:fs/promises';
import { isCancel, password } from '@clack/prompts';
import { TributaryError } from '@tributary/protocol';
import type { ArgsDef } from 'citty';
import { UsageError } from './command.ts';
import type { Context } from './context.ts';
import { warn } from './output.ts';

export const PASSPHRASE_ARGS = {
  'passphrase-file': {
    type: 'string',
    valueHint: 'FILE',
    description: "File whose first line is the passphrase of this node's key",
  },
} as const satisfies ArgsDef;

/** Hides what is typed. The question goes to standard error, so that `--json` output stays clean. */
async function askHidden(message: string): Promise<string> {
  const answer = await password({ message, output: process.stderr });
  if (isCancel(answer)) throw new DOMException('Cancelled.', 'AbortError');
  return answer;
}

/** @throws malformed (usage) when there is neither a file, nor the variable, nor somebody to ask */
export async function readPassphrase(
  context: Context,
  file: string | undefined,
  question: string,
  options: { twice: boolean },
): Promise<string> {
  const { io } = context;
  if (file !== undefined) {
    const text = await readFile(file, 'utf8');
    // Only told: container platforms hand secrets out with modes that their owner cannot change.
    const { mode } = await stat(file);
    if (process.platform !== 'win32' && (mode & 0o077) !== 0)
      warn(context, `${file} has mode ${(mode & 0o777).toString(8)}: others may read it. chmod 600 ${file}`);
    return firstLine(text, file);
  }
  if (io.env.TRIBUTARY_PASSPHRASE) return io.env.TRIBUTARY_PASSPHRASE;
  if (!io.inTty || !io.errTty)
    throw new UsageError(
      'A passphrase is needed, and there is no terminal to ask for it.',
      'Set TRIBUTARY_PASSPHRASE, or pass --passphrase-file FILE.',
    );
  const first = await askHidden(question);
  if (options.twice && (await askHidden('The same once more')) !== first)
    throw new TributaryError('malformed', 'The two passphrases differ.', { remedy: 'Start again.' });
  return first;
}

/** `--token`, else the environment, else standard input, else a hidden prompt. */
export async function readToken({ io }: Context, given: string | undefined): Promise<string> {
  const token = given ?? io.env.TRIBUTARY_TOKEN ?? (await io.readStdin()) ?? (await askHidden('Token'));
  const trimmed = token.trim();
  if (!/^[\x21-\x7e]{8,500}$/.test(trimmed))
    throw new UsageError(
      'That is no token.',
      'Copy the whole line that the coordinator printed, and nothing else.',
    );
  return trimmed;
}

function firstLine(text: string, file: string): string {
  const line = text.split(/\r?\n/, 1)[0]!;
  if (line === '') throw new UsageError(`The first line of ${file} is empty.`, 'Write the passphrase there.');
  return line;
}
