/** The coordinator that this node is enrolled with: `coordinator.json` in the state folder. */
import { join } from 'node:path';
import {
  Closed,
  type Identity,
  Key,
  LIMITS,
  type Member,
  Name,
  Role,
  TributaryError,
} from '@tributary/protocol';
import { type Static, Type } from '@tributary/protocol/typebox';
import { readJson, writeJson } from './files.ts';

const EnrolmentFile = Closed({
  url: Type.String({ pattern: '^https?://', maxLength: 2000 }),
  /** Pinned: this node talks to no other. */
  key: Key,
  /** Keys of the same coordinator that were replaced by that one, oldest first. */
  former: Type.Optional(Type.Array(Key, { maxItems: LIMITS.rotations })),
  /** Of this node, as the operator invited it. */
  name: Name,
  role: Role,
});
export type Enrolment = Static<typeof EnrolmentFile>;

/** What joining a coordinator comes to. */
export interface Enrolled {
  readonly identity: Identity;
  readonly enrolment: Enrolment;
  /** Enrolled so far, this node included. None of them is accepted yet. */
  readonly members: readonly Member[];
  /** The folder was enrolled before: the key is new, the ledger and accepted members are those of before. */
  readonly again: boolean;
}

const pathIn = (folder: string): string => join(folder, 'coordinator.json');

/** @throws not-found when this folder was never enrolled */
export async function loadEnrolment(folder: string): Promise<Enrolment> {
  const enrolment = await findEnrolment(folder);
  if (enrolment) return enrolment;
  throw new TributaryError('not-found', `${folder} is not enrolled with a coordinator.`, {
    remedy: 'Enrol this node first: `tributary node init INVITE`.',
  });
}

export async function findEnrolment(folder: string): Promise<Enrolment | undefined> {
  return readJson(pathIn(folder), EnrolmentFile);
}

/** @throws conflict: a state folder belongs to one coordinator for good, since its ledger does. */
export async function saveEnrolment(folder: string, enrolment: Enrolment): Promise<void> {
  await writeJson(pathIn(folder), enrolment, true);
}

/** The coordinator's key was replaced by one that it signed for, and the owner or the policy has agreed. */
export async function replaceCoordinator(
  folder: string,
  { key, former }: Pick<Enrolment, 'key'> & { readonly former: readonly string[] },
): Promise<Enrolment> {
  const before = await loadEnrolment(folder);
  if (before.key === key) return before;
  if (before.key !== former[0])
    throw new TributaryError('conflict', `${folder} has pinned ${before.key} meanwhile.`);
  const after = { ...before, key, former: [...(before.former ?? []), ...former].slice(-LIMITS.rotations) };
  await writeJson(pathIn(folder), after);
  return after;
}

/** The same coordinator, at another address. */
export async function saveAddress(folder: string, url: string): Promise<Enrolment> {
  const after = { ...(await loadEnrolment(folder)), url };
  await writeJson(pathIn(folder), after);
  return after;
}

/** Under which it may have been named in what members signed: the pinned key, and those that it replaced. */
export function coordinatorKeys({ key, former = [] }: Enrolment): string[] {
  return [...former, key];
}

/** None for a folder that was never enrolled. */
export async function coordinatorKeysOf(folder: string): Promise<string[]> {
  const enrolment = await findEnrolment(folder);
  return enrolment ? coordinatorKeys(enrolment) : [];
}
