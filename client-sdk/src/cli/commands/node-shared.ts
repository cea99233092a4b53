/** What the node commands have in common: node.yaml, and the key in its state folder. */
import type { Identity } from '@tributary/protocol';
import type { ArgsDef } from 'citty';
import type { NodeConfig } from '../../node/config.ts';
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

/** @throws forbidden for a wrong passphrase */
export async function openKey(
  context: Context,
  config: NodeConfig,
  file: string | undefined,
): Promise<Identity> {
  const question = `Passphrase of the key of ${config.name}`;
  return loadIdentity(config.state, await readPassphrase(context, file, question, { twice: false }));
}
