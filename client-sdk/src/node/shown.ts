/**
 * Which key the owner was shown under a name. Fingerprints are compared by telephone between two commands, `members list`
 * and `members accept`: a coordinator that shows the right key to the first and another one to the second would have the
 * wrong one accepted (PROTOCOL.md 3.4).
 */
import { fingerprint, type Member, TributaryError } from '@tributary/protocol';
import { nodeCrypto } from '@tributary/protocol/node';
import { changeMembers, loadMembers, type MembersFile } from './members-file.ts';

type Named = Pick<Member, 'name' | 'key'>;

/** A coordinator cannot fill this node's disk: the names that were shown longest ago make room. */
const KEPT = 20_000;

/** Also a name that the coordinator leaves out for a while stays. */
export function withShown(file: MembersFile, members: readonly Named[], again: boolean): MembersFile {
  const shown = new Map((file.shown ?? []).map(({ name, key }) => [name, key]));
  for (const { name, key } of members) {
    if (shown.has(name) && !again) continue;
    shown.delete(name);
    shown.set(name, key);
  }
  return { ...file, shown: [...shown].slice(-KEPT).map(([name, key]) => ({ name, key })) };
}

/** The owner has these before its eyes now, to compare them. */
export function noteShown(folder: string, members: readonly Named[]): Promise<void> {
  return changeMembers(folder, (file) => withShown(file, members, true));
}

/** @throws conflict for a name with another key than the one shown, or with two keys */
export async function requireShown(folder: string, members: readonly Named[]): Promise<void> {
  const { shown = [], seen } = await loadMembers(folder);
  for (const { name, key } of members) {
    const keys = new Set(seen.filter((member) => member.name === name).map((member) => member.key));
    if (keys.size > 1)
      throw new TributaryError('conflict', `The coordinator names ${keys.size} members ${name}.`, {
        remedy: 'Two partners cannot have one name: ask its operator, and accept neither.',
      });
    const before = shown.find((member) => member.name === name);
    if (before && before.key !== key)
      throw new TributaryError(
        'conflict',
        `The key of ${name} changed since it was listed: shown was ${fingerprint(nodeCrypto, before.key)}, ` +
          `the coordinator now says ${fingerprint(nodeCrypto, key)}.`,
        { remedy: '`tributary node members list`, and compare the fingerprint again, by telephone.' },
      );
  }
}
