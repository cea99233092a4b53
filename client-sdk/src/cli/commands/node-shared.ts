/** What the node commands have in common: node.yaml, and the key in its state folder. */
import { type Identity, TributaryError } from '@tributary/protocol';
import type { ArgsDef } from 'citty';
import { loadNodeConfig, type NodeConfig } from '../../node/config.ts';
import { loadIdentity } from '../../node/identity-file.ts';
import type { Context } from '../context.ts';
import { PASSPHRASE_ARGS, readPassphrase } from '../secrets.ts';

export const CONFIG_ARGS = {
  config: { type: 'string', default: 'node.yaml', valueHint: 'FILE', description: "The node's file" },
} as const satisfies ArgsDef;

/** For commands that open the node's key. */
export const KEY_ARGS = {
  ...CONFIG_ARGS,
  ...PASSPHRASE_ARGS,
  'allow-insecure': {
    type: 'boolean',
    description: 'Accept http:// to another machine, where everybody on the way sees which models move',
  },
} as const satisfies ArgsDef;

/** @throws not-found, malformed naming file and field */
export async function readConfig(path: string): Promise<NodeConfig> {
  try {
    return await loadNodeConfig(path);
  } catch (thrown) {
    if (!(thrown instanceof TributaryError) || thrown.code !== 'malformed') throw thrown;
    const message = thrown.message.includes(path) ? thrown.message : `${path}: ${thrown.message}`;
    throw new TributaryError('malformed', message, { remedy: `Correct that in ${path}.`, cause: thrown });
  }
}

/** @throws forbidden for a wrong passphrase */
export async function openKey(
  context: Context,
  config: NodeConfig,
  file: string | undefined,
): Promise<Identity> {
  const question = `Passphrase of the key of ${config.name}`;
  return loadIdentity(config.state, await readPassphrase(context, file, question, { twice: false }));
}
