/** The HTTP API `/v1` (PROTOCOL.md 8): one schema per body, shared by the server's validation and the SDK's types. */
import { type Static, Type } from '@tributary/protocol/typebox';
import { canonicalBytes, fromBase64, fromUtf8, toBase64 } from './encoding.ts';
import { EngineReport } from './engines.ts';
import { ERRORS, type ErrorCode, TributaryError } from './errors.ts';
import { Role } from './messages.ts';
import { Closed, Count, Hash, Key, Name, Reason, Signature, validate } from './schema.ts';

const Time = Type.Integer({ minimum: 0 });
const nullable = <S extends Parameters<typeof Type.Union>[0][number]>(schema: S) =>
  Type.Union([schema, Type.Null()]);

export const ProblemBody = Closed({
  code: Type.Enum(Object.keys(ERRORS) as ErrorCode[]),
  message: Type.String(),
  remedy: Type.String(),
  retryable: Type.Boolean(),
});

/** What a person's token allows; each includes those after it. */
export const PEOPLE_ROLES = ['admin', 'operator', 'researcher'] as const;
export const PersonRole = Type.Enum([...PEOPLE_ROLES]);
export type PersonRole = Static<typeof PersonRole>;

export const CoordinatorInfo = Closed({
  key: Key,
  fingerprint: Type.String(),
  protocol: Type.Integer(),
  software: Type.String(),
  epoch: Count,
});
export type CoordinatorInfo = Static<typeof CoordinatorInfo>;

export const InviteRequest = Closed({
  name: Name,
  role: Type.Optional(Role),
  /** Seconds until the invite expires; a week unless said otherwise. */
  ttl: Type.Optional(Type.Integer({ minimum: 60, maximum: 90 * 86_400 })),
});
export type InviteRequest = Static<typeof InviteRequest>;
export const InviteResponse = Closed({ invite: Type.String(), name: Name, role: Role, expires: Time });
export type InviteResponse = Static<typeof InviteResponse>;

/** Sent by the node with its new key; signature: domain `enrol` over {coordinator, secret, key}. */
export const EnrolRequest = Closed({ secret: Key, key: Key, signature: Signature });
export type EnrolRequest = Static<typeof EnrolRequest>;

export const Member = Closed({ name: Name, key: Key, role: Role });
export type Member = Static<typeof Member>;
export const EnrolResponse = Closed({ name: Name, role: Role, members: Type.Array(Member) });
export type EnrolResponse = Static<typeof EnrolResponse>;

export const Partner = Closed({
  name: Name,
  role: Role,
  /** `invited` until the node has enrolled its key. */
  status: Type.Enum(['invited', 'active', 'suspended']),
  key: nullable(Key),
  fingerprint: nullable(Type.String()),
  connected: Type.Boolean(),
  lastSeen: nullable(Time),
  /** As the node reported it since the coordinator started. */
  engine: nullable(EngineReport),
  /** Signs that its identity was copied; `resume` takes it away. */
  incident: nullable(Closed({ time: Time, reason: Reason })),
  /** When it was last given a new key by the key before. */
  rotated: nullable(Time),
});
export type Partner = Static<typeof Partner>;

export const RunRequest = Closed({
  plan: Type.Unknown(),
  /** SHA-256 of the initial model, uploaded to /v1/blobs before. */
  model: Hash,
});
export type RunRequest = Static<typeof RunRequest>;

/** Means over the cohort of a round, from the unmasked sums; `null` where the plan has no hold-out. */
export const RoundMetrics = Closed({
  /** Sum of the weights: samples when the plan's weights are exact. */
  weight: Type.Number(),
  trainingLoss: Type.Number(),
  clipped: Type.Integer(),
  holdout: nullable(
    Closed({
      count: Type.Integer(),
      loss: Type.Number(),
      metrics: Type.Record(Type.String(), Type.Number()),
    }),
  ),
});
export type RoundMetrics = Static<typeof RoundMetrics>;

export const EvaluationReport = Closed({
  evaluator: Name,
  count: Type.Integer(),
  loss: Type.Number(),
  metrics: Type.Record(Type.String(), Type.Number()),
});
export type EvaluationReport = Static<typeof EvaluationReport>;

export const RoundRecord = Closed({
  round: Type.Integer(),
  attempts: Type.Integer(),
  /** Names; U3. */
  participants: Type.Array(Name),
  /** Names in U1 that did not reach U3. */
  dropped: Type.Array(Name),
  metrics: RoundMetrics,
  evaluations: Type.Array(EvaluationReport),
  model: Hash,
  transcript: Hash,
  started: Time,
  published: Time,
  /** Bytes of updates received and of models sent for this round. */
  bytesUp: Count,
  bytesDown: Count,
  /** What the participants trained with, as they reported it; by name. */
  engines: Type.Optional(Type.Record(Name, EngineReport)),
});
export type RoundRecord = Static<typeof RoundRecord>;

