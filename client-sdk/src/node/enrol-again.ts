/**
 * A partner that was removed and invited anew, into the folder that it has (SECURITY.md, when a key is stolen): the key is
 * new, the ledger stays. A folder without it could send a second vector on weights that it has sent one on.
 */
import { type Identity, type Invite, type Member, TributaryError } from '@tributary/protocol';
import { crashPoint } from '@tributary/protocol/node';
import { getMembers } from '../connection/requests.ts';
import type { Enrolled, Enrolment } from './enrolment.ts';
import {
  adoptNextIdentity,
  discardNextIdentity,
  findNextIdentity,
  loadIdentity,
  openNextIdentity,
} from './identity-file.ts';
import { lockFolder } from './lock.ts';
import { noteSeen } from './members.ts';

export interface EnrolAgainOptions {
  readonly folder: string;
  /** Of the old key, and of the new one. */
  readonly passphrase: string;
  readonly base: URL;
  readonly invite: Invite;
  readonly before: Enrolment;
  /** Shows the invite. @throws as it is refused */
  readonly bind: (identity: Identity) => Promise<Member[]>;
}

/**
 * The new key is on disk before the coordinator hears of it, and takes the old one's place after: interrupted at any
 * point, it can be tried again.
 * @throws conflict (another coordinator, another name), already-running, forbidden (wrong passphrase), invite-invalid
 */
export async function enrolAgain(options: EnrolAgainOptions): Promise<Enrolled> {
  const { folder, passphrase, base, invite, before, bind } = options;
  const { key, name, role } = before;
  if (invite.key !== key || invite.name !== name || invite.role !== role)
    throw new TributaryError('conflict', `${folder} is enrolled with ${before.url} as ${name} already.`, {
      remedy: 'Use another state folder for another coordinator or another name.',
    });
  const release = await lockFolder(folder);
  try {
    const old = await loadIdentity(folder, passphrase);
    /** It may be enrolled already: then the answer got lost. */
    const goOn = async (identity: Identity) => {
      const known = await getMembers(base, key, identity).catch(() => null);
      return known ? { identity, members: known } : bound(identity);
    };
    const fresh = () => openNextIdentity(folder, old, passphrase).then(bound);
    const bound = async (identity: Identity) => ({ identity, members: await bind(identity) });
    const left = await findNextIdentity(folder, passphrase);
    const { identity, members } = left
      ? await goOn(left).catch(async (error) => {
          if (error.code !== 'conflict') throw error;
          // Of a rotation that was revoked with the old key: nobody will ever know it.
          await discardNextIdentity(folder);
          return fresh();
        })
      : await fresh();
    if (members.find((member) => member.key === identity.id)?.name !== name)
      throw new TributaryError('invite-invalid', `The coordinator does not list this node as ${name}.`);
    crashPoint('node.enrol-again.bound');
    await adoptNextIdentity(folder);
    // As after a rotation: the node notes it again when it connects.
    await noteSeen(folder, members).catch(() => {});
    return { identity, enrolment: before, members, again: true };
  } finally {
    await release();
  }
}
