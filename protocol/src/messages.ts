/**
 * Control messages over the WebSocket session (PROTOCOL.md 4). After the handshake every frame is sealed;
 * each message is validated against its schema before anything looks at it.
 */
import { type Static, type TSchema, Type } from '@tributary/protocol/typebox';
import { EngineReport } from './engines.ts';
import { ERRORS, type ErrorCode } from './errors.ts';
import { LIMITS } from './limits.ts';
import { Closed, Count, Hash, Key, Name, Reason, Signature } from './schema.ts';
import {
  Announcement,
  Cohort,
  Roster,
  SignedAdvert,
  SignedDeal,
  Survivors,
  UnmaskShares,
} from './secagg/statements.ts';

const code = Type.Enum(Object.keys(ERRORS) as ErrorCode[]);
const runId = Type.String({ minLength: 1, maxLength: 100 });
const nonce = Type.String({ pattern: '^[A-Za-z0-9_-]{43}$' });
const type = <T extends string>(name: T) => ({ type: Type.Literal(name) });
/** The attempt that a message belongs to: hash of its announcement. */
const attempt = { attempt: Hash } as const;

export const Role = Type.Enum(['partner', 'evaluator']);
export type Role = Static<typeof Role>;

/* ---- handshake, in the clear, signed both ways ---- */

export const Hello = Closed({
  ...type('hello'),
  versions: Type.Array(Type.Integer(), { minItems: 1, maxItems: 16 }),
  software: Type.String({ maxLength: 100 }),
  identity: Key,
  /** Ephemeral X25519 public key of this session. */
  ephemeral: Key,
  nonce,
});
export type Hello = Static<typeof Hello>;

export const Welcome = Closed({
  ...type('welcome'),
  version: Type.Integer(),
  software: Type.String({ maxLength: 100 }),
  coordinator: Key,
  ephemeral: Key,
  nonce,
  epoch: Count,
  /** Names the session in the authentication header of HTTP requests. */
  session: Type.String({ pattern: '^[A-Za-z0-9_-]{22}$' }),
  /** Coordinator's, domain `handshake-server`, over [hello, this message without the signature]. */
  signature: Signature,
});
export type Welcome = Static<typeof Welcome>;

export const Prove = Closed({
  ...type('prove'),
  /** Client's, domain `handshake-client`, over [hello, welcome]. */
  signature: Signature,
});
export type Prove = Static<typeof Prove>;

/* ---- client to coordinator, sealed ---- */

/** A process of a node. Two that are alive, or one whose count fell back, are copies of one identity (PROTOCOL.md 4.7). */
export const Instance = Closed({
  /** 16 random bytes of this process. */
  id: Type.String({ pattern: '^[A-Za-z0-9_-]{22}$' }),
  /** Starts that the ledger remembers, this one included. */
  starts: Type.Integer({ minimum: 1, maximum: 1_000_000_000 }),
});
export type Instance = Static<typeof Instance>;

const ClientMessages = [
  /** After `ready`, once per session: what this node trains with. */
  Closed({ ...type('engine'), engine: EngineReport }),
  /** After `ready`, once per session: which process this is, and how often its state folder was started. */
  Closed({ ...type('instance'), instance: Instance }),
  Closed({ ...type('consent'), run: runId, plan: Hash }),
  /** This node's policy says no, or asks its owner first (`approval-pending`). The reason is for people. */
  Closed({ ...type('decline'), run: runId, plan: Hash, code, reason: Reason }),
  /** Training progress in twentieths of the work: finer steps would tell the number of rows. */
  Closed({ ...type('progress'), ...attempt, twentieths: Type.Integer({ minimum: 0, maximum: 20 }) }),
  Closed({ ...type('advert'), ...attempt, advert: SignedAdvert }),
  Closed({ ...type('shares'), ...attempt, deals: Type.Array(SignedDeal, { maxItems: LIMITS.cohort }) }),
  Closed({ ...type('agree'), ...attempt, signature: Signature }),
  Closed({ ...type('unmask'), ...attempt, shares: UnmaskShares }),
  /** The answer to `abandoned`, of who has revealed no share of that attempt and never will (PROTOCOL.md 6.11). */
  Closed({ ...type('abandon'), ...attempt, signature: Signature }),
  /** The client leaves this attempt; `convict` names dealers whose share did not fit its hash. */
  Closed({
    ...type('leave'),
    ...attempt,
    code,
    reason: Reason,
    convict: Type.Array(Key, { maxItems: LIMITS.cohort }),
  }),
  /** Evaluator nodes only: the published model on public data, in the clear. */
  Closed({
    ...type('evaluation'),
    run: runId,
    round: Count,
    model: Hash,
    count: Count,
    loss: Type.Number(),
    metrics: Type.Record(Type.String({ maxLength: 100 }), Type.Number()),
  }),
] as const;

