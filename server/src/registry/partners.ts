/** Partners and evaluators: invited by name, enrolled once with a key made on their own machine, suspended, resumed. */
import { createHash } from 'node:crypto';
import {
  type EngineReport,
  type EnrolRequest,
  type EnrolResponse,
  encodeInvite,
  fingerprint,
  type Identity,
  type InviteRequest,
  type InviteResponse,
  LIMITS,
  type Member,
  type Partner,
  type Random,
  requireRotation,
  requireSignature,
  type SignedRotation,
  TributaryError,
  toBase64,
  verify,
} from '@tributary/protocol';
import { crashPoint, nodeCrypto, nodeRandom } from '@tributary/protocol/node';
import type { PartnerRow, Store } from '../storage/ports.ts';
import { refusals } from '../storage/rules.ts';

const WEEK = 7 * 86_400;

export interface Partners {
  /** @throws conflict when the name belongs to an enrolled partner; a pending invite of that name is void from now on. */
  invite(request: InviteRequest): Promise<InviteResponse>;
  /** @throws bad-signature, invite-invalid, conflict (the key is enrolled already) */
  enrol(request: EnrolRequest): Promise<EnrolResponse>;
  list(): Promise<Partner[]>;
  /** Active again, incidents are forgotten. @throws not-found, conflict (not enrolled yet) */
  setStatus(name: string, status: 'active' | 'suspended'): Promise<Partner>;
  /** For good: its key is nobody's any more, and its name free. @throws not-found */
  remove(name: string): Promise<void>;
  /** Active ones with their keys: what nodes compare with their pins. */
  members(): Promise<Member[]>;
  /** @throws key-rotated */
  find(key: string): Promise<PartnerRow | undefined>;
  /**
   * The same one again is success.
   * @throws malformed, wrong-coordinator, bad-signature, unauthenticated (also: its time is far off), forbidden, conflict,
   * key-rotated
   */
  rotate(signed: SignedRotation): Promise<EnrolResponse>;
  /** Those that led to the keys of today. */
  rotations(): Promise<SignedRotation[]>;
}

export interface PartnersDeps {
  readonly store: Store;
  /** The coordinator's own. */
  readonly identity: Pick<Identity, 'id'>;
  /** Keys that the present one replaced. */
  readonly former?: readonly string[];
  /** Where nodes reach the coordinator; never taken from a request's Host header, which anybody can write. */
  readonly publicUrl: () => string;
  readonly connected: (key: string) => boolean;
  readonly engineOf?: (key: string) => EngineReport | null;
  /** Its session, and its part in open attempts, must end at once. */
  readonly onRevoked?: (key: string, why: 'suspended' | 'removed' | 'rotated') => Promise<void>;
  /** The list of members has changed. */
  readonly onMembers?: (members: readonly Member[]) => void;
  readonly now?: () => number;
  readonly random?: Random;
}

