/** The coordinator's new key, accepted by the owner. */
import { fingerprint } from '@tributary/protocol';
import { nodeCrypto } from '@tributary/protocol/node';
import { trustCoordinator } from '../../node/trust.ts';
import { command } from '../command.ts';
import { fields, printResult } from '../output.ts';
import { CONFIG_ARGS, KEY_ARGS, readConfig } from './node-shared.ts';

export const trust = command({
  name: 'trust',
  description: 'Accept the new key of the coordinator, which the pinned one signed for',
  examples: [
    {
      line: 'node trust 0f3c-11d2-9a40-7be1-c5d8-2a6e-44f0-b913 --config clinic-a/node.yaml',
      does: 'the fingerprint as the operator told it by telephone',
    },
  ],
  args: {
    fingerprint: { type: 'positional', description: 'Fingerprint of the new key' },
    ...CONFIG_ARGS,
    'allow-insecure': KEY_ARGS['allow-insecure'],
  },
  async run(context, args) {
    const { state: folder, enrolment } = await readConfig(args.config);
    const { fingerprint: given, 'allow-insecure': allowInsecure } = args;
    const { key } = await trustCoordinator({ folder, fingerprint: given, allowInsecure });
    printResult(
      context,
      { coordinator: enrolment.url, old: enrolment.key, key, fingerprint: fingerprint(nodeCrypto, key) },
      `The coordinator at ${enrolment.url} is trusted under its new key. A node that runs goes on by itself.\n${fields(
        context,
        [
          ['old key', fingerprint(nodeCrypto, enrolment.key)],
          ['new key', fingerprint(nodeCrypto, key)],
        ],
      )}`,
    );
  },
});
