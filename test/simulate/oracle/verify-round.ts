/** A round at the instant at which it is published: computed again from what the nodes quantised, bit for bit. */
import { decodeSafetensors, hashStatement, verify } from '@tributary/protocol';
import { nodeCrypto } from '@tributary/protocol/node';
import type { RoundRow, Transcript } from '@tributary/server/parts';
import { expectedModel } from '../../chaos/fold.ts';
import type { Disk } from '../disk/disk.ts';
import type { Setting } from '../setting.ts';
import type { KnownAttempt } from './known-attempt.ts';

export interface Masked {
  /** What is under the masks. */
  readonly bare: Uint32Array;
  /** |U2| that it was quantised for. */
  readonly members: number;
}

export interface RoundCheck {
  readonly setting: Setting;
  readonly disk: Disk;
  readonly row: RoundRow;
  readonly attempts: ReadonlyMap<string, KnownAttempt>;
  /** By the hash of the masked vector. */
  readonly masked: ReadonlyMap<string, Masked>;
  /** `member weights` of vectors that are in a sum. */
  readonly counted: Set<string>;
}

/** @returns what is wrong with it */
export function verifyRound({ setting, disk, row, attempts, masked, counted }: RoundCheck): string[] {
  const faults: string[] = [];
  const { record } = row;
  const { body, signature } = row.transcript as { body: Transcript; signature: string };
  const before = disk.rounds[row.round - 2];
  if (disk.rounds.indexOf(row) !== row.round - 1) faults.push('the numbers of rounds have a gap');
  if (body.previous !== (before?.record.transcript ?? null)) faults.push('the transcripts do not chain');
  if (hashStatement(nodeCrypto, 'transcript', body) !== record.transcript) faults.push('another transcript');
  if (!verify(nodeCrypto, setting.coordinator.id, 'transcript', body, signature)) faults.push('not signed');

  const attempt = attempts.get(body.announcement);
  if (!attempt) return [...faults, 'of an attempt that was never announced'];
  const { announcement, vectors, acknowledged, withdrawn, maybeWithdrawn, lists } = attempt;
  if (announcement.round !== row.round || announcement.attempt !== record.attempts)
    faults.push(`of attempt ${announcement.round}/${announcement.attempt}, recorded as ${record.attempts}`);
  if (disk.voids.some(({ round, attempt }) => round === row.round && attempt === record.attempts))
    faults.push(`attempt ${record.attempts} is void and published`);

  const members = body.updates.map(({ member }) => member);
  const names = members.map((member) => `node ${setting.nodes.findIndex(({ id }) => id === member)}`);
  if (new Set(members).size !== members.length) faults.push('a member counts twice');
  if (names.sort().join() !== [...record.participants].sort().join()) faults.push('another U3 is recorded');
  const survivors = lists.get('survivors');
  if (survivors && hashStatement(nodeCrypto, 'survivors', JSON.parse(survivors)) !== body.survivors)
    faults.push('another U3 was signed and sent');
  for (const member of acknowledged)
    if (!members.includes(member) && !withdrawn.has(member) && !maybeWithdrawn.has(member))
      faults.push(`the update of ${member} was acknowledged and is lost`);
  for (const member of withdrawn)
    if (members.includes(member)) faults.push(`${member} counts, although it took its vector back`);
  if (announcement.epoch !== disk.epoch) faults.push(`of epoch ${announcement.epoch}, in ${disk.epoch}`);

  const bare: Masked[] = [];
  for (const { member, sha256 } of body.updates) {
    const key = `${member} ${announcement.weights}`;
    if (counted.has(key)) faults.push(`${member} was counted on these weights before`);
    counted.add(key);
    const quantised = masked.get(sha256);
    if (vectors.get(member) !== sha256 || !quantised) faults.push(`${member} never sent this vector`);
    else bare.push(quantised);
  }
  const [first] = bare;
  if (bare.length !== members.length || !first) return faults;
  if (bare.some((one) => one.members !== first.members))
    faults.push('quantised for cohorts of several sizes');

  const file = disk.blobs.get(record.model);
  const base = disk.blobs.get(announcement.model);
  if (!file || !base) return [...faults, 'its model is not on disk'];
  const expected = expectedModel(
    setting.plan,
    decodeSafetensors(base).model.values,
    bare.map((one) => one.bare),
    first.members,
  );
  const { values } = decodeSafetensors(file).model;
  const wrong = values.findIndex((value, i) => !Object.is(value, expected.values[i]));
  if (wrong >= 0 || values.length !== expected.values.length)
    faults.push(`parameter ${wrong} is ${values[wrong]}, the fold says ${expected.values[wrong]}`);
  if (record.metrics.weight !== expected.weight)
    faults.push(`the weights sum to ${record.metrics.weight}, not ${expected.weight}`);
  return faults;
}
