import { fingerprint, type Identity, type Member, TributaryError } from '@tributary/protocol';
import { nodeCrypto } from '@tributary/protocol/node';
import { getMembers, getRotations } from '../connection/requests.ts';
import { requireSecureUrl } from '../connection/url.ts';
import { coordinatorKeysOf, loadEnrolment } from './enrolment.ts';
import { readIdentityKey } from './identity-file.ts';
import { changeMembers, loadMembers, type PinnedMember } from './members-file.ts';
import { type Move, movesOf, withRotations } from './moves.ts';
import { withShown } from './shown.ts';

/**
 * - `self`: this node.
 * - `accepted`: counts.
 * - `stranger`: named by the coordinator only; does not count.
 * - `rotated`: the accepted key signed that this one takes its place; does not count before it is accepted.
 * - `changed`: the coordinator shows another key under an accepted name; does not count.
 * - `gone`: accepted, but the coordinator names it no longer.
 */
export type MemberStatus = 'self' | 'accepted' | 'stranger' | 'rotated' | 'changed' | 'gone';

export interface ListedMember {
  readonly name: string;
  readonly key: string;
  /** To compare by telephone. */
  readonly fingerprint: string;
  readonly role: Member['role'];
  readonly status: MemberStatus;
}

/** Notes whom the coordinator names; accepts nobody. */
export async function noteSeen(folder: string, members: readonly Member[]): Promise<void> {
  const before = await loadMembers(folder);
  if (JSON.stringify(before.seen) !== JSON.stringify(members))
    await changeMembers(folder, (file) => withShown({ ...file, seen: [...members] }, members, false));
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
    const base = requireSecureUrl(url, allowInsecure);
    await noteSeen(folder, await getMembers(base, key, identity));
    const rotations = await getRotations(base, key, identity);
    await changeMembers(folder, (file) => withRotations(file, rotations));
  }
  const file = await loadMembers(folder);
  const { pinned, seen } = file;
  const moves = movesOf(file, await coordinatorKeysOf(folder));
  const self = await readIdentityKey(folder);
  const listed = seen.map(({ name, key, role }) =>
    entry(name, key, role, statusOf(name, key, self, pinned, moves)),
  );
  const gone = pinned
    .filter(({ key }) => !seen.some((member) => member.key === key) && !moves.has(key))
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
  moves: ReadonlyMap<string, Move>,
): MemberStatus {
  if (key === self) return 'self';
  if (pinned.some((member) => member.key === key)) return 'accepted';
  if ([...moves.values()].some((move) => move.key === key)) return 'rotated';
  return pinned.some((member) => member.name === name) ? 'changed' : 'stranger';
}

/**
 * Accepts the key under which the coordinator last named `name`. The caller has shown the fingerprint to the owner.
 * @param key what the owner compared; a list that changed meanwhile is noticed.
 * A key that the accepted one signed for takes its place.
 * @param replace accepts a new key for a name that is accepted already (the old key counts no longer).
 * @throws not-found for a name that was never listed, conflict when the key changed
 */
export async function acceptMember(
  folder: string,
  name: string,
  { key, replace = false }: { key?: string; replace?: boolean } = {},
): Promise<PinnedMember> {
  let accepted: PinnedMember | undefined;
  const coordinators = await coordinatorKeysOf(folder);
  await changeMembers(folder, (file) => {
    const { pinned, seen } = file;
    const member = seen.find((candidate) => candidate.name === name);
    if (!member) {
      const remedy = '`tributary node members list` asks the coordinator who is enrolled.';
      throw new TributaryError('not-found', `No member is named ${name}.`, { remedy });
    }
    if (key !== undefined && key !== member.key)
      throw new TributaryError('conflict', `The key of ${name} changed since it was listed.`, {
        remedy: 'List the members again and compare the fingerprint again.',
      });
    const moves = movesOf(file, coordinators);
    const moved = pinned.find((other) => moves.get(other.key)?.key === member.key);
    const before = pinned.find((other) => other.name === name || other.key === member.key) ?? moved;
    if (before?.key === member.key && before.name === name) {
      accepted = before;
      return file;
    }
    if (before && before !== moved && !replace)
      throw new TributaryError(
        'conflict',
        `Accepted is ${before.name} with ${fingerprint(nodeCrypto, before.key)}; the coordinator now shows ` +
          `${name} with ${fingerprint(nodeCrypto, member.key)}.`,
        { remedy: 'Ask that partner by telephone whether this is its new key; only then add --replace.' },
      );
    accepted = { name, key: member.key, acceptedAt: Date.now() };
    return { ...file, pinned: [...pinned.filter((other) => other !== before), accepted] };
  });
  return accepted!;
}