export function createPartners(deps: PartnersDeps): Partners {
  const { store, identity, connected, now = Date.now, random = nodeRandom } = deps;

  const toPartner = (
    { name, role, status, key, lastSeen, incident }: PartnerRow,
    rotated: number | null,
  ): Partner => ({
    name,
    role,
    status,
    key,
    fingerprint: key && fingerprint(nodeCrypto, key),
    connected: key !== null && connected(key),
    lastSeen,
    engine: key === null ? null : (deps.engineOf?.(key) ?? null),
    incident,
    rotated,
  });
  async function list(): Promise<Partner[]> {
    const times = new Map((await store.rotations()).map(({ rotation }) => [rotation.new, rotation.time]));
    return (await store.partners()).map((row) => toPartner(row, times.get(row.key ?? '') ?? null));
  }
  const members = async () =>
    (await store.partners())
      .filter((row) => row.status === 'active')
      .map(({ name, key, role }) => ({ name, key: key!, role }));

  /** By the last key, oldest first. */
  async function chains(): Promise<(key: string) => SignedRotation[]> {
    const before = new Map((await store.rotations()).map((signed) => [signed.rotation.new, signed]));
    const leadingTo = (key: string): SignedRotation[] => {
      const last = before.get(key);
      return last ? [...leadingTo(last.rotation.old), last] : [];
    };
    return leadingTo;
  }

  /** Under its former keys as well: a vector of before may wait for its sum. */
  async function revoke(key: string, why: 'suspended' | 'removed'): Promise<void> {
    const former = (await chains())(key).map(({ rotation }) => rotation.old);
    for (const each of [key, ...former]) await deps.onRevoked?.(each, why);
    crashPoint('coordinator.revocation.done');
  }

  return {
    async invite({ name, role = 'partner', ttl = WEEK }) {
      const secret = toBase64(random(32));
      const created = now();
      const expires = created + ttl * 1000;
      await store.invite({
        name,
        role,
        status: 'invited',
        key: null,
        inviteHash: hashSecret(secret),
        inviteExpires: expires,
        created,
        lastSeen: null,
        instance: null,
        incident: null,
      });
      crashPoint('coordinator.invite.committed');
      const invite = encodeInvite({ url: deps.publicUrl(), key: identity.id, secret, name, role, expires });
      return { invite, name, role, expires };
    },
    async enrol({ secret, key, signature }) {
      const payload = { coordinator: identity.id, secret, key };
      const isFor = (coordinator: string) =>
        verify(nodeCrypto, key, 'enrol', { ...payload, coordinator }, signature);
      if (deps.former?.some(isFor))
        throw new TributaryError('invite-invalid', 'The invite names a key that the coordinator had before.');
      requireSignature(nodeCrypto, key, 'enrol', payload, signature, 'the enrolment');
      const { name, role } = await store.enrol(hashSecret(secret), key, now());
      crashPoint('coordinator.enrol.committed');
      return { name, role, members: await members() };
    },
    list,
    async setStatus(name, status) {
      const changed = await store.setPartnerStatus(name, status);
      crashPoint(`coordinator.partner-${status === 'active' ? 'resumed' : 'suspended'}.committed`);
      const partner = (await list()).find((entry) => entry.name === name);
      if (!partner) throw nobody(name);
      if (!changed)
        throw new TributaryError('conflict', `Partner ${name} has not enrolled yet.`, {
          remedy: 'To void the invite, invite the same name again and keep that invite to yourself.',
        });
      if (status === 'suspended') await revoke(partner.key!, 'suspended');
      else await store.notePartner(partner.key!, { instance: null, incident: null });
      return status === 'suspended' ? partner : { ...partner, incident: null };
    },
    async remove(name) {
      const removed = await store.removePartner(name);
      if (!removed) throw nobody(name);
      crashPoint('coordinator.partner-removed.committed');
      if (removed.key !== null) await revoke(removed.key, 'removed');
    },
    members,
    async find(key) {
      const partner = await store.partnerByKey(key);
      if (partner) return partner;
      const replaced = await store.rotationOf(key);
      if (replaced) throw refusals.keyRotated(replaced);
      return undefined;
    },
    async rotate(signed) {
      requireRotation(nodeCrypto, signed, { subject: 'member', coordinators: [identity.id] });
      const { old, time } = signed.rotation;
      if (Math.abs(now() - time) > LIMITS.clockSkewMs)
        throw new TributaryError(
          'unauthenticated',
          'The rotation is too old, or one of the two clocks is wrong.',
          {
            remedy: 'Set the clock of this machine; up to five minutes are tolerated.',
          },
        );
      const repeated = (await store.rotationOf(old)) !== undefined;
      const { name, role } = await store.rotate(signed);
      crashPoint('coordinator.rotate.committed');
      const listed = await members();
      // A start does the first of these for what a crash has left.
      if (!repeated) {
        await deps.onRevoked?.(old, 'rotated');
        deps.onMembers?.(listed);
      }
      return { name, role, members: listed };
    },
    async rotations() {
      const leadingTo = await chains();
      return (await members()).flatMap(({ key }) => leadingTo(key));
    },
  };
}

function hashSecret(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}

function nobody(name: string): TributaryError {
  return new TributaryError('not-found', `There is no partner named ${name}.`, {
    remedy: 'Check the name: `tributary partners list`.',
  });
}
