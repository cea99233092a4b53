/**
 * What a node durably remembers of its own deeds (PROTOCOL.md 6.8), and what follows from it. Records are appended
 * before the deed that they tell of; secrets of an attempt are never among them.
 */
import { Closed, Count, Hash, Key, LIMITS, Reason } from '@tributary/protocol';
import { checkOrder, type SeenAttempt } from '@tributary/protocol/secagg';
import { type Static, Type } from '@tributary/protocol/typebox';

const attempt = {
  /** Milliseconds since 1970. */
  time: Count,
  run: Type.String({ minLength: 1, maxLength: 100 }),
  round: Type.Integer({ minimum: 1, maximum: LIMITS.rounds }),
  attempt: Type.Integer({ minimum: 1, maximum: 1_000_000 }),
  epoch: Count,
  /** Hash of the announcement. */
  id: Hash,
} as const;

const Keys = Type.Array(Key, { maxItems: LIMITS.cohort });

const AbandonQuorum = Closed({
  /** U1 hash and members. */
  roster: Hash,
  members: Keys,
  needed: Type.Integer({ minimum: 1, maximum: LIMITS.cohort }),
});
export type AbandonQuorum = Static<typeof AbandonQuorum>;

export const LedgerRecord = Type.Union([
  /** Written before the node connects: a folder that was copied or put back is told by their number. */
  Closed({ type: Type.Literal('started'), time: Count }),
  /** Written before anything in the attempt is answered. */
  Closed({ type: Type.Literal('announced'), ...attempt, plan: Hash, weights: Hash }),
  /** Written before the first byte of the masked vector leaves. `weights`: the base that it moves away from. */
  Closed({
    type: Type.Literal('vector-sent'),
    ...attempt,
    weights: Hash,
    sha256: Hash,
    /** Under secure aggregation: who could unmask it, and how many of them must abandon the attempt. */
    quorum: Type.Optional(AbandonQuorum),
  }),
  /** That attempt is abandoned: nothing of it will ever be unmasked. Written before the node goes on. */
  Closed({ type: Type.Literal('certified'), ...attempt, signers: Keys }),
  /** `weights`: of the new model. */
  Closed({ type: Type.Literal('published'), ...attempt, weights: Hash, transcript: Hash }),
  Closed({
    type: Type.Literal('refused'),
    ...attempt,
    code: Type.String({ maxLength: 100 }),
    reason: Reason,
  }),
]);
export type LedgerRecord = Static<typeof LedgerRecord>;
/** What the session machine has written down. */
export type AttemptRecord = Exclude<LedgerRecord, { type: 'started' }>;

export interface PublishedRound {
  readonly round: number;
  readonly epoch: number;
  readonly weights: string;
  readonly transcript: string;
}

export interface SentVector extends AcceptedAttempt {
  readonly quorum: AbandonQuorum | undefined;
}

export interface AcceptedAttempt extends SeenAttempt {
  /** Hash of the announcement. */
  readonly id: string;
  /** Hash of the base weights. */
  readonly weights: string;
  /** Hash of the plan. */
  readonly plan: string;
}

/** What the records say, as far as later decisions need it. */
export interface LedgerView {
  /** Starts of the node. */
  readonly starts: number;
  /** Highest epoch seen of this coordinator. */
  readonly epoch: number;
  /** Last announcement accepted, by run. */
  readonly last: ReadonlyMap<string, AcceptedAttempt>;
  /** Those of them that this node has not left, nor seen published, by id: the coordinator may still wait for it. */
  readonly joined: ReadonlySet<string>;
  /** Last round seen published, by run. */
  readonly published: ReadonlyMap<string, PublishedRound>;
  /** Vectors that were sent in attempts without a known end, by attempt, in whatever run. */
  readonly sent: ReadonlyMap<string, SentVector>;
  /** Hashes of base weights, and of plans, for which a vector is in a published sum. */
  readonly spent: ReadonlySet<string>;
  readonly answered: ReadonlySet<string>;
}

