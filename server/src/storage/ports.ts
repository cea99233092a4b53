/**
 * Storage ports. Rows hold hashes and small JSON; vectors and models are files named by their SHA-256.
 * Adapters: memory (tests), SQLite; later PostgreSQL and S3. Every adapter passes `acceptance.ts`.
 */

import type { Readable } from 'node:stream';
import type {
  EvaluationReport,
  Instance,
  Member,
  PersonRole,
  Plan,
  RoundRecord,
  RunStatus,
  SignedRotation,
} from '@tributary/protocol';

export interface TokenRow {
  readonly name: string;
  readonly role: PersonRole;
  /** SHA-256 of the token, hex: the token itself is never stored. */
  readonly hash: string;
  readonly created: number;
}

export interface PartnerRow {
  readonly name: string;
  readonly role: Member['role'];
  readonly status: 'invited' | 'active' | 'suspended';
  /** Identity key; null until enrolled. */
  readonly key: string | null;
  /** SHA-256 of the invite's secret, hex; null once used. */
  readonly inviteHash: string | null;
  readonly inviteExpires: number | null;
  readonly created: number;
  readonly lastSeen: number | null;
  /** The process that reported itself last. */
  readonly instance: Instance | null;
  /** Signs that its identity was copied. */
  readonly incident: Incident | null;
}

export interface Incident {
  readonly time: number;
  readonly reason: string;
}

export interface RunRow {
  readonly id: string;
  readonly name: string;
  readonly plan: Plan;
  readonly planHash: string;
  readonly status: RunStatus;
  readonly reason: string | null;
  /** Rounds published. */
  readonly round: number;
  readonly initialModel: string;
  /** Head: SHA-256 of the current model file, and of its bare weights. */
  readonly model: string;
  readonly weights: string;
  /** Hash of the last transcript. */
  readonly transcript: string | null;
  readonly created: number;
}

export interface RoundRow {
  readonly run: string;
  readonly round: number;
  readonly record: RoundRecord;
  /** The signed transcript, as JSON. */
  readonly transcript: unknown;
}

export interface EvaluationRow {
  readonly run: string;
  readonly round: number;
  readonly report: EvaluationReport;
}

/** A masked update that is durable in the spool. First write wins per (attempt, member). */
export interface UpdateRow {
  readonly run: string;
  /** Announcement hash. */
  readonly attempt: string;
  readonly member: string;
  readonly sha256: string;
  readonly bytes: number;
  readonly received: number;
}

/** An attempt that ended without a sum. */
export interface VoidRow {
  readonly run: string;
  /** The round that it was for. */
  readonly round: number;
  readonly attempt: number;
  readonly time: number;
  readonly code: string;
  readonly reason: string;
}

/** Newest rows kept of each run. */
export const VOIDS_KEPT = 100;

/** One accepted input of a run's round machine. `seq` counts from 1 without gaps within a run since its last snapshot. */
export interface JournalEntry {
  readonly run: string;
  readonly seq: number;
  /** Milliseconds since 1970; never decreases. */
  readonly time: number;
  /** Version of the round machine that took it. */
  readonly machine: number;
  readonly input: unknown;
  /** Digest of the state after it; a replay that differs ends the attempt. */
  readonly stateHash: string;
}

export interface Snapshot {
  readonly run: string;
  /** The journal goes on at seq + 1. */
  readonly seq: number;
  readonly machine: number;
  readonly state: unknown;
}

/**
 * What one turn of the coordinator makes durable, all or nothing. Fails with TributaryError `conflict` when `epoch` is
 * not the stored one or a journal `seq` is taken: somebody else is writing.
 */
export interface Commit {
  readonly epoch: number;
  readonly journal?: readonly JournalEntry[];
  readonly updates?: readonly UpdateRow[];
  readonly runs?: readonly RunRow[];
  readonly rounds?: readonly RoundRow[];
  readonly evaluations?: readonly EvaluationRow[];
  /** The newest `VOIDS_KEPT` of a run are kept. */
  readonly voids?: readonly VoidRow[];
  /**
   * Replaces the run's snapshot, deletes its journal up to that seq, and the update rows of earlier commits: a snapshot is
   * taken only while no attempt is open.
   */
  readonly snapshots?: readonly Snapshot[];
}

export interface Store {
  /** The coordinator's epoch, 1 in a new store. */
  epoch(): Promise<number>;
  commit(commit: Commit): Promise<void>;

  runs(): Promise<RunRow[]>;
  run(id: string): Promise<RunRow | undefined>;
  rounds(run: string): Promise<RoundRow[]>;
  evaluations(run: string): Promise<EvaluationRow[]>;
  updates(attempt: string): Promise<UpdateRow[]>;
  /** Oldest first. */
  voids(run: string): Promise<VoidRow[]>;
  /** Hashes of the models that runs and rounds name. */
  namedBlobs(): Promise<ReadonlySet<string>>;
  snapshot(run: string): Promise<Snapshot | undefined>;
  /** Entries after the snapshot, in order. */
  journal(run: string): Promise<JournalEntry[]>;

