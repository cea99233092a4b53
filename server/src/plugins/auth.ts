/**
 * Who is calling. People show a bearer token; nodes prove the key of their session or sign the request with their
 * identity (PROTOCOL.md 4.3). Decided before a byte of the body is read. The digest that a node vouched for is in its
 * Caller: a route that takes a body compares.
 */
import {
  checkSessionClaim,
  emptyDigest,
  PEOPLE_ROLES,
  type PersonRole,
  parseSessionClaim,
  type Role,
  type SessionKeys,
  TributaryError,
  verifySignedRequest,
} from '@tributary/protocol';
import { nodeCrypto } from '@tributary/protocol/node';
import type { FastifyInstance, FastifyRequest, onRequestAsyncHookHandler } from 'fastify';
import { createFailureLimiter } from './limits.ts';
import { createNonces } from './nonces.ts';

export interface PersonCaller {
  readonly kind: 'person';
  readonly name: string;
  readonly role: PersonRole;
}
export interface NodeCaller {
  readonly kind: 'node';
  /** Identity key. */
  readonly member: string;
  readonly name: string;
  readonly role: Role;
  /** SHA-256 of the body, as the node vouched for it. */
  readonly digest: string;
  /** What it proved: that it holds the session, or only its identity. */
  readonly by: 'session' | 'signature';
}
export type Caller = PersonCaller | NodeCaller;

declare module 'fastify' {
  interface FastifyRequest {
    caller: Caller | null;
  }
}

export interface AuthDeps {
  /** The coordinator's identity key, which signed requests name. */
  readonly coordinator: string;
  /** Those that it replaced. */
  readonly former?: readonly string[];
  readonly tokens: { find(token: string): Promise<{ name: string; role: PersonRole } | undefined> };
  readonly partners: {
    find(key: string): Promise<{ name: string; role: Role; status: string } | undefined>;
  };
  readonly sessions: { byId(id: string): SessionClaimant | undefined };
  readonly now?: () => number;
}

export interface SessionClaimant {
  readonly member: string;
  readonly keys: SessionKeys;
  acceptCounter(counter: number): boolean;
}

export interface Auth {
  /** Lets in people whose role includes `role`. */
  person(role: PersonRole): onRequestAsyncHookHandler;
  /** Lets in active nodes; with `session` only those that prove their session. */
  node(by?: 'session'): onRequestAsyncHookHandler;
  personOrNode(role: PersonRole): onRequestAsyncHookHandler;
  /** For routes that check a secret of their own. Runs `check`, and counts its refusals against the address. */
  guard<T>(request: FastifyRequest, check: () => Promise<T>): Promise<T>;
}

const EMPTY_DIGEST = emptyDigest(nodeCrypto);
const REFUSALS = new Set([
  'unauthenticated',
  'bad-signature',
  'invite-invalid',
  'key-rotated',
  'wrong-coordinator',
]);

