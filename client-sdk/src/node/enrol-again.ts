/**
 * A partner that was removed and invited anew, into the folder that it has (RUNBOOKS.md, when a key is stolen): the key is
 * new, the ledger stays. A folder without it could send a second vector on weights that it has sent one on.
 */
import { fingerprint, type Identity, type Invite, type Member, TributaryError } from '@tributary/protocol';
import { crashPoint, nodeCrypto } from '@tributary/protocol/node';
import { getMembers } from '../connection/requests.ts';
import { askedFor, findSuccessor } from '../connection/successor.ts';
import {
  type Enrolled,
  type Enrolment,
  loadEnrolment,
  replaceCoordinator,
  saveAddress,
} from './enrolment.ts';
import {
  adoptNextIdentity,
  discardNextIdentity,
  findNextIdentity,
  loadIdentity,
  openNextIdentity,
} from './identity-file.ts';
import { lockFolder } from './lock.ts';
import { noteSeen } from './members.ts';
import { forgetRotation } from './rotation-file.ts';

export interface EnrolAgainOptions {
  readonly folder: string;
  /** Of the old key, and of the new one. */
  readonly passphrase: string;
  readonly base: URL;
  readonly invite: Invite;
  readonly before: Enrolment;
  /** The owner's policy is `rotation: follow`: a key of the coordinator that the pinned one signed for is pinned. */
  readonly follow: boolean;
  /** Shows the invite. @throws as it is refused */
  readonly bind: (identity: Identity) => Promise<Member[]>;
}

/**
 * The new key is on disk before the coordinator hears of it, and takes the old one's place after: interrupted at any
 * point, it can be tried again.
 * Decisions about plans stay as well: the coordinator that they were made for is the same one.
 * @throws conflict (another coordinator, another name), wrong-coordinator (its key was replaced, which the owner has not
 * accepted), already-running, forbidden (wrong passphrase), invite-invalid
 */
export async function enrolAgain(options: EnrolAgainOptions): Promise<Enrolled> {
  const { folder, passphrase, base, invite, before, bind } = options;
  const { key, name, role } = invite;
  if (name !== before.name || role !== before.role) throw enrolledElsewhere(folder, before);
  const release = await lockFolder(folder);
  try {
    if (key !== before.key) await followTo(options);
    const old = await loadIdentity(folder, passphrase);
    /** It may be enrolled already: then the answer got lost. */
    const goOn = async (identity: Identity) => {
      const known = await getMembers(base, key, identity).catch(() => null);
      return known ? { identity, members: known } : bound(identity);
    };
    const fresh = async () => {
      const identity = await openNextIdentity(folder, old, passphrase);
      return bound(identity).catch(async (error) => {
        if (error.code !== 'invite-invalid') throw error;
        // A spent invite: nobody knows this key, or something on the way has shown the invite twice.
        const known = await getMembers(base, key, identity).catch(({ code }) => code);
        if (Array.isArray(known)) return { identity, members: known as Member[] };
        if (known === 'unauthenticated') await discardNextIdentity(folder);
        throw error;
      });
    };
    const bound = async (identity: Identity) => ({ identity, members: await bind(identity) });
    const left = await findNextIdentity(folder, passphrase);
    const present = left ? null : await getMembers(base, key, old).catch(() => null);
    // Nobody is invited under the name of a member: the invite was used for this key, by a call that was cut off.
    if (present?.some((member) => member.key === old.id && member.name === name))
      return { identity: old, enrolment: await loadEnrolment(folder), members: present, again: true };
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
    // First: with the new key in its place the invite is used, and nothing would come here again.
    const enrolment = await saveAddress(folder, invite.url);
    await adoptNextIdentity(folder);
    await forgetRotation(folder);
    // As after a rotation: the node notes it again when it connects.
    await noteSeen(folder, members).catch(() => {});
    return { identity, enrolment, members, again: true };
  } finally {
    await release();
  }
}

/** The invite names another key than the pinned one: does that lead to it (PROTOCOL.md 4.8)? */
async function followTo({ folder, base, invite, before, follow }: EnrolAgainOptions): Promise<void> {
  if (before.former?.includes(invite.key))
    throw new TributaryError('invite-invalid', 'The invite names a key that the coordinator had before.');
  const successor = await findSuccessor(base, before.key);
  if (successor?.key !== invite.key) throw enrolledElsewhere(folder, before);
  if (follow) {
    await replaceCoordinator(folder, successor);
    return;
  }
  const asked = askedFor(successor);
  const trust = `\`tributary node trust ${fingerprint(nodeCrypto, successor.key)}\``;
  const move =
    base.origin === new URL(before.url).origin ? '' : `\`tributary node coordinator ${base.origin}\`, `;
  throw new TributaryError('wrong-coordinator', asked.message, {
    remedy: `Ask its operator for the fingerprint by telephone. Then: ${move}${trust}, and \`tributary node init INVITE\` again.`,
  });
}

function enrolledElsewhere(folder: string, { url, name }: Enrolment): TributaryError {
  return new TributaryError('conflict', `${folder} is enrolled with ${url} as ${name} already.`, {
    remedy: 'Use another state folder for another coordinator or another name.',
  });
}
