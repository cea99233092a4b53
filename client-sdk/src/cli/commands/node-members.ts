/** Whose keys this node accepts: without acceptance a partner does not count. */
import { TributaryError } from '@tributary/protocol';
import { acceptMember, type ListedMember, listMembers } from '../../node/members.ts';
import { noteShown, requireShown } from '../../node/shown.ts';
import { command, group, UsageError } from '../command.ts';
import type { Context } from '../context.ts';
import { note, printResult, table } from '../output.ts';
import { KEY_ARGS, openKey, readConfig } from './node-shared.ts';

const MEMBER_ARGS = {
  ...KEY_ARGS,
  offline: {
    type: 'boolean',
    description: 'Use the last known list: needs neither coordinator nor passphrase',
  },
} as const;

interface MemberArgs {
  readonly config: string;
  readonly 'passphrase-file': string | undefined;
  readonly 'allow-insecure': boolean;
  readonly offline: boolean;
}

const list = command({
  name: 'list',
  description: 'List who is enrolled, with fingerprints to compare by telephone, and whom this node accepts',
  examples: [
    { line: 'node members list --config clinic-a/node.yaml', does: 'asks the coordinator' },
    { line: 'node members list --offline', does: 'the last known list' },
  ],
  args: MEMBER_ARGS,
  async run(context, args) {
    const { folder, members } = await ask(context, args);
    const listed = members.filter(({ status }) => status !== 'gone');
    await noteShown(folder, listed);
    printResult(context, members, memberTable(context, members));
    const self = members.find(({ status }) => status === 'self');
    const open = members.filter(
      ({ role, status }) =>
        role === 'partner' && (status === 'stranger' || status === 'rotated' || status === 'changed'),
    );
    if (open.length > 0 && self?.role === 'partner')
      note(
        context,
        '\nThe coordinator could invent partners: compare fingerprints by telephone, then accept by name.',
      );
  },
});

const accept = command({
  name: 'accept',
  description: 'Accept the keys of partners whose fingerprints you have compared',
  examples: [
    { line: 'node members accept clinic-b clinic-c', does: 'by name' },
    {
      line: 'node members accept --all',
      does: 'all partners that are new, once you have compared all of them',
    },
    { line: 'node members accept clinic-b --replace', does: 'a key that the accepted one did not sign for' },
  ],
  args: {
    name: { type: 'positional', required: false, description: 'Names of partners' },
    all: { type: 'boolean', description: 'All partners that are not accepted yet' },
    replace: { type: 'boolean', description: 'Also where another key was accepted under this name before' },
    ...MEMBER_ARGS,
  },
  takesRest: true,
  async run(context, args, rest) {
    const names = args.name === undefined ? [] : [args.name, ...rest];
    if (names.length === 0 && !args.all)
      throw new UsageError(
        'Whom to accept?',
        'Give names, or --all; `tributary node members list` shows them.',
      );
    if (names.length > 0 && args.all) throw new UsageError('Both names and --all.', 'Give one of the two.');
    const { folder, members } = await ask(context, args);
    const chosen = args.all ? newPartners(members) : names.map((name) => find(members, name));
    // A rotated key is signed for by the accepted one, and cannot be exchanged for a third.
    await requireShown(
      folder,
      chosen.filter(({ status }) => status !== 'rotated' && status !== 'accepted'),
    );
    for (const { name, key } of chosen) await acceptMember(folder, name, { key, replace: args.replace });
    const accepted = chosen.map((member) => ({ ...member, status: 'accepted' as const }));
    printResult(context, accepted, accepted.length > 0 ? memberTable(context, accepted) : nobodyNew(members));
    if (accepted.length > 0)
      note(
        context,
        '\nNot compared yet? Do it now, by telephone: these keys decide who can be in a sum with you.',
      );
  },
});

export const members = group({
  name: 'members',
  description: 'List the partners and accept their keys',
  examples: [{ line: 'node members list', does: 'who is enrolled, and who is accepted' }],
  commands: [list, accept],
});

async function ask(
  context: Context,
  args: MemberArgs,
): Promise<{ folder: string; members: readonly ListedMember[] }> {
  const config = await readConfig(args.config);
  const folder = config.state;
  if (args.offline) return { folder, members: await listMembers({ folder }) };
  const identity = await openKey(context, config, args['passphrase-file']);
  return { folder, members: await listMembers({ folder, identity, allowInsecure: args['allow-insecure'] }) };
}

function memberTable(context: Context, members: readonly ListedMember[]): string {
  const rows = members.map(({ name, role, status, fingerprint }) => [
    name,
    role,
    role === 'evaluator' && status === 'stranger' ? 'needs no acceptance' : STATUS_WORDS[status],
    fingerprint,
  ]);
  return table(context, ['NAME', 'ROLE', 'STATUS', 'KEY FINGERPRINT'], rows);
}

const STATUS_WORDS: Readonly<Record<ListedMember['status'], string>> = {
  self: 'this node',
  accepted: 'accepted',
  stranger: 'not accepted',
  rotated: 'NEW KEY, signed by the accepted one',
  changed: 'KEY CHANGED',
  gone: 'accepted, gone',
};

function newPartners(members: readonly ListedMember[]): ListedMember[] {
  return members.filter(({ role, status }) => role === 'partner' && status === 'stranger');
}

/** `--all` leaves changed keys out: each of them is a call by telephone of its own. */
function nobodyNew(members: readonly ListedMember[]): string {
  const changed = members.filter(({ status }) => status === 'rotated' || status === 'changed');
  if (changed.length === 0) return 'Nobody new: all partners are accepted.';
  const names = changed.map(({ name }) => name);
  return `Nobody new. Not accepted are new keys of ${names.join(', ')}: \`tributary node members list\`, ask by telephone, then accept them by name.`;
}

function find(members: readonly ListedMember[], name: string): ListedMember {
  const found = members.find((member) => member.name === name && member.status !== 'gone');
  if (!found)
    throw new TributaryError('not-found', `Nobody named ${name} is enrolled.`, {
      remedy: '`tributary node members list` shows the names.',
    });
  if (found.status === 'self')
    throw new UsageError(`${name} is this node itself.`, 'It needs no acceptance.');
  return found;
}
