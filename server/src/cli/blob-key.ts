/** Where the commands find the key of models and updates, and the command that makes one. */
import { resolve } from 'node:path';
import { defineCommand } from 'citty';
import { makeKeyFile } from '../at-rest/key.ts';
import { refuseUnknown } from './usage.ts';

const VARIABLE = 'TRIBUTARY_ENCRYPT_BLOBS';

export function encryptBlobsArg(description: string) {
  return { type: 'string', valueHint: 'KEYFILE', description: `${description} (or ${VARIABLE})` } as const;
}

/** The variable names a file, too: a key in the environment would be shown to whoever may list processes. */
export function keyFileOf(given: string | undefined, env = process.env): string | undefined {
  const file = given ?? (env[VARIABLE] || undefined);
  return file === undefined ? undefined : resolve(file);
}

const ARGS = {
  file: { type: 'positional', required: true, description: 'File to make, mode 600, apart from the data' },
  json: { type: 'boolean', default: false, description: 'Print one JSON object instead of text' },
} as const;

export const newKey = defineCommand({
  meta: { name: 'new-key', description: 'Make a key to encrypt models and masked updates on disk.' },
  args: ARGS,
  async run({ args, rawArgs }) {
    refuseUnknown(rawArgs, ARGS, args);
    const file = resolve(args.file);
    const { id } = await makeKeyFile(file);
    const text = [
      `${file} holds key ${id}.`,
      'Keep a copy apart from the data and its backups: without it, models and updates are lost.',
      `Next: tributary-server start --data DIR --encrypt-blobs ${file}`,
    ];
    process.stdout.write(args.json ? `${JSON.stringify({ file, id })}\n` : `${text.join('\n')}\n`);
  },
});