export const ClientMessage = Type.Union([...ClientMessages]);
export type ClientMessage = Static<typeof ClientMessage>;

/* ---- coordinator to client, sealed ---- */

/** That an attempt was abandoned: who sent a vector in it may send another (PROTOCOL.md 6.11). */
export const AbandonCertificate = Closed({
  ...attempt,
  signatures: Type.Array(Closed({ member: Key, signature: Signature }), { maxItems: LIMITS.cohort }),
});
export type AbandonCertificate = Static<typeof AbandonCertificate>;

const ServerMessages = [
  /** After the handshake: who else is enrolled, so that the partner can pin them. */
  Closed({
    ...type('ready'),
    name: Name,
    role: Role,
    members: Type.Array(Closed({ name: Name, key: Key, role: Role }), { maxItems: 10_000 }),
  }),
  /** The same list, once a member has changed its key. */
  Closed({
    ...type('members'),
    members: Type.Array(Closed({ name: Name, key: Key, role: Role }), { maxItems: 10_000 }),
  }),
  /** A run this partner may take part in; answered by consent or decline. `plan` is parsed by parsePlan. */
  Closed({ ...type('proposal'), run: runId, plan: Type.Unknown() }),
  Closed({
    ...type('announce'),
    announcement: Announcement,
    signature: Signature,
    /** Of earlier attempts on the same base weights. */
    certificates: Type.Optional(Type.Array(AbandonCertificate, { maxItems: LIMITS.attempts })),
  }),
  Closed({ ...type('roster'), ...attempt, roster: Roster, signature: Signature }),
  /** U2 with the deals meant for this member. */
  Closed({
    ...type('cohort'),
    ...attempt,
    cohort: Cohort,
    signature: Signature,
    deals: Type.Array(SignedDeal, { maxItems: LIMITS.cohort }),
  }),
  Closed({ ...type('survivors'), ...attempt, survivors: Survivors, signature: Signature }),
  /** At least t members of U3 signed: unmask. */
  Closed({
    ...type('agreed'),
    ...attempt,
    signatures: Type.Array(Closed({ member: Key, signature: Signature }), { maxItems: LIMITS.cohort }),
  }),
  Closed({
    ...type('published'),
    ...attempt,
    run: runId,
    round: Count,
    model: Hash,
    weights: Hash,
    transcript: Hash,
  }),
  Closed({ ...type('abandoned'), ...attempt, code, reason: Reason }),
  Closed({ ...type('evaluate'), run: runId, round: Count, model: Hash, plan: Type.Unknown() }),
  Closed({
    ...type('run-ended'),
    run: runId,
    status: Type.Enum(['done', 'failed', 'cancelled']),
    reason: Reason,
  }),
  /** A message of this client was refused; the session goes on unless it is closed too. */
  Closed({ ...type('refused'), of: Type.String({ maxLength: 40 }), code, reason: Reason }),
] as const;

export const ServerMessage = Type.Union([...ServerMessages]);
export type ServerMessage = Static<typeof ServerMessage>;

type MessageOf<M extends { type: string }, T extends M['type']> = Extract<M, { type: T }>;
export type ClientMessageOf<T extends ClientMessage['type']> = MessageOf<ClientMessage, T>;
export type ServerMessageOf<T extends ServerMessage['type']> = MessageOf<ServerMessage, T>;

/** Schemas by `type`, so that an error names a field and not "no branch fits". */
const byType = (schemas: readonly TSchema[]): ReadonlyMap<string, TSchema> =>
  new Map(
    schemas.map((schema) => [
      (schema as unknown as { properties: { type: { const: string } } }).properties.type.const,
      schema,
    ]),
  );
export const CLIENT_MESSAGES = byType(ClientMessages);
export const SERVER_MESSAGES = byType(ServerMessages);
