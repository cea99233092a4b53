/** Which coordinator a node is enrolled with, and that it has moved. */
import { fingerprint } from '@tributary/protocol';
import { nodeCrypto } from '@tributary/protocol/node';
import { moveCoordinator } from '../../node/move.ts';
import { command } from '../command.ts';
import { fields, printResult } from '../output.ts';
import { CONFIG_ARGS, KEY_ARGS, readConfig } from './node-shared.ts';

export const coordinator = command({
  name: 'coordinator',
  description: 'Show the coordinator of this node, or give it the address that it has moved to',
  examples: [
    { line: 'node coordinator --config clinic-a/node.yaml', does: 'which one, and the key that is pinned' },
    {
      line: 'node coordinator https://fl2.example.org',
      does: 'the same one, with the same key, lives there now',
    },
  ],
  args: {
    url: { type: 'positional', required: false, valueHint: 'URL', description: 'The new address' },
    ...CONFIG_ARGS,
    'allow-insecure': KEY_ARGS['allow-insecure'],
  },
  async run(context, { config, url, 'allow-insecure': allowInsecure }) {
    const { state: folder, enrolment: before } = await readConfig(config);
    const enrolment = url === undefined ? before : await moveCoordinator({ folder, url, allowInsecure });
    const shown = fingerprint(nodeCrypto, enrolment.key);
    const { key, name, role } = enrolment;
    const facts = fields(context, [
      ['address', enrolment.url],
      ['its key', shown],
      ['this node', `${name} (${role})`],
    ]);
    const moved = enrolment.url !== before.url;
    printResult(
      context,
      { coordinator: enrolment.url, before: before.url, key, fingerprint: shown, name, role },
      moved ? `The coordinator was at ${before.url}. Start the node again if it runs.\n${facts}` : facts,
    );
  },
});
