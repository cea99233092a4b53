/** What every Store adapter must do with keys that replace others. Run by each adapter's test. */
import { LIMITS, type SignedRotation } from '@tributary/protocol';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { StoreAdapter } from './acceptance.ts';
import { hash, invited, key } from './fixtures.ts';
import type { Store } from './ports.ts';

const code = (expected: string) => expect.objectContaining({ code: expected });

/** Stores do not look at signatures. */
function rotation(old: string, next: string, subject: 'member' | 'coordinator' = 'member'): SignedRotation {
  const signatures = { old: 'A'.repeat(86), new: 'A'.repeat(86) };
  return { rotation: { subject, coordinator: old, old, new: next, time: 5 }, signatures };
}

export function rotationAcceptance(name: string, adapter: StoreAdapter): void {
  describe(`rotations over ${name}`, () => {
    let store: Store;
    const [alice, bob] = [key(), key()];
    const enrol = async (name: string, given: string) => {
      await store.invite(invited(name, name));
      return store.enrol(hash(name), given, 1500);
    };
    beforeEach(async () => {
      store = await adapter.open();
      await enrol('alice', alice);
      await enrol('bob', bob);
    });
    afterEach(() => store.close());

    it('swap the key and nothing else; the old one is nobody’s', async () => {
      await store.notePartner(alice, { instance: { id: 'A'.repeat(22), starts: 3 } });
      const before = await store.partnerByKey(alice);
      const next = key();
      const row = await store.rotate(rotation(alice, next));
      expect(row).toEqual({ ...before, key: next });
      expect(await store.partnerByKey(alice)).toBeUndefined();
      expect(await store.partnerByKey(next)).toEqual(row);
      expect(await store.rotations()).toEqual([rotation(alice, next)]);
      expect(await store.rotationOf(alice)).toEqual(rotation(alice, next));
      expect(await store.rotationOf(next)).toBeUndefined();
    });

    it('the same one again is success, as the answer may have got lost; another one is not', async () => {
      const next = key();
      const first = await store.rotate(rotation(alice, next));
      expect(await store.rotate(rotation(alice, next))).toEqual(first);
      await expect(store.rotate(rotation(alice, key()))).rejects.toThrow(code('key-rotated'));
      expect(await store.rotations()).toHaveLength(1);
    });

    it('follow each other', async () => {
      const [second, third] = [key(), key()];
      await store.rotate(rotation(alice, second));
      await store.rotate(rotation(second, third));
      expect(await store.partnerByKey(third)).toMatchObject({ name: 'alice' });
      await expect(store.rotate(rotation(alice, second))).rejects.toThrow(code('unauthenticated'));
    });

    it('are refused: of an unknown key, of a suspended or removed partner', async () => {
      await expect(store.rotate(rotation(key(), key()))).rejects.toThrow(code('unauthenticated'));
      await store.setPartnerStatus('alice', 'suspended');
      await expect(store.rotate(rotation(alice, key()))).rejects.toThrow(code('forbidden'));
      await store.removePartner('bob');
      await expect(store.rotate(rotation(bob, key()))).rejects.toThrow(code('unauthenticated'));
      expect(await store.rotations()).toEqual([]);
    });

    it('are refused to a key that is somebody’s, or was; such a key does not enrol either', async () => {
      const carol = key();
      await enrol('carol', carol);
      await store.removePartner('carol');
      await store.rotate(rotation(bob, key()));
      for (const taken of [(await store.partners())[1]!.key!, bob, carol])
        await expect(store.rotate(rotation(alice, taken))).rejects.toThrow(code('conflict'));
      for (const taken of [bob, carol]) await expect(enrol('dave', taken)).rejects.toThrow(code('conflict'));
      expect(await store.partnerByKey(alice)).toMatchObject({ name: 'alice' });
    });

    it('end after a number of them', async () => {
      let last = alice;
      for (let i = 0; i < LIMITS.rotations; i++) {
        const next = key();
        await store.rotate(rotation(last, next));
        last = next;
      }
      await expect(store.rotate(rotation(last, key()))).rejects.toThrow(code('conflict'));
    });

    it('of the coordinator: once for each key, to a key that is nobody’s', async () => {
      const [own, next] = [key(), key()];
      await store.addOwnRotation(rotation(own, next, 'coordinator'));
      await store.addOwnRotation(rotation(own, next, 'coordinator'));
      for (const [from, to] of [
        [own, key()],
        [next, own],
        [next, bob],
      ] as const)
        await expect(store.addOwnRotation(rotation(from, to, 'coordinator'))).rejects.toThrow(
          code('conflict'),
        );
      expect(await store.rotations()).toEqual([rotation(own, next, 'coordinator')]);
    });

    it('of the coordinator lead to the key that is its own; the first one is noted once', async () => {
      const [own, next] = [key(), key()];
      expect(await store.ownKey()).toBeNull();
      await store.noteOwnKey(own);
      await store.noteOwnKey(key());
      expect(await store.ownKey()).toBe(own);
      await store.addOwnRotation(rotation(own, next, 'coordinator'));
      expect(await store.ownKey()).toBe(next);
      await store.rotate(rotation(alice, key()));
      expect(await store.ownKey()).toBe(next);
    });
  });
}
