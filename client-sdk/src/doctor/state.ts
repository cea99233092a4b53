/** The state folder of a node: who may read it, key, ledger, accepted members, lock. Nothing is written. */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Check, type Finding, failed, fine, fingerprint, LIMITS, warning } from '@tributary/protocol';
import { nodeCrypto } from '@tributary/protocol/node';
import type { NodeConfig } from '../node/config.ts';
import { readIdentityKey } from '../node/identity-file.ts';
import { readLines } from '../node/ledger/lines.ts';
import { isLocked } from '../node/lock.ts';
import { listMembers } from '../node/members.ts';
import { shellWord } from '../shell-word.ts';
import { diskSpace, isWritable } from './machine.ts';

/** Approvals, members and a long ledger. */
const OWN_FILES = 16 * LIMITS.plan + 100_000_000;

/** @param file path of node.yaml, for the commands that remedies name */
export function stateChecks(config: NodeConfig, file: string): Check[] {
  const { state } = config;
  // A trainer of the owner's own gets the model as a file and gives one back.
  const need = OWN_FILES + (config.trainer ? 2 * LIMITS.blob : 0);
  return [
    { name: 'state', run: () => folder(state) },
    { name: 'disk', run: async () => [await diskSpace('disk', state, need)] },
    { name: 'key', run: async () => [await key(state)] },
    { name: 'ledger', run: async () => [await ledger(join(state, 'ledger'))] },
    { name: 'members', run: () => members(config, file) },
    { name: 'running', run: async () => [await running(state)] },
  ];
}

const FILES = [
  'identity.json',
  'identity.next.json',
  'rotation.json',
  'coordinator.json',
  'members.json',
  'approvals.json',
  'ledger',
];

async function folder(state: string): Promise<Finding[]> {
  if (!(await isWritable(state)))
    return [
      failed(
        'state',
        `${state} cannot be written: the ledger could not be kept.`,
        `Check owner and mount: \`ls -ld ${state}\`.`,
      ),
    ];
  if (process.platform === 'win32') return [fine('state', state)];
  const open: Finding[] = [];
  const look = async (path: string, least: string): Promise<void> => {
    const found = await stat(path).catch(() => undefined);
    if (!found || (found.mode & 0o077) === 0) return;
    const mode = (found.mode & 0o777).toString(8);
    open.push(
      warning('state', `${path} has mode ${mode}: others get at it.`, `Run \`chmod ${least} ${path}\`.`),
    );
  };
  await look(state, '700');
  for (const name of FILES) await look(join(state, name), '600');
  return open.length > 0 ? open : [fine('state', `${state} is for its owner only, and can be written`)];
}

async function key(state: string): Promise<Finding> {
  const found = await readIdentityKey(state);
  if (found === undefined)
    return failed('key', `${state} holds no key.`, 'Enrol this node: `tributary node init INVITE`.');
  return fine('key', `${fingerprint(nodeCrypto, found)}, encrypted under your passphrase`);
}

async function ledger(path: string): Promise<Finding> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT')
      return fine('ledger', 'empty: this node has taken part in nothing yet');
    return failed('ledger', `${path} cannot be read.`, `Check its owner: \`ls -l ${path}\`.`);
  }
  const { records } = readLines(bytes, path);
  return fine('ledger', `${records.length} records, none damaged`);
}

async function members({ state, policy, name }: NodeConfig, file: string): Promise<Finding[]> {
  if (policy.role === 'evaluator') return [];
  const listed = (await listMembers({ folder: state })).filter(({ role }) => role === 'partner');
  const named = (...status: string[]) => listed.filter((member) => status.includes(member.status));
  const counting = 1 + named('accepted').filter((member) => member.name !== name).length;
  const count = counting === 1 ? 'only this partner counts' : `${counting} partners count, this one included`;
  const words = `${count}; the policy wants ${policy.minRoster}`;
  const findings = [
    counting >= policy.minRoster
      ? fine('members', words)
      : warning(
          'members',
          words,
          `Compare the fingerprints by telephone: \`tributary node members list --config ${shellWord(file)}\`, then \`accept NAME\`.`,
        ),
  ];
  for (const stranger of named('stranger', 'rotated', 'changed'))
    findings.push(
      warning(
        'members',
        stranger.status === 'rotated'
          ? `${stranger.name} has a new key, which the accepted one signed for: ${stranger.fingerprint}.`
          : stranger.status === 'changed'
            ? `${stranger.name} shows another key than the accepted one: ${stranger.fingerprint}.`
            : `${stranger.name} is not accepted: ${stranger.fingerprint}.`,
        `After a telephone call: \`tributary node members accept ${stranger.name} --config ${shellWord(file)}\`.`,
      ),
    );
  return findings;
}

async function running(state: string): Promise<Finding> {
  return fine(
    'running',
    (await isLocked(state)) ? 'a node runs on this folder' : 'no node runs on this folder',
  );
}