export const RunStatus = Type.Enum(['waiting', 'running', 'paused', 'done', 'failed', 'cancelled']);
export type RunStatus = Static<typeof RunStatus>;

/** What an operator does to a run that is not over: `POST /v1/runs/:id/ACTION`. */
export const RUN_ACTIONS = ['cancel', 'pause', 'resume'] as const;
export type RunAction = (typeof RUN_ACTIONS)[number];

/** Nothing more happens in a run of this status. */
export function isOver(status: RunStatus): boolean {
  return status === 'done' || status === 'failed' || status === 'cancelled';
}

export const RunSummary = Closed({
  id: Type.String(),
  name: Name,
  plan: Hash,
  status: RunStatus,
  /** Rounds published, of the plan's rounds. */
  round: Type.Integer(),
  rounds: Type.Integer(),
  aggregation: Type.Enum(['secure', 'plain']),
  created: Time,
  reason: nullable(Type.String()),
});
export type RunSummary = Static<typeof RunSummary>;

export const RunDetail = Closed({
  ...RunSummary.properties,
  planBody: Type.Unknown(),
  model: Hash,
  /** Evaluations of the initial model. */
  initialEvaluations: Type.Array(EvaluationReport),
  history: Type.Array(RoundRecord),
  /** Attempts that ended without a sum, oldest first; the newest hundred. */
  voided: Type.Optional(
    Type.Array(
      Closed({
        round: Type.Integer(),
        attempt: Type.Integer(),
        time: Time,
        code: Type.String(),
        reason: Type.String(),
      }),
    ),
  ),
  /** What is going on now, for people: phase and how far each partner is. */
  current: nullable(
    Closed({
      round: Type.Integer(),
      attempt: Type.Integer(),
      phase: Type.String(),
      partners: Type.Array(Closed({ name: Name, state: Type.String(), twentieths: Type.Integer() })),
    }),
  ),
  /** Partners by their answer to the proposal. */
  consents: Type.Array(
    Closed({
      name: Name,
      answer: Type.Enum(['consent', 'decline', 'none']),
      code: nullable(Type.String()),
      reason: nullable(Type.String()),
    }),
  ),
});
export type RunDetail = Static<typeof RunDetail>;

export const ModelSummary = Closed({
  run: Type.String(),
  name: Name,
  round: Type.Integer(),
  model: Hash,
  metrics: nullable(RoundMetrics),
  evaluations: Type.Array(EvaluationReport),
  published: Time,
});
export type ModelSummary = Static<typeof ModelSummary>;

/** One line of `GET /v1/runs/:id/events` (newline-delimited JSON; stays open while the run goes on). */
export const RunEvent = Closed({
  seq: Count,
  time: Time,
  /** phase | progress | joined | left | published | abandoned | evaluation | waiting | ended */
  kind: Type.String(),
  round: Type.Integer(),
  attempt: Type.Integer(),
  data: Type.Record(Type.String(), Type.Unknown()),
});
export type RunEvent = Static<typeof RunEvent>;

export const TokenRequest = Closed({ name: Name, role: PersonRole });
export const TokenSummary = Closed({ name: Name, role: PersonRole, created: Time });
export type TokenSummary = Static<typeof TokenSummary>;

/* ---- invites ---- */

export const Invite = Closed({
  url: Type.String({ pattern: '^https?://', maxLength: 2000 }),
  /** The coordinator's identity: the node will talk to no other. */
  key: Key,
  secret: Key,
  name: Name,
  role: Role,
  expires: Time,
});
export type Invite = Static<typeof Invite>;

const INVITE_PREFIX = 'tributary-invite:';

export function encodeInvite(invite: Invite): string {
  return INVITE_PREFIX + toBase64(canonicalBytes(invite));
}

/** @throws invite-invalid */
export function decodeInvite(text: string): Invite {
  const trimmed = text.trim();
  if (!trimmed.startsWith(INVITE_PREFIX))
    throw new TributaryError('invite-invalid', `An invite starts with "${INVITE_PREFIX}".`);
  let value: unknown;
  try {
    value = JSON.parse(fromUtf8(fromBase64(trimmed.slice(INVITE_PREFIX.length))));
  } catch {
    throw new TributaryError('invite-invalid', 'The invite is cut off or was altered: copy the whole line.');
  }
  return validate(Invite, value, 'invite', 'invite-invalid');
}