export function installAuth(fastify: FastifyInstance, deps: AuthDeps): Auth {
  const { coordinator, tokens, partners, sessions, now = Date.now } = deps;
  const limiter = createFailureLimiter(now);
  const nonces = createNonces(now);
  fastify.decorateRequest('caller', null);

  async function person(header: string, role: PersonRole): Promise<PersonCaller | null> {
    const token = /^Bearer +(\S+)$/i.exec(header)?.[1];
    if (token === undefined) return null;
    const row = await tokens.find(token);
    if (!row) throw new TributaryError('unauthenticated', 'The token is unknown or was removed.');
    if (PEOPLE_ROLES.indexOf(row.role) > PEOPLE_ROLES.indexOf(role))
      throw new TributaryError(
        'forbidden',
        `This needs the role ${role}; token ${row.name} has the role ${row.role}.`,
      );
    return { kind: 'person', name: row.name, role: row.role };
  }

  async function node(request: FastifyRequest, header: string, only?: 'session'): Promise<NodeCaller | null> {
    const proof = proveSession(request, header) ?? (only ? null : await proveSignature(request, header));
    if (!proof) return null;
    if ((request.method === 'GET' || request.method === 'HEAD') && proof.digest !== EMPTY_DIGEST)
      throw new TributaryError('unauthenticated', `A ${request.method} vouches for no body.`);
    const { name, role } = await active(proof.member);
    return { kind: 'node', name, role, ...proof };
  }

  function proveSession(request: FastifyRequest, header: string) {
    const claim = parseSessionClaim(header);
    if (!claim) return null;
    const session = sessions.byId(claim.session);
    if (!session)
      throw new TributaryError('unauthenticated', 'There is no such session.', {
        remedy: 'The session ended; the node connects again by itself.',
      });
    checkSessionClaim(nodeCrypto, session.keys, claim, lineOf(request));
    if (!session.acceptCounter(claim.counter))
      throw new TributaryError(
        'unauthenticated',
        `Counter ${claim.counter} was used in this session before.`,
      );
    return { member: session.member, digest: claim.digest, by: 'session' as const };
  }

  async function proveSignature(request: FastifyRequest, header: string) {
    // Known before the signature is checked: strangers cost no curve arithmetic.
    const claimed = /^Tributary-Signed ([A-Za-z0-9_-]{43})\./.exec(header)?.[1];
    if (claimed !== undefined) await active(claimed);
    const claim = verifySigned(request, header);
    if (!claim) return null;
    nonces.use(claim.identity, claim.nonce);
    return { member: claim.identity, digest: claim.digest, by: 'signature' as const };
  }

  /** @throws wrong-coordinator for a node that still trusts a key of before, so that its owner hears what to do */
  function verifySigned(request: FastifyRequest, header: string) {
    const verified = (key: string) => verifySignedRequest(nodeCrypto, header, key, lineOf(request), now());
    try {
      return verified(coordinator);
    } catch (error) {
      for (const key of deps.former ?? []) {
        if (!isSound(() => verified(key))) continue;
        throw new TributaryError(
          'wrong-coordinator',
          'The request names a key that the coordinator had before.',
          {
            remedy:
              'Ask its operator for the new fingerprint by telephone, then `tributary node trust FINGERPRINT`.',
          },
        );
      }
      throw error;
    }
  }

  async function active(key: string): Promise<{ name: string; role: Role }> {
    const row = await partners.find(key);
    if (!row) throw new TributaryError('unauthenticated', 'This identity key is not enrolled here.');
    if (row.status !== 'active')
      throw new TributaryError('forbidden', `Partner ${row.name} is ${row.status}.`, {
        remedy: 'The operator can resume it: `tributary partners resume NAME`.',
      });
    return row;
  }

  async function guard<T>(request: FastifyRequest, check: () => Promise<T>): Promise<T> {
    try {
      return await check();
    } catch (error) {
      if (!(error instanceof TributaryError) || !REFUSALS.has(error.code)) throw error;
      if (limiter.failed(request.ip))
        throw new TributaryError('rate-limited', 'Too many failed attempts from this address.');
      const { code, message } = error;
      request.log.warn({ audit: 'auth.refused', address: request.ip, code, reason: message }, 'refused');
      throw error;
    }
  }

  function require(who: string, prove: (request: FastifyRequest, header: string) => Promise<Caller | null>) {
    return async (request: FastifyRequest): Promise<void> => {
      request.caller = await guard(request, async () => {
        const caller = await prove(request, request.headers.authorization ?? '');
        if (!caller) throw new TributaryError('unauthenticated', `This request needs ${who}.`);
        return caller;
      });
    };
  }

  return {
    person: (role) => require('a token (Authorization: Bearer)', (_, header) => person(header, role)),
    node: (by) =>
      require(by ? 'the authorization of a node’s session' : 'the authorization of an enrolled node', (
        request,
        header,
      ) => node(request, header, by)),
    personOrNode: (role) =>
      require('a token, or the authorization of an enrolled node', async (request, header) =>
        (await person(header, role)) ?? node(request, header)),
    guard,
  };
}

function isSound(check: () => unknown): boolean {
  try {
    return check() !== null;
  } catch {
    return false;
  }
}

/** Method, and path with query as sent. */
function lineOf(request: FastifyRequest) {
  return { method: request.method, path: request.originalUrl };
}

/** The person behind a request of a route that only people reach. */
export function personOf(request: FastifyRequest): PersonCaller {
  if (request.caller?.kind !== 'person') throw new Error('This route forgot to ask for a person.');
  return request.caller;
}

/** The node behind a request of a route that only nodes reach. */
export function nodeOf(request: FastifyRequest): NodeCaller {
  if (request.caller?.kind !== 'node') throw new Error('This route forgot to ask for a node.');
  return request.caller;
}
