/**
 * Whose keys the owner of this node has accepted. A coordinator could invent partners; so it only names them, and a
 * partner counts once its fingerprint was compared by other means and accepted here.
 */
import { join } from 'node:path';
import {
  Closed,
  Count,
  fingerprint,
  type Identity,
  Key,
  Member,
  Name,
  TributaryError,
} from '@tributary/protocol';
import { nodeCrypto } from '@tributary/protocol/node';
import { type Static, Type } from '@tributary/protocol/typebox';
import { getMembers } from '../connection/requests.ts';
import { requireSecureUrl } from '../connection/url.ts';
import { loadEnrolment } from './enrolment.ts';
import { exclusively, readJson, writeJson } from './files.ts';
import { readIdentityKey } from './identity-file.ts';

const PinnedMember = Closed({ name: Name, key: Key, acceptedAt: Count });
/** A member whose key the owner has accepted. */
export type PinnedMember = Static<typeof PinnedMember>;

const MembersFile = Closed({
  pinned: Type.Array(PinnedMember),
  /** As the coordinator last named them. */
  seen: Type.Array(Member),
});
type MembersFile = Static<typeof MembersFile>;

/**
 * - `self`: this node.
 * - `accepted`: counts.
 * - `stranger`: named by the coordinator only; does not count.
 * - `changed`: the coordinator shows another key under an accepted name; does not count.
 * - `gone`: accepted, but the coordinator names it no longer.
 */
export type MemberStatus = 'self' | 'accepted' | 'stranger' | 'changed' | 'gone';

export interface ListedMember {
  readonly name: string;
  readonly key: string;
  /** To compare by telephone. */
  readonly fingerprint: string;
  readonly role: Member['role'];
  readonly status: MemberStatus;
}

export const membersPath = (folder: string): string => join(folder, 'members.json');

async function load(folder: string): Promise<MembersFile> {
  return (await readJson(membersPath(folder), MembersFile)) ?? { pinned: [], seen: [] };
}

async function change(folder: string, next: (file: MembersFile) => MembersFile): Promise<void> {
  await exclusively(membersPath(folder), async () =>
    writeJson(membersPath(folder), next(await load(folder))),
  );
}

export async function loadPinned(folder: string): Promise<readonly PinnedMember[]> {
  return (await load(folder)).pinned;
}

/** Notes whom the coordinator names; accepts nobody. */
export async function noteSeen(folder: string, members: readonly Member[]): Promise<void> {
  const before = await load(folder);
  if (JSON.stringify(before.seen) !== JSON.stringify(members))
    await change(folder, ({ pinned }) => ({ pinned, seen: [...members] }));
}

export interface ListMembersOptions {
  readonly folder: string;
  /** Asks the coordinator with this key; left out, the last known list is shown. */
  readonly identity?: Identity;
  readonly allowInsecure?: boolean;
}

/** Members by name, those of the coordinator merged with the accepted ones. @throws not-found, unavailable, forbidden */
export async function listMembers(options: ListMembersOptions): Promise<ListedMember[]> {
  const { folder, identity, allowInsecure = false } = options;
  if (identity) {
    const { url, key } = await loadEnrolment(folder);
    await noteSeen(folder, await getMembers(requireSecureUrl(url, allowInsecure), key, identity));
  }
  const { pinned, seen } = await load(folder);
  const self = await readIdentityKey(folder);
  const listed = seen.map(({ name, key, role }) => entry(name, key, role, statusOf(name, key, self, pinned)));
  const gone = pinned
    .filter(({ key }) => !seen.some((member) => member.key === key))
    .map(({ name, key }) => entry(name, key, 'partner', 'gone'));
  return [...listed, ...gone].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function entry(name: string, key: string, role: Member['role'], status: MemberStatus): ListedMember {
  return { name, key, fingerprint: fingerprint(nodeCrypto, key), role, status };
}

function statusOf(
  name: string,
  key: string,
  self: string | undefined,
  pinned: readonly PinnedMember[],
): MemberStatus {
  if (key === self) return 'self';
  if (pinned.some((member) => member.key === key)) return 'accepted';
  return pinned.some((member) => member.name === name) ? 'changed' : 'stranger';
}

/**
 * Accepts the key under which the coordinator last named `name`. The caller has shown the fingerprint to the owner.
 * @param key what the owner compared; a list that changed meanwhile is noticed.
 * @param replace accepts a new key for a name that is accepted already (the old key counts no longer).
 * @throws not-found for a name that was never listed, conflict when the key changed
 */
export async function acceptMember(
  folder: string,
  name: string,
  { key, replace = false }: { key?: string; replace?: boolean } = {},
): Promise<PinnedMember> {
  let accepted: PinnedMember | undefined;
  await change(folder, ({ pinned, seen }) => {
    const member = seen.find((candidate) => candidate.name === name);
    if (!member) {
      const remedy = '`tributary node members list` asks the coordinator who is enrolled.';
      throw new TributaryError('not-found', `No member is named ${name}.`, { remedy });
    }
    if (key !== undefined && key !== member.key)
      throw new TributaryError('conflict', `The key of ${name} changed since it was listed.`, {
        remedy: 'List the members again and compare the fingerprint again.',
      });
    const before = pinned.find((other) => other.name === name || other.key === member.key);
    if (before?.key === member.key && before.name === name) {
      accepted = before;
      return { pinned, seen };
    }
    if (before && !replace)
      throw new TributaryError(
        'conflict',
        `Accepted is ${before.name} with ${fingerprint(nodeCrypto, before.key)}; the coordinator now shows ` +
          `${name} with ${fingerprint(nodeCrypto, member.key)}.`,
        { remedy: 'Ask that partner whether it changed its key; only then replace it.' },
      );
    accepted = { name, key: member.key, acceptedAt: Date.now() };
    return { pinned: [...pinned.filter((other) => other !== before), accepted], seen };
  });
  return accepted!;
}
