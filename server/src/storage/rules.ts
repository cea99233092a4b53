/** Refusals that every Store adapter words alike, and the rules about a journal's numbers. */
import { LIMITS, type RotationSubject, type SignedRotation, TributaryError } from '@tributary/protocol';
import type { JournalEntry, PartnerRow, Snapshot } from './ports.ts';

/** Where a run's journal stands: seq of its last entry, or of its snapshot, or 0; and of its snapshot, or 0. */
export interface JournalHead {
  readonly last: number;
  readonly snapshot: number;
}

export function requireEpoch(stored: number, given: number): void {
  if (stored !== given)
    throw new TributaryError('conflict', `The store is at epoch ${stored}, this writer at ${given}.`, {
      remedy: 'Another coordinator took over, or a backup was restored: stop this process.',
    });
}

/** @returns the head after the entry. @throws conflict unless it continues the journal without a gap. */
export function appendEntry(head: JournalHead, entry: Pick<JournalEntry, 'run' | 'seq'>): JournalHead {
  if (entry.seq !== head.last + 1)
    throw new TributaryError(
      'conflict',
      `Journal of run ${entry.run}: entry ${entry.seq} does not follow ${head.last}.`,
    );
  return { ...head, last: entry.seq };
}

/** @returns the head after the snapshot. @throws conflict when it is older than the last one or ahead of the journal. */
export function replaceSnapshot(head: JournalHead, snapshot: Pick<Snapshot, 'run' | 'seq'>): JournalHead {
  if (snapshot.seq < head.snapshot || snapshot.seq > head.last)
    throw new TributaryError(
      'conflict',
      `Journal of run ${snapshot.run}: a snapshot at ${snapshot.seq} is outside ${head.snapshot}..${head.last}.`,
    );
  return { ...head, snapshot: snapshot.seq };
}

/** What a store holds of the keys that a rotation names. */
export interface RotationFacts {
  /** That of the old key. */
  readonly replaced: SignedRotation | undefined;
  /** Whose the old key is. */
  readonly owner: PartnerRow | undefined;
  /** The new key is somebody's, or was. */
  readonly taken: boolean;
  /** Rotations that lead to the old key. */
  readonly before: number;
  /** Rotations that lead to the keys of all partners. */
  readonly listed: number;
}

/** @returns whether it was made before. @throws key-rotated, unauthenticated, forbidden, conflict */
export function judgeRotation(
  { rotation }: SignedRotation,
  { replaced, owner, taken, before, listed }: RotationFacts,
): boolean {
  if (replaced?.rotation.new === rotation.new) return true;
  if (replaced) throw refusals.keyRotated(replaced);
  if (!owner) throw new TributaryError('unauthenticated', 'The old key is not enrolled here.');
  if (owner.status !== 'active')
    throw new TributaryError('forbidden', `Partner ${owner.name} is ${owner.status}.`, {
      remedy: 'The operator can resume it: `tributary partners resume NAME`.',
    });
  if (taken) throw refusals.keyTaken();
  requireFewRotations(before, 'member');
  if (listed >= LIMITS.rotationList)
    throw new TributaryError('conflict', `All partners together had ${listed} new keys already.`, {
      remedy:
        'The operator makes room by inviting those anew who had most: `tributary partners remove NAME`, `tributary partners invite NAME`.',
    });
  return false;
}

const INVITED_ANEW = {
  member:
    'Ask the operator to invite this partner anew (`tributary partners remove NAME`, `tributary partners invite NAME`); `tributary node init INVITE` in the same folder keeps the ledger.',
  coordinator:
    'This key stays. Only a coordinator that is set up anew gets another: `tributary-server start --data NEW-FOLDER`, and every partner is invited anew.',
} as const;

/** @throws conflict */
export function requireFewRotations(before: number, subject: RotationSubject): void {
  if (before >= LIMITS.rotations)
    throw new TributaryError('conflict', `This identity had ${LIMITS.rotations} new keys already.`, {
      remedy: INVITED_ANEW[subject],
    });
}

export const refusals = {
  keyRotated: ({ rotation }: SignedRotation) =>
    new TributaryError(
      'key-rotated',
      `This key was replaced by ${rotation.new} at ${new Date(rotation.time).toISOString()}.`,
    ),
  unknownRun: (run: string) => new TributaryError('not-found', `There is no run ${run}.`),
  roundTaken: (run: string, round: number) =>
    new TributaryError('conflict', `Round ${round} of run ${run} is published already.`),
  otherUpdate: (attempt: string, member: string) =>
    new TributaryError(
      'conflict',
      `Member ${member} already sent another update for attempt ${attempt}: the first one counts.`,
    ),
  epochNotRaised: (epoch: number) =>
    new TributaryError('conflict', `The store's epoch is ${epoch} or above already: it only rises.`),
  tokenTaken: (name: string) => new TributaryError('conflict', `There is a token named ${name} already.`),
  partnerTaken: (name: string) => new TributaryError('conflict', `There is a partner named ${name} already.`),
  invite: () => new TributaryError('invite-invalid', 'The invite is unknown, used or expired.'),
  noLonger: () =>
    new TributaryError('unauthenticated', 'The partner with this key was removed, or has rotated it since.'),
  keyTaken: () =>
    new TributaryError('conflict', 'This identity key is enrolled already, or was: keys do not come back.'),
};
