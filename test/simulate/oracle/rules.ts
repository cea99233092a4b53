/** Rules of the oracle about what is committed. */
import type { LedgerRecord } from '@tributary/client-sdk';
import { type Announcement, decodeSafetensors, type Roster } from '@tributary/protocol';
import type { Commit, RoundInput } from '@tributary/server/parts';
import type { Disk } from '../disk/disk.ts';
import { nameOf } from '../members.ts';
import { evaluation } from '../node/evaluation.ts';
import type { Setting } from '../setting.ts';
import type { KnownAttempt } from './known-attempt.ts';

/** Highest epoch in a ledger. */
export function epochOf(records: readonly LedgerRecord[]): number {
  return records.reduce((most, record) => ('epoch' in record ? Math.max(most, record.epoch) : most), 0);
}

/** What a node has seen beyond what it takes part in now: its history was rolled back (PROTOCOL.md 6.8). */
export function rolledBackTo({ run, round }: Announcement, records: readonly LedgerRecord[]): string | null {
  const later = records.find(
    (record) =>
      ((record.type === 'published' && record.round >= round) ||
        (record.type === 'announced' && record.round > round)) &&
      record.run === run,
  );
  return later ? `takes part in round ${round}, although its ledger has ${JSON.stringify(later)}` : null;
}

/** Why the attempt may still be unmasked, as far as this ledger tells; null when enough have said that it never will. */
export function lackOfCertificate(
  { nodes }: Setting,
  { id, announcement, lists, abandoned }: KnownAttempt,
  records: readonly LedgerRecord[],
): string | null {
  const certified = records.find((record) => record.type === 'certified' && record.id === id);
  if (certified?.type !== 'certified') return 'without a certificate';
  const members = (JSON.parse(lists.get('roster')!) as Roster).adverts.map(({ advert }) => advert.member);
  const signers = new Set(certified.signers.filter((signer) => members.includes(signer)));
  for (const signer of signers)
    if (!abandoned.has(nodes.findIndex((node) => node.id === signer))) return `${signer} never signed`;
  // PROTOCOL.md 6.11, with the threshold of 6.2.
  const c = announcement.aggregation.collusion;
  const n = members.length;
  const t = Math.max(3, Math.floor((n + c) / 2) + 1);
  return signers.size >= n - t + c + 1 ? null : `${signers.size} signatures of ${n - t + c + 1}`;
}

/** What nobody may do once an operator was told that the run is paused, or cancelled. */
export function forbiddenOf(
  told: { readonly paused: boolean; readonly cancelled: boolean },
  inputs: readonly RoundInput[],
  { rounds = [] }: Commit,
): string[] {
  const opened = inputs.some(({ type }) => type === 'open');
  const faults: string[] = [];
  if (told.paused && opened) faults.push('an attempt is opened although the run is paused');
  if (told.cancelled && opened) faults.push('an attempt is opened although the run was cancelled');
  if (told.cancelled && rounds.length > 0) faults.push('a round is published although the run was cancelled');
  return faults;
}

/** PROTOCOL.md 6.6: it has stopped, or started again, and took nothing back. */
const PROCESS_ENDED: readonly string[] = ['sits-out', 'unavailable'];

/** What these inputs take out of sums to come. */
export function noteWithdrawals(attempts: readonly KnownAttempt[], inputs: readonly RoundInput[]): void {
  for (const [at, input] of inputs.entries()) {
    // Published before whatever comes behind it.
    if (input.type === 'summed') return;
    if (input.type === 'revoked' && input.why !== 'rotated') attempts.at(-1)?.withdrawn.add(input.member);
    if (input.type !== 'leave' || PROCESS_ENDED.includes(input.message.code)) continue;
    const attempt = attempts.find(({ id }) => id === input.message.attempt);
    if (!attempt || attempt.lists.has('survivors')) continue;
    // What came just before it, in the same commit, may have frozen U3.
    (at === 0 ? attempt.withdrawn : attempt.maybeWithdrawn).add(input.member);
  }
}

/** Reports of evaluators that are not about the model that was published, or not what it evaluates to. */
export function wrongEvaluations(setting: Setting, disk: Disk, commit: Commit): string[] {
  const evaluators = new Set(setting.everybody.map((_, i) => nameOf(i)).slice(setting.nodes.length));
  return (commit.evaluations ?? []).flatMap(({ run, round, report }) => {
    const { initialModel } = disk.runs.get(run)!;
    const model = round === 0 ? initialModel : disk.rounds.find((row) => row.round === round)?.record.model;
    const file = model === undefined ? undefined : disk.blobs.get(model);
    if (!file) return [`round ${round}, which has no model`];
    const expected = evaluation(decodeSafetensors(file).model);
    const right =
      evaluators.has(report.evaluator) && report.count === expected.count && report.loss === expected.loss;
    return right ? [] : [`round ${round} by ${report.evaluator}: ${report.loss}, not ${expected.loss}`];
  });
}
