/** A new key for this node, signed by the old one. */
import { fingerprint } from '@tributary/protocol';
import { nodeCrypto } from '@tributary/protocol/node';
import { type RotatedKey, rotateKey } from '../../node/rotate.ts';
import { shellWord } from '../../shell-word.ts';
import { command } from '../command.ts';
import type { Context } from '../context.ts';
import { fields, note, printResult } from '../output.ts';
import { readPassphrase } from '../secrets.ts';
import { KEY_ARGS, readConfig } from './node-shared.ts';

export const rotate = command({
  name: 'rotate-key',
  description: 'Replace the key of this node, which must be stopped, by a new one that the old one signs for',
  examples: [
    { line: 'node rotate-key --config clinic-a/node.yaml', does: 'under the same passphrase' },
    { line: 'node rotate-key --new-passphrase-file FILE', does: 'under a new one' },
    { line: 'node rotate-key', does: 'once more, to finish one that was interrupted' },
  ],
  args: {
    ...KEY_ARGS,
    'new-passphrase-file': {
      type: 'string',
      valueHint: 'FILE',
      description: 'File whose first line is a new passphrase, for the new key; left out, it stays',
    },
  },
  async run(context, args) {
    const config = await readConfig(args.config);
    const question = `Passphrase of the key of ${config.name}`;
    const passphrase = await readPassphrase(context, args['passphrase-file'], question, { twice: false });
    const fresh = args['new-passphrase-file'];
    const newPassphrase =
      fresh === undefined ? undefined : await readPassphrase(context, fresh, '', { twice: false });
    await rotateKey({
      ...{ folder: config.state, passphrase, newPassphrase, allowInsecure: args['allow-insecure'] },
      follow: config.policy.rotation === 'follow',
      tell: (rotated) => tell(context, config.name, rotated),
    });
    note(
      context,
      '\nTell the other partners the new fingerprint by telephone. Those whose policy says `rotation: follow` go on;\n' +
        'the others accept it: `tributary node members accept NAME`.\n' +
        `Next: tributary node start --config ${shellWord(args.config)}`,
    );
  },
});

function tell(context: Context, name: string, { old, key, time, earlier }: RotatedKey): void {
  const [before, after] = [fingerprint(nodeCrypto, old), fingerprint(nodeCrypto, key)];
  const words = earlier
    ? `${name} has had this key since ${new Date(time).toISOString()}, by an earlier call that was cut off; no other was made.\n` +
      'For another one say the command once more.'
    : `${name} has a new key; the old one opens nothing any more.`;
  printResult(
    context,
    { name, old, key, fingerprint: after, earlier },
    `${words}\n${fields(context, [
      ['old key', before],
      ['new key', after],
    ])}`,
  );
}