export const EMPTY_LEDGER: LedgerView = {
  starts: 0,
  epoch: 0,
  last: new Map(),
  joined: new Set(),
  published: new Map(),
  sent: new Map(),
  spent: new Set(),
  answered: new Set(),
};

export function readLedger(records: readonly LedgerRecord[]): LedgerView {
  return records.reduce(noteInto, copyOf(EMPTY_LEDGER));
}

export function noted(view: LedgerView, record: LedgerRecord): LedgerView {
  return noteInto(copyOf(view), record);
}

/** It is over as far as this process knows, without a record of its own. */
export function ended(view: LedgerView, attempt: string): LedgerView {
  return { ...view, joined: new Set([...view.joined].filter((id) => id !== attempt)) };
}

function copyOf({ starts, epoch, last, joined, published, sent, spent, answered }: LedgerView): Growing {
  return {
    starts,
    epoch,
    last: new Map(last),
    joined: new Set(joined),
    published: new Map(published),
    sent: new Map(sent),
    spent: new Set(spent),
    answered: new Set(answered),
  };
}

interface Growing {
  starts: number;
  epoch: number;
  readonly last: Map<string, AcceptedAttempt>;
  readonly joined: Set<string>;
  readonly published: Map<string, PublishedRound>;
  readonly sent: Map<string, SentVector>;
  readonly spent: Set<string>;
  readonly answered: Set<string>;
}

function noteInto(view: Growing, record: LedgerRecord): Growing {
  if (record.type === 'started') return { ...view, starts: view.starts + 1 };
  const { run, round, attempt, epoch } = record;
  view.epoch = Math.max(view.epoch, epoch);
  switch (record.type) {
    case 'announced': {
      const { id, weights, plan } = record;
      view.joined.delete(view.last.get(run)?.id ?? '');
      view.joined.add(id);
      view.last.set(run, { id, run, round, attempt, epoch, weights, plan });
      return view;
    }
    case 'vector-sent': {
      const { id, weights, quorum } = record;
      // Of the attempt that was announced last in its run: an older one was left before.
      const plan = view.last.get(run)?.plan ?? '';
      view.sent.set(id, { id, run, round, attempt, epoch, weights, plan, quorum });
      return view;
    }
    case 'certified':
      view.sent.delete(record.id);
      return view;
    case 'published': {
      view.joined.delete(record.id);
      const vector = view.sent.get(record.id);
      if (vector) {
        view.sent.delete(record.id);
        view.spent.add(vector.weights);
        view.answered.add(vector.plan);
      }
      view.published.set(run, { round, epoch, weights: record.weights, transcript: record.transcript });
      return view;
    }
    case 'refused':
      view.joined.delete(record.id);
      return view;
    default:
      return record satisfies never;
  }
}

/** @throws stale-epoch, stale-announcement */
export function requireNewer(view: LedgerView, announcement: SeenAttempt): void {
  checkOrder({ run: '', round: 0, attempt: 0, epoch: view.epoch }, announcement);
  checkOrder(view.last.get(announcement.run) ?? null, announcement);
}

/**
 * Why no vector may be sent on these base weights, for this plan; null when one may. What a plan that adds up asks for
 * does not depend on the weights: from others, over other partners, the same exact sums would tell one partner's.
 */
export function whySitOut(
  { sent, spent, answered }: LedgerView,
  { weights, plan }: { readonly weights: string; readonly plan: string },
  addsUp: boolean,
): string | null {
  const vectors = [...sent.values()];
  if (spent.has(weights) || vectors.some((vector) => vector.weights === weights))
    return `This node sent a vector on base weights ${weights} already: two of them would tell the difference.`;
  if (addsUp && (answered.has(plan) || vectors.some((vector) => vector.plan === plan)))
    return `This node added up its rows for plan ${plan} already: two such sums would tell the difference.`;
  return null;
}
