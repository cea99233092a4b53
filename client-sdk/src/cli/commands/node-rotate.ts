/** A new key for this node, signed by the old one. */
import { fingerprint } from '@tributary/protocol';
import { nodeCrypto } from '@tributary/protocol/node';
import { rotateKey } from '../../node/rotate.ts';
import { command } from '../command.ts';
import { fields, note, printResult } from '../output.ts';
import { readPassphrase } from '../secrets.ts';
import { KEY_ARGS, readConfig } from './node-shared.ts';

export const rotate = command({
  name: 'rotate-key',
  description: 'Replace the key of this node, which must be stopped, by a new one that the old one signs for',
  examples: [
    { line: 'node rotate-key --config clinic-a/node.yaml', does: 'under the same passphrase' },
    { line: 'node rotate-key', does: 'once more, to finish one that was interrupted' },
  ],
  args: KEY_ARGS,
  async run(context, args) {
    const config = await readConfig(args.config);
    const question = `Passphrase of the key of ${config.name}`;
    const passphrase = await readPassphrase(context, args['passphrase-file'], question, { twice: false });
    const { state: folder } = config;
    const { old, key } = await rotateKey({ folder, passphrase, allowInsecure: args['allow-insecure'] });
    const [before, after] = [fingerprint(nodeCrypto, old), fingerprint(nodeCrypto, key)];
    printResult(
      context,
      { name: config.name, old, key, fingerprint: after },
      `${config.name} has a new key; the old one opens nothing any more.\n${fields(context, [
        ['old key', before],
        ['new key', after],
      ])}`,
    );
    note(
      context,
      '\nTell the other partners the new fingerprint by telephone. Those whose policy says `rotation: follow` go on;\n' +
        'the others accept it: `tributary node members accept NAME`.\n' +
        `Next: tributary node start --config ${args.config}`,
    );
  },
});
