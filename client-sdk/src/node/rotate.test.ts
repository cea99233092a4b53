/** A rotation that is interrupted, and chains that the coordinator shows, without a network in between. */
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type Identity,
  identityFromSeed,
  type SignedRotation,
  signRotation,
  toBase64,
} from '@tributary/protocol';
import { nodeCrypto, nodeRandom } from '@tributary/protocol/node';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { splitSeedOf } from '../session/index.ts';
import { saveEnrolment } from './enrolment.ts';
import { makePrivateFolder } from './files.ts';
import { adoptNextIdentity, createIdentity, loadIdentity, openNextIdentity } from './identity-file.ts';
import { acceptMember, listMembers, noteSeen } from './members.ts';
import { changeMembers, loadPinned, type MembersFile } from './members-file.ts';
import { movesOf, withRotations } from './moves.ts';

const PASSPHRASE = 'correct horse battery staple';
const root = mkdtempSync(join(tmpdir(), 'tributary-rotate-'));
afterAll(() => rmSync(root, { recursive: true }));
let count = 0;
let folder: string;
beforeEach(() => {
  folder = join(root, `node-${++count}`);
});

const identity = () => identityFromSeed(nodeCrypto, nodeRandom(32));
const coordinator = identity().id;
const rotate = (from: Identity, to: Identity, of = coordinator): SignedRotation =>
  signRotation(nodeCrypto, from, to, { subject: 'member', coordinator: of, time: 7 });
const member = (name: string, { id: key }: Identity) => ({ name, key, role: 'partner' as const });

describe('the new key on disk', () => {
  const next = () => join(folder, 'identity.next.json');

  it('is made once, sealed under the same passphrase, until it takes the place of the old one', async () => {
    const before = await createIdentity(folder, PASSPHRASE);
    const made = await openNextIdentity(folder, before, PASSPHRASE);
    expect(made.id).not.toBe(before.id);
    expect(await openNextIdentity(folder, before, PASSPHRASE)).toEqual(made);
    await expect(openNextIdentity(folder, before, 'another passphrase')).rejects.toMatchObject({
      code: 'forbidden',
    });
    expect(statSync(next()).mode & 0o777).toBe(0o600);
    for (const secret of [made.seed, made.splitSeed!])
      expect(readFileSync(next(), 'utf8')).not.toContain(toBase64(secret));
    expect(await loadIdentity(folder, PASSPHRASE)).toEqual(before);
    await adoptNextIdentity(folder);
    expect(await loadIdentity(folder, PASSPHRASE)).toEqual(made);
    expect(existsSync(next())).toBe(false);
  });

  it('keeps what the hold-out is drawn from, over any number of rotations', async () => {
    let last = await createIdentity(folder, PASSPHRASE);
    const first = splitSeedOf(nodeCrypto, last);
    for (let i = 0; i < 2; i++) {
      await openNextIdentity(folder, last, PASSPHRASE);
      await adoptNextIdentity(folder);
      last = await loadIdentity(folder, PASSPHRASE);
      expect(splitSeedOf(nodeCrypto, last)).toEqual(first);
    }
  });
});

describe('accepted keys', () => {
  const [old, second, third, other] = [identity(), identity(), identity(), identity()];
  const file = (seen: Identity, rotations: SignedRotation[]): MembersFile => ({
    pinned: [{ name: 'ann', key: old.id, acceptedAt: 1 }],
    seen: [member('ann', seen)],
    rotations,
  });
  const target = (given: MembersFile) => movesOf(given, [coordinator]).get(old.id)?.key;

  it('lead to the last of a chain, if the coordinator lists it', () => {
    expect(target(file(third, [rotate(old, second), rotate(second, third)]))).toBe(third.id);
    expect(target(file(second, [rotate(old, second), rotate(second, third)]))).toBeUndefined();
  });

  it.each<[string, MembersFile]>([
    ['without a chain', file(second, [])],
    ['that another coordinator’s members signed', file(second, [rotate(old, second, other.id)])],
    [
      'with a forged link',
      file(second, [{ ...rotate(old, second), signatures: rotate(old, third).signatures }]),
    ],
    ['that forks', file(second, [rotate(old, second), rotate(old, third)])],
    ['of somebody else', file(second, [rotate(other, second)])],
    [
      'while the old key is listed still',
      { ...file(old, [rotate(old, second)]), seen: [member('ann', old), member('ann2', second)] },
    ],
    [
      'to an evaluator',
      { ...file(second, [rotate(old, second)]), seen: [{ name: 'ann', key: second.id, role: 'evaluator' }] },
    ],
  ])('do not move %s', (_, given) => expect(target(given)).toBeUndefined());

  it('never become one: two pins do not count for one partner, nor one for two', () => {
    const given = file(third, [rotate(old, third), rotate(second, third)]);
    const both = { ...given, pinned: [...given.pinned, { name: 'bob', key: second.id, acceptedAt: 1 }] };
    expect(movesOf(both, [coordinator]).size).toBe(1);
    const pinnedTo = { ...given, pinned: [...given.pinned, { name: 'cem', key: third.id, acceptedAt: 1 }] };
    expect(movesOf(pinnedTo, [coordinator]).size).toBe(0);
  });

  it('wait for their owner: a signed successor is accepted by name, an unsigned one only with --replace', async () => {
    await makePrivateFolder(folder);
    await saveEnrolment(folder, {
      url: 'http://127.0.0.1:1',
      key: coordinator,
      name: 'bob',
      role: 'partner',
    });
    await noteSeen(folder, [member('ann', old)]);
    await acceptMember(folder, 'ann');
    await noteSeen(folder, [member('ann', second)]);
    expect(await listMembers({ folder })).toMatchObject([{ status: 'changed' }, { status: 'gone' }]);
    await expect(acceptMember(folder, 'ann')).rejects.toMatchObject({ code: 'conflict' });
    await changeMembers(folder, (known) => withRotations(known, [rotate(old, second)]));
    expect(await listMembers({ folder })).toMatchObject([{ status: 'rotated', key: second.id }]);
    await acceptMember(folder, 'ann');
    expect(await loadPinned(folder)).toMatchObject([{ name: 'ann', key: second.id }]);
    expect(await listMembers({ folder })).toMatchObject([{ status: 'accepted', key: second.id }]);
  });
});
