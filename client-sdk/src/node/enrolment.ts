/** The coordinator that this node is enrolled with: `coordinator.json` in the state folder. */
import { join } from 'node:path';
import { Closed, Key, Name, Role, TributaryError } from '@tributary/protocol';
import { type Static, Type } from '@tributary/protocol/typebox';
import { readJson, writeJson } from './files.ts';

const EnrolmentFile = Closed({
  url: Type.String({ pattern: '^https?://', maxLength: 2000 }),
  /** Pinned: this node talks to no other. */
  key: Key,
  /** Of this node, as the operator invited it. */
  name: Name,
  role: Role,
});
export type Enrolment = Static<typeof EnrolmentFile>;

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
