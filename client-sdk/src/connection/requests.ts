/** The few requests of a node that has no session: enrolling, and asking who else is enrolled. */
import {
  CoordinatorInfo,
  EnrolResponse,
  emptyDigest,
  type Identity,
  Member,
  RotationList,
  type SignedRotation,
  sign,
  signRequest,
  TributaryError,
  utf8,
  validate,
} from '@tributary/protocol';
import { nodeCrypto, nodeRandom } from '@tributary/protocol/node';
import { type Static, type TSchema, Type } from '@tributary/protocol/typebox';
import { httpSend } from './http.ts';

const MAX_ANSWER = 4 * 1024 * 1024;
const JSON_BODY = { 'content-type': 'application/json' } as const;

/** Binds `identity` to the invite's secret. @throws invite-invalid, conflict, unavailable */
export async function postEnrol(
  base: URL,
  coordinator: string,
  secret: string,
  identity: Identity,
): Promise<EnrolResponse> {
  const claim = { coordinator, secret, key: identity.id };
  const signature = sign(nodeCrypto, identity, 'enrol', claim);
  const body = utf8(JSON.stringify({ secret, key: identity.id, signature }));
  const url = new URL('/v1/enrol', base);
  const answer = await httpSend({ method: 'POST', url, headers: JSON_BODY, body, maxBytes: MAX_ANSWER });
  return parse(EnrolResponse, answer, 'answer to the enrolment');
}

/** @throws key-rotated, forbidden, unauthenticated, conflict, unavailable */
export async function postRotation(base: URL, rotation: SignedRotation): Promise<EnrolResponse> {
  const body = utf8(JSON.stringify(rotation));
  const url = new URL('/v1/rotations', base);
  const answer = await httpSend({ method: 'POST', url, headers: JSON_BODY, body, maxBytes: MAX_ANSWER });
  return parse(EnrolResponse, answer, 'answer to the rotation');
}

/** Everybody who is enrolled, as the coordinator says: names and keys to compare, never to trust. */
export async function getMembers(base: URL, coordinator: string, identity: Identity): Promise<Member[]> {
  const answer = await getSigned(new URL('/v1/members', base), coordinator, identity);
  return parse(Type.Array(Member, { maxItems: 10_000 }), answer, 'list of members');
}

/** Whose keys replaced others, as the coordinator says: to be verified from a pinned key on. */
export async function getRotations(
  base: URL,
  coordinator: string,
  identity: Identity,
): Promise<SignedRotation[]> {
  const answer = await getSigned(new URL('/v1/rotations', base), coordinator, identity);
  return parse(RotationList, answer, 'list of rotations');
}

/** Who answers there, as it says: a session proves it. */
export async function getCoordinator(base: URL): Promise<CoordinatorInfo> {
  const url = new URL('/v1/coordinator', base);
  const answer = await httpSend({ method: 'GET', url, maxBytes: MAX_ANSWER });
  return parse(CoordinatorInfo, answer, 'word on itself');
}

/** How the coordinator came to its key, as it says: to be verified from the pinned one on. */
export async function getOwnRotations(base: URL): Promise<SignedRotation[]> {
  const url = new URL('/v1/coordinator/rotations', base);
  return parse(
    RotationList,
    await httpSend({ method: 'GET', url, maxBytes: MAX_ANSWER }),
    'list of rotations',
  );
}

function getSigned(url: URL, coordinator: string, identity: Identity): Promise<Uint8Array> {
  const line = { method: 'GET', path: url.pathname, digest: emptyDigest(nodeCrypto) };
  const nonce = nodeRandom(16);
  const authorization = signRequest(nodeCrypto, identity, coordinator, line, Date.now(), nonce);
  return httpSend({ method: 'GET', url, headers: { authorization }, maxBytes: MAX_ANSWER });
}

function parse<S extends TSchema>(schema: S, bytes: Uint8Array, what: string): Static<S> {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    throw new TributaryError('malformed', `The coordinator's ${what} is not JSON.`);
  }
  return validate(schema, value, `The coordinator's ${what}`);
}
