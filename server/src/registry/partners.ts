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
  type Member,
  type Partner,
  type Random,
  requireSignature,
  TributaryError,
  toBase64,
} from '@tributary/protocol';
import { crashPoint, nodeCrypto, nodeRandom } from '@tributary/protocol/node';
import type { PartnerRow, Store } from '../storage/ports.ts';

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
  find(key: string): Promise<PartnerRow | undefined>;
}

export interface PartnersDeps {
  readonly store: Store;
  /** The coordinator's own. */
  readonly identity: Pick<Identity, 'id'>;
  /** Where nodes reach the coordinator; never taken from a request's Host header, which anybody can write. */
  readonly publicUrl: () => string;
  readonly connected: (key: string) => boolean;
  readonly engineOf?: (key: string) => EngineReport | null;
  /** Its session, and its part in open attempts, must end at once. */
  readonly onRevoked?: (key: string, why: 'suspended' | 'removed' | 'rotated') => Promise<void>;
  readonly now?: () => number;
  readonly random?: Random;
}

export function createPartners(deps: PartnersDeps): Partners {
  const { store, identity, connected, now = Date.now, random = nodeRandom } = deps;

  const toPartner = ({ name, role, status, key, lastSeen, incident }: PartnerRow): Partner => ({
    name,
    role,
    status,
    key,
    fingerprint: key && fingerprint(nodeCrypto, key),
    connected: key !== null && connected(key),
    lastSeen,
    engine: key === null ? null : (deps.engineOf?.(key) ?? null),
    incident,
  });
  const list = async () => (await store.partners()).map(toPartner);
  const members = async () =>
    (await store.partners())
      .filter((row) => row.status === 'active')
      .map(({ name, key, role }) => ({ name, key: key!, role }));

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
      requireSignature(nodeCrypto, key, 'enrol', payload, signature, 'the enrolment');
      const { name, role } = await store.enrol(hashSecret(secret), key, now());
      crashPoint('coordinator.enrol.committed');
      return { name, role, members: await members() };
    },
    list,
    async setStatus(name, status) {
      const changed = await store.setPartnerStatus(name, status);
      const partner = (await list()).find((entry) => entry.name === name);
      if (!partner) throw new TributaryError('not-found', `There is no partner named ${name}.`);
      if (!changed)
        throw new TributaryError('conflict', `Partner ${name} has not enrolled yet.`, {
          remedy: 'To void the invite, invite the same name again and keep that invite to yourself.',
        });
      if (status === 'suspended') await deps.onRevoked?.(partner.key!, 'suspended');
      else await store.notePartner(partner.key!, { instance: null, incident: null });
      return status === 'suspended' ? partner : { ...partner, incident: null };
    },
    async remove(name) {
      const removed = await store.removePartner(name);
      if (!removed) throw new TributaryError('not-found', `There is no partner named ${name}.`);
      if (removed.key !== null) await deps.onRevoked?.(removed.key, 'removed');
    },
    members,
    find: (key) => store.partnerByKey(key),
  };
}

function hashSecret(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}
