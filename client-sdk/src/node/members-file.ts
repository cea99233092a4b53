/** `members.json` in the state folder: whom the owner has accepted, and what the coordinator said last. */
import { join } from 'node:path';
import { Closed, Count, Key, Member, Name, RotationList } from '@tributary/protocol';
import { type Static, Type } from '@tributary/protocol/typebox';
import { exclusively, readJson, writeJson } from './files.ts';

const PinnedMember = Closed({ name: Name, key: Key, acceptedAt: Count });
/** A member whose key the owner has accepted. */
export type PinnedMember = Static<typeof PinnedMember>;

const MembersFile = Closed({
  pinned: Type.Array(PinnedMember),
  /** As the coordinator last named them. */
  seen: Type.Array(Member),
  /** Under each name the key that the owner was shown last. */
  shown: Type.Optional(Type.Array(Closed({ name: Name, key: Key }))),
  /** As the coordinator last gave them: nothing of it is believed unverified. */
  rotations: Type.Optional(RotationList),
});
export type MembersFile = Static<typeof MembersFile>;

export const membersPath = (folder: string): string => join(folder, 'members.json');

export async function loadMembers(folder: string): Promise<MembersFile> {
  return (await readJson(membersPath(folder), MembersFile)) ?? { pinned: [], seen: [] };
}

export async function changeMembers(folder: string, next: (file: MembersFile) => MembersFile): Promise<void> {
  await exclusively(membersPath(folder), async () => {
    const before = await loadMembers(folder);
    const after = next(before);
    if (JSON.stringify(before) !== JSON.stringify(after)) await writeJson(membersPath(folder), after);
  });
}

export async function loadPinned(folder: string): Promise<readonly PinnedMember[]> {
  return (await loadMembers(folder)).pinned;
}
