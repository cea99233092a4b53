/**
 * The signed content of one attempt (PROTOCOL.md 6). Each statement binds the coordinator's key and the announcement's
 * hash; later ones also the hashes of what came before, so that nothing can be taken out of its place.
 * An attempt's id is the hash of its announcement.
 */
import { type Static, Type } from '@tributary/protocol/typebox';
import { LIMITS } from '../limits.ts';
import { Bytes, Closed, Count, Hash, Key, Signature } from '../schema.ts';

const members = { minItems: 0, maxItems: LIMITS.cohort } as const;

export const Announcement = Closed({
  version: Type.Literal(1),
  coordinator: Key,
  /** Raised when a coordinator is restored from a backup; a client refuses a lower one than it has seen. */
  epoch: Count,
  run: Type.String({ minLength: 1, maxLength: 100 }),
  /** From 1. */
  round: Type.Integer({ minimum: 1, maximum: LIMITS.rounds }),
  /** From 1 in each round; (round, attempt) strictly increases within a run. */
  attempt: Type.Integer({ minimum: 1, maximum: 1_000_000 }),
  /** 128 random bits. */
  nonce: Type.String({ pattern: '^[A-Za-z0-9_-]{22}$' }),
  plan: Hash,
  /** SHA-256 of the model's safetensors file. */
  model: Hash,
  /** SHA-256 of the flat float32 weights, little-endian: the same for every file that holds these weights. */
  weights: Hash,
  /** Coordinates and scalars of the vector; its physical length follows (ring/layout). */
  layout: Closed({
    parameters: Type.Integer({ minimum: 1, maximum: LIMITS.parameters }),
    scalars: Type.Integer({ minimum: 1, maximum: 64 }),
  }),
  aggregation: Closed({
    mode: Type.Enum(['secure', 'plain']),
    clip: Type.Number({ exclusiveMinimum: 0 }),
    coordinateBound: Type.Number({ exclusiveMinimum: 0 }),
    weightCap: Type.Integer({ minimum: 1, maximum: LIMITS.weightCap }),
    weights: Type.Enum(['exact', 'bucketed', 'uniform']),
    collusion: Type.Integer({ minimum: 1, maximum: LIMITS.cohort }),
  }),
  /** Hash of the transcript of the round before; null in the first. */
  previousTranscript: Type.Union([Hash, Type.Null()]),
});
export type Announcement = Static<typeof Announcement>;

/** What every statement of an attempt starts with. */
const bound = { coordinator: Key, announcement: Hash } as const;

export const Advert = Closed({
  ...bound,
  member: Key,
  /** Ephemeral X25519 public keys, new for every attempt. */
  encryptionKey: Key,
  maskKey: Key,
});
export type Advert = Static<typeof Advert>;

export const SignedAdvert = Closed({ advert: Advert, signature: Signature });
export type SignedAdvert = Static<typeof SignedAdvert>;

/** U1, in ascending order of member id (ASCII). A member's Shamir x coordinate is its index here plus one. */
export const Roster = Closed({ ...bound, adverts: Type.Array(SignedAdvert, members) });
export type Roster = Static<typeof Roster>;

/** One dealer's shares for one receiver; hashes convict whoever lies about a share later. */
export const Deal = Closed({
  ...bound,
  roster: Hash,
  dealer: Key,
  receiver: Key,
  /** Hash of the dealer's self-mask seed; the same in all deals of this dealer. The mask key's commitment is its public key. */
  seedCommitment: Hash,
  maskShareHash: Hash,
  seedShareHash: Hash,
  /** Both shares, sealed for the receiver. */
  ciphertext: Bytes(256),
});
export type Deal = Static<typeof Deal>;

export const SignedDeal = Closed({ deal: Deal, signature: Signature });
export type SignedDeal = Static<typeof SignedDeal>;

/** U2: members of U1 whose deals arrived. Masks run over these members only. */
export const Cohort = Closed({
  ...bound,
  roster: Hash,
  members: Type.Array(Closed({ member: Key, seedCommitment: Hash }), members),
});
export type Cohort = Static<typeof Cohort>;

/** U3: members of U2 whose masked vector is durable at the coordinator, with its hash. */
export const Survivors = Closed({
  ...bound,
  roster: Hash,
  cohort: Hash,
  updates: Type.Array(Closed({ member: Key, sha256: Hash }), members),
});
export type Survivors = Static<typeof Survivors>;

/** A member's word that it saw exactly this U3 and will unmask no other. */
export const Agreement = Closed({ ...bound, roster: Hash, cohort: Hash, survivors: Hash, member: Key });
export type Agreement = Static<typeof Agreement>;

/** The one answer to an unmasking request: for each other member of U2 exactly one of the two kinds of share. */
export const UnmaskShares = Closed({
  /** Members of U3: shares of their self-mask seeds. */
  seeds: Type.Array(Closed({ of: Key, share: Bytes(64) }), members),
  /** Members of U2 that are not in U3: shares of their mask keys. */
  maskKeys: Type.Array(Closed({ of: Key, share: Bytes(64) }), members),
});
export type UnmaskShares = Static<typeof UnmaskShares>;
