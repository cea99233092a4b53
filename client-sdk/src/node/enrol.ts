/** Joining a coordinator with a one-time invite. */
import { decodeInvite, type Identity, type Member, TributaryError } from '@tributary/protocol';
import { crashPoint } from '@tributary/protocol/node';
import { getMembers, postEnrol } from '../connection/requests.ts';
import { requireSecureUrl } from '../connection/url.ts';
import { enrolAgain } from './enrol-again.ts';
import { type Enrolled, findEnrolment, saveEnrolment } from './enrolment.ts';
import { createIdentity, loadIdentity, readIdentityKey } from './identity-file.ts';
import { noteSeen } from './members.ts';

export interface EnrolOptions {
  /** The line that the operator sent. */
  readonly invite: string;
  /** State folder; made with mode 0700. */
  readonly folder: string;
  /** Encrypts the new key at rest; 8 characters or more. */
  readonly passphrase: string;
  /** Allows plain HTTP to another machine. */
  readonly allowInsecure?: boolean;
  /** The owner's policy is `rotation: follow`: an enrolled folder takes an invite of the coordinator's successor. */
  readonly follow?: boolean;
}

/**
 * Makes this node's key, on this machine, and binds it to the invite. A folder that is enrolled gets a new key from an
 * invite of the same coordinator for the same name, and keeps its ledger; it is reached at the invite's address then. An enrolment that was interrupted can be tried
 * again with the same folder and passphrase, even when the coordinator's answer got lost.
 * @throws invite-invalid, conflict (the folder is another coordinator's or name's), wrong-coordinator (its key was replaced), already-running, forbidden (wrong passphrase), policy-refused (plain
 * HTTP), unavailable
 */
export async function enrol(options: EnrolOptions): Promise<Enrolled> {
  const { folder, passphrase, allowInsecure = false, follow = false } = options;
  const invite = decodeInvite(options.invite);
  const base = requireSecureUrl(invite.url, allowInsecure);
  const before = await findEnrolment(folder);
  if (before)
    return enrolAgain({
      ...{ folder, passphrase, base, invite, before, follow },
      bind: (identity) => bind(base, invite.key, invite.secret, identity, false),
    });
  const started = (await readIdentityKey(folder)) !== undefined;
  if (!started && invite.expires <= Date.now())
    throw new TributaryError(
      'invite-invalid',
      `The invite expired at ${new Date(invite.expires).toISOString()}.`,
    );
  const identity = started
    ? await loadIdentity(folder, passphrase)
    : await createIdentity(folder, passphrase);
  const members = await bind(base, invite.key, invite.secret, identity, started);
  crashPoint('node.enrol.bound');
  const self = members.find((member) => member.key === identity.id);
  if (self?.name !== invite.name || self.role !== invite.role)
    throw new TributaryError('invite-invalid', `The coordinator does not list this node as ${invite.name}.`);
  await noteSeen(folder, members);
  const { url, key, name, role } = invite;
  const enrolment = { url, key, name, role };
  await saveEnrolment(folder, enrolment);
  return { identity, enrolment, members, again: false };
}

async function bind(
  base: URL,
  coordinator: string,
  secret: string,
  identity: Identity,
  started: boolean,
): Promise<Member[]> {
  try {
    const { name, role, members } = await postEnrol(base, coordinator, secret, identity);
    const self = { name, role, key: identity.id };
    return members.some((member) => member.key === identity.id) ? members : [...members, self];
  } catch (error) {
    const used =
      error instanceof TributaryError && (error.code === 'invite-invalid' || error.code === 'conflict');
    if (!used || !started) throw error;
    // The answer to an earlier try may have got lost: then this key is enrolled, and may ask who else is.
    return getMembers(base, coordinator, identity).catch(() => {
      throw error;
    });
  }
}
