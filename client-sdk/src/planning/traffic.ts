/** What crosses the wire for one partner in one round, from the sizes that the protocol gives each part. */
import {
  type ClientMessage,
  encodeSafetensorsHead,
  LIMITS,
  type ModelWeights,
  type Plan,
  type ServerMessage,
  scalarNames,
} from '@tributary/protocol';
import { layoutOf } from '@tributary/protocol/ring';
import { threshold } from '@tributary/protocol/secagg';

/** Bytes. HTTP headers and TCP are not in it. */
export interface Traffic {
  /** The model, as a safetensors file. */
  readonly down: number;
  /** The masked vector: 4 bytes for each parameter, the scalars, and the sentinels (PROTOCOL.md 6.5). */
  readonly up: number;
  readonly controlDown: number;
  readonly controlUp: number;
}

export function trafficOf(plan: Plan, weights: ModelWeights): Traffic {
  const parameters = weights.values.length;
  const control = controlMessages(plan, parameters);
  return {
    down: encodeSafetensorsHead(weights).length + 4 * parameters,
    up: 4 * layoutOf(parameters, scalarNames(plan).length).length,
    controlDown: sizeOf(control.server),
    controlUp: sizeOf(control.client),
  };
}

/** Each sealed (16 bytes) in a WebSocket frame (8 bytes, which is right for most). */
function sizeOf(messages: readonly object[]): number {
  return messages.reduce((sum, message) => sum + JSON.stringify(message).length + 24, 0);
}

const KEY = 'A'.repeat(43);
const HASH = '0'.repeat(64);
const SIGNATURE = 'A'.repeat(86);
/** Two shares of 33 bytes, sealed: 82 bytes. One alone: 33 bytes. */
const SEALED_SHARES = 'A'.repeat(110);
const SHARE = 'A'.repeat(44);
const bound = { coordinator: KEY, announcement: HASH };

/** The messages of a round in which `cohort.min` partners take part and nobody drops out, filled with zeros. */
export function controlMessages(
  plan: Plan,
  parameters: number,
): { client: ClientMessage[]; server: ServerMessage[] } {
  const { min: n } = plan.cohort;
  const t = Math.min(n, threshold(n, plan.aggregation.collusion));
  const attempt = HASH;
  const each = <T>(count: number, value: T): T[] => Array.from({ length: count }, () => value);
  const advert = {
    advert: { ...bound, member: KEY, encryptionKey: KEY, maskKey: KEY },
    signature: SIGNATURE,
  };
  const deal = {
    deal: {
      ...bound,
      roster: HASH,
      dealer: KEY,
      receiver: KEY,
      seedCommitment: HASH,
      maskShareHash: HASH,
      seedShareHash: HASH,
      ciphertext: SEALED_SHARES,
    },
    signature: SIGNATURE,
  };
  const { clip, coordinateBound = clip, weightCap, weights, collusion, mode } = plan.aggregation;
  const announcement = {
    version: 1 as const,
    coordinator: KEY,
    epoch: 1,
    run: 'A'.repeat(20),
    round: Math.min(10, LIMITS.rounds),
    attempt: 1,
    nonce: 'A'.repeat(22),
    plan: HASH,
    model: HASH,
    weights: HASH,
    layout: { parameters, scalars: scalarNames(plan).length },
    aggregation: { mode, clip, coordinateBound, weightCap, weights, collusion },
    previousTranscript: HASH,
  };
  return {
    client: [
      ...each(20, { type: 'progress' as const, attempt, twentieths: 10 }),
      { type: 'advert', attempt, advert },
      { type: 'shares', attempt, deals: each(n - 1, deal) },
      { type: 'agree', attempt, signature: SIGNATURE },
      { type: 'unmask', attempt, shares: { seeds: each(n - 1, { of: KEY, share: SHARE }), maskKeys: [] } },
    ],
    server: [
      { type: 'announce', announcement, signature: SIGNATURE },
      { type: 'roster', attempt, roster: { ...bound, adverts: each(n, advert) }, signature: SIGNATURE },
      {
        type: 'cohort',
        attempt,
        cohort: { ...bound, roster: HASH, members: each(n, { member: KEY, seedCommitment: HASH }) },
        signature: SIGNATURE,
        deals: each(n - 1, deal),
      },
      {
        type: 'survivors',
        attempt,
        survivors: { ...bound, roster: HASH, cohort: HASH, updates: each(n, { member: KEY, sha256: HASH }) },
        signature: SIGNATURE,
      },
      { type: 'agreed', attempt, signatures: each(t, { member: KEY, signature: SIGNATURE }) },
      {
        type: 'published',
        attempt,
        run: announcement.run,
        round: announcement.round,
        model: HASH,
        weights: HASH,
        transcript: HASH,
      },
    ],
  };
}
