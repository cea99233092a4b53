/** `tributary-server rotate-key`: a new key for the coordinator, signed by the old one. */
import { resolve } from 'node:path';
import { fingerprint } from '@tributary/protocol';
import { nodeCrypto } from '@tributary/protocol/node';
import { defineCommand } from 'citty';
import { createLog } from '../log.ts';
import { rotateOwnKey } from '../rotate-key.ts';
import { refuseUnknown } from './usage.ts';

const ARGS = {
  data: { type: 'string', required: true, description: 'Data folder of the stopped coordinator' },
  json: { type: 'boolean', default: false, description: 'Print one JSON object instead of text' },
} as const;

export const rotateKey = defineCommand({
  meta: {
    name: 'rotate-key',
    description:
      'Replace the key of a stopped coordinator by a new one that the old one signs for. Open attempts are void; runs go on.',
  },
  args: ARGS,
  async run({ args, rawArgs }) {
    refuseUnknown(rawArgs, ARGS, args);
    const { old, key, voided } = await rotateOwnKey(resolve(args.data), { log: createLog('info') });
    const [before, after] = [fingerprint(nodeCrypto, old), fingerprint(nodeCrypto, key)];
    const report = { old, key, fingerprint: after, voided };
    const text = [
      `New key fingerprint: ${after}, signed by ${before}.`,
      ...voided.map((run) => `Run ${run}: its open attempt is void, the next one opens by itself.`),
      'Tell partners and operators the new fingerprint by telephone. Nodes whose policy says `rotation: follow` go on by',
      'themselves; at the others the owner says `tributary node trust FINGERPRINT`. People log out and in again.',
      'Invites that nobody has used are void. Backups made before hold the old key: make another one.',
      `Next: tributary-server start --data ${args.data}`,
    ];
    process.stdout.write(args.json ? `${JSON.stringify(report)}\n` : `${text.join('\n')}\n`);
  },
});