  tokens(): Promise<TokenRow[]>;
  tokenByHash(hash: string): Promise<TokenRow | undefined>;
  /** @throws conflict when the name is taken. */
  addToken(token: TokenRow): Promise<void>;
  removeToken(name: string): Promise<boolean>;

  partners(): Promise<PartnerRow[]>;
  partnerByKey(key: string): Promise<PartnerRow | undefined>;
  /** @throws conflict when the name is taken by an active or suspended partner; a pending invite is replaced. */
  invite(partner: PartnerRow): Promise<void>;
  /** Binds `key` to the invite, once. @throws invite-invalid (unknown, used or expired at `now`), conflict (key is or was enrolled). */
  enrol(inviteHash: string, key: string, now: number): Promise<PartnerRow>;
  setPartnerStatus(name: string, status: 'active' | 'suspended'): Promise<boolean>;
  /**
   * The partner has its new key from now on, and the old one is nobody's. The same one again is success.
   * @throws key-rotated (another one was there before), unauthenticated (no such partner), forbidden (suspended), conflict
   * (the new key is somebody's, or was; too many rotations)
   */
  rotate(rotation: SignedRotation): Promise<PartnerRow>;
  /** The coordinator's key: the first one noted, or the last that an own rotation led to. Null before. */
  ownKey(): Promise<string | null>;
  /** Of a new store; it changes nothing later. */
  noteOwnKey(key: string): Promise<void>;
  /** The coordinator's own. The same one again changes nothing. @throws conflict */
  addOwnRotation(rotation: SignedRotation): Promise<void>;
  /** Of whomever, in no order. */
  rotations(): Promise<SignedRotation[]>;
  /** The one that replaced this key. */
  rotationOf(key: string): Promise<SignedRotation | undefined>;
  /** Its key is nobody's from now on. @returns the row that it had. */
  removePartner(name: string): Promise<PartnerRow | undefined>;
  touchPartner(key: string, now: number): Promise<void>;
  /** What is known of the processes that use the key. */
  notePartner(key: string, change: Partial<Pick<PartnerRow, 'instance' | 'incident'>>): Promise<void>;

  close(): Promise<void>;
}

/** Immutable files by SHA-256: models. */
export interface Blobs {
  /** Durable when it resolves: written, fsynced, renamed, folder fsynced. Idempotent, mends a damaged one. Returns the hash. */
  put(bytes: Uint8Array): Promise<string>;
  /** Streams into a blob. @throws hash-mismatch, too-large; nothing is left behind then. */
  receive(stream: Readable, expected: { sha256: string; maxBytes: number }): Promise<number>;
  has(hash: string): Promise<boolean>;
  /** Every blob, and when it was last put or received: milliseconds since 1970. */
  list(): Promise<{ readonly hash: string; readonly put: number }[]>;
  /** Whole blob, its hash checked. @throws not-found, storage-failed (corrupt) */
  read(hash: string): Promise<Buffer>;
  remove(hash: string): Promise<void>;
  /** Removes it unless it was put again after `put`. @returns whether it did */
  collect(blob: { readonly hash: string; readonly put: number }): boolean;
}

/** Masked updates on their way in: one folder per attempt, one file per member. */
export interface Spool {
  /**
   * Streams one update to disk while hashing it; durable (fsync, rename, fsync folder) when it resolves.
   * A file that is already there under the same name with the same hash is success without writing.
   * @throws hash-mismatch, too-large, malformed (too short); nothing is left behind then.
   */
  receive(
    attempt: string,
    member: string,
    stream: Readable,
    expected: { sha256: string; bytes: number },
  ): Promise<void>;
  path(attempt: string, member: string): string;
  /** Whether the file is there with this SHA-256: a restart trusts the disk only as far as it has looked. */
  holds(attempt: string, member: string, sha256: string): Promise<boolean>;
  /** Deletes an attempt's folder; missing is fine. */
  remove(attempt: string): Promise<void>;
  /** Attempts that have files. */
  list(): Promise<string[]>;
}

/** A Spool that goes on with uploads that were broken off, also those of an earlier process. */
export interface ResumableSpool extends Spool {
  /**
   * With `offset`, the stream begins with that byte; without, at 0, and whatever was there of the same update makes way.
   * What came before the sender broke off is kept, synced, until the attempt is removed.
   * @throws unavailable (the sender broke off), wrong-offset, conflict (another hash has begun), hash-mismatch, too-large,
   * malformed (too short): after the last three nothing is left.
   */
  receive(
    attempt: string,
    member: string,
    stream: Readable,
    expected: { sha256: string; bytes: number; offset?: number },
  ): Promise<void>;
  /** Durable bytes of the update with this hash, once nobody is writing it. @throws conflict (another hash has begun) */
  held(attempt: string, member: string, sha256: string): Promise<number | 'all'>;
}
