/** `tributary-server check`: does what a data folder or a backup holds fit together? */
import { resolve } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { findingLines, summarise } from '@tributary/protocol';
import { defineCommand } from 'citty';
import { checkFolder } from '../backup/check.ts';
import { encryptBlobsArg, keyFileOf } from './blob-key.ts';
import { refuseUnknown } from './usage.ts';

const ARGS = {
  data: {
    type: 'string',
    required: true,
    description: 'Data folder, its coordinator may be running; or a backup',
  },
  'encrypt-blobs': encryptBlobsArg('Key of a folder whose models and updates are encrypted'),
  json: { type: 'boolean', default: false, description: 'Print one JSON object instead of text' },
} as const;

const MARKS = { ok: ' ok ', warning: 'warn', failed: 'FAIL' };

export const check = defineCommand({
  meta: {
    name: 'check',
    description:
      'Check rows, transcripts, journal and files of a data folder or a backup against each other.',
  },
  args: ARGS,
  async run({ args, rawArgs }) {
    refuseUnknown(rawArgs, ARGS, args);
    const findings = await checkFolder(resolve(args.data), keyFileOf(args['encrypt-blobs']));
    const { text, ...counts } = summarise(findings);
    const lines = [...findingLines(findings, MARKS), '', text].map(stripVTControlCharacters);
    const json = JSON.stringify({ ...counts, findings });
    process.stdout.write(args.json ? `${json}\n` : `${lines.join('\n')}\n`);
    process.exitCode = counts.failed > 0 ? 1 : 0;
  },
});
