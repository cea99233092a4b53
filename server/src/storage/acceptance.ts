/** What every Store adapter must do. Run by each adapter's test with its own way to open. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { entry, hash, invited, key, roundRow, runRow, updateRow } from './fixtures.ts';
import { type Store, VOIDS_KEPT } from './ports.ts';

export interface StoreAdapter {
  /** A new, empty store. */
  open(): Promise<Store>;
  /** Closes the store and opens the same one again; null where nothing outlives a close. */
  reopen: ((store: Store) => Promise<Store>) | null;
}

const code = (expected: string) => expect.objectContaining({ code: expected });

export function storeAcceptance(name: string, adapter: StoreAdapter): void {
  describe(`Store: ${name}`, () => {
    let store: Store;
    beforeEach(async () => {
      store = await adapter.open();
    });
    afterEach(async () => {
      await store.close();
    });

    describe('commit', () => {
      it('keeps every kind of row and gives it back unchanged', async () => {
        const report = { evaluator: 'judge', count: 10, loss: 0.25, metrics: { accuracy: 0.9 } };
        const journal = [entry('r1', 1), entry('r1', 2, { nested: [1.5, null, 'x'] })];
        await store.commit({
          epoch: 1,
          runs: [runRow('r1', { reason: 'ü "quoted"', transcript: hash('t') })],
          journal,
          updates: [updateRow('r1', 'm1')],
          rounds: [roundRow('r1', 1)],
          evaluations: [{ run: 'r1', round: 1, report }],
        });
        expect(await store.runs()).toEqual([runRow('r1', { reason: 'ü "quoted"', transcript: hash('t') })]);
        expect(await store.run('r1')).toEqual((await store.runs())[0]);
        expect(await store.run('r2')).toBeUndefined();
        expect(await store.journal('r1')).toEqual(journal);
        expect(await store.updates(hash('attempt'))).toEqual([updateRow('r1', 'm1')]);
        expect(await store.updates(hash('another'))).toEqual([]);
        expect(await store.rounds('r1')).toEqual([roundRow('r1', 1)]);
        expect(await store.evaluations('r1')).toEqual([{ run: 'r1', round: 1, report }]);
        expect(await store.snapshot('r1')).toBeUndefined();
      });

      it('is all or nothing: a late conflict undoes everything before it', async () => {
        await store.commit({ epoch: 1, runs: [runRow('r1')], rounds: [roundRow('r1', 1)] });
        const commit = store.commit({
          epoch: 1,
          runs: [runRow('r1', { round: 7 }), runRow('r2')],
          journal: [entry('r1', 1)],
          updates: [updateRow('r1', 'm1')],
          rounds: [roundRow('r1', 2), roundRow('r1', 1)],
        });
        await expect(commit).rejects.toThrow(code('conflict'));
        expect(await store.runs()).toEqual([runRow('r1')]);
        expect(await store.journal('r1')).toEqual([]);
        expect(await store.updates(hash('attempt'))).toEqual([]);
        expect(await store.rounds('r1')).toEqual([roundRow('r1', 1)]);
      });

      it('refuses a writer of another epoch, older or newer', async () => {
        await store.commit({ epoch: 1, runs: [runRow('r1')] });
        for (const epoch of [0, 2]) {
          const commit = store.commit({ epoch, runs: [runRow('r1', { round: 9 })] });
          await expect(commit).rejects.toThrow(code('conflict'));
        }
        expect(await store.epoch()).toBe(1);
        expect((await store.run('r1'))?.round).toBe(0);
      });

      it('refuses a journal seq that is taken, and one that leaves a gap', async () => {
        await store.commit({ epoch: 1, runs: [runRow('r1'), runRow('r2')], journal: [entry('r1', 1)] });
        const append = (...seqs: number[]) =>
          store.commit({ epoch: 1, journal: seqs.map((seq) => entry('r1', seq)) });
        await expect(append(1)).rejects.toThrow(code('conflict'));
        await expect(append(3)).rejects.toThrow(code('conflict'));
        await expect(append(2, 2)).rejects.toThrow(code('conflict'));
        await append(2, 3);
        await store.commit({ epoch: 1, journal: [entry('r2', 1)] });
        expect((await store.journal('r1')).map((e) => e.seq)).toEqual([1, 2, 3]);
        expect((await store.journal('r2')).map((e) => e.seq)).toEqual([1]);
      });

      it('lets one of two concurrent writers of the same seq win', async () => {
        await store.commit({ epoch: 1, runs: [runRow('r1')] });
        const results = await Promise.allSettled(
          ['a', 'b', 'c'].map((who) => store.commit({ epoch: 1, journal: [entry('r1', 1, { who })] })),
        );
        expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(1);
        expect(await store.journal('r1')).toHaveLength(1);
      });

      it('truncates the journal at a snapshot and goes on after it', async () => {
        await store.commit({
          epoch: 1,
          runs: [runRow('r1'), runRow('r2')],
          journal: [entry('r1', 1), entry('r1', 2), entry('r1', 3), entry('r2', 1)],
        });
        const snapshot = { run: 'r1', seq: 2, machine: 1, state: { phase: 'idle', list: [1] } };
        await store.commit({ epoch: 1, snapshots: [snapshot] });
        expect(await store.snapshot('r1')).toEqual(snapshot);
        expect((await store.journal('r1')).map((e) => e.seq)).toEqual([3]);
        expect((await store.journal('r2')).map((e) => e.seq)).toEqual([1]);

        const next = { ...snapshot, seq: 4, state: null };
        await store.commit({ epoch: 1, journal: [entry('r1', 4)], snapshots: [next] });
        expect(await store.snapshot('r1')).toEqual(next);
        expect(await store.journal('r1')).toEqual([]);
        await expect(store.commit({ epoch: 1, journal: [entry('r1', 4)] })).rejects.toThrow(code('conflict'));
        await store.commit({ epoch: 1, journal: [entry('r1', 5)] });
      });

      it('refuses a snapshot that goes back, or covers inputs that were never written', async () => {
        await store.commit({ epoch: 1, runs: [runRow('r1')], journal: [entry('r1', 1), entry('r1', 2)] });
        const put = (seq: number) =>
          store.commit({ epoch: 1, snapshots: [{ run: 'r1', seq, machine: 1, state: {} }] });
        await expect(put(3)).rejects.toThrow(code('conflict'));
        await put(2);
        await expect(put(1)).rejects.toThrow(code('conflict'));
      });

      it('keeps the newest void attempts of a run, and forgets the updates of attempts at a snapshot', async () => {
        await store.commit({ epoch: 1, runs: [runRow('r1')], updates: [updateRow('r1', 'm1')] });
        const row = (attempt: number) => ({
          ...{ run: 'r1', round: 1, attempt, time: 1000 + attempt },
          ...{ code: 'below-threshold', reason: 'Too few.' },
        });
        const voids = Array.from({ length: VOIDS_KEPT + 3 }, (_, i) => row(i + 1));
        await store.commit({ epoch: 1, voids });
        const kept = await store.voids('r1');
        expect(kept.map(({ attempt }) => attempt)).toEqual(
          Array.from({ length: VOIDS_KEPT }, (_, i) => i + 4),
        );
        expect(await store.updates(hash('attempt'))).toHaveLength(1);
        const later = updateRow('r1', 'm1', { attempt: hash('next attempt') });
        const snapshot = { run: 'r1', seq: 0, machine: 1, state: {} };
        await store.commit({ epoch: 1, updates: [later], snapshots: [snapshot] });
        expect(await store.updates(hash('attempt'))).toEqual([]);
        expect(await store.updates(hash('next attempt'))).toEqual([later]);
      });

      it('keeps the first update of a member: the same again is fine, another is refused', async () => {
        await store.commit({ epoch: 1, runs: [runRow('r1')], updates: [updateRow('r1', 'm1')] });
        await store.commit({ epoch: 1, updates: [updateRow('r1', 'm1', { received: 1_800_000_000_000 })] });
        const other = store.commit({ epoch: 1, updates: [updateRow('r1', 'm1', { sha256: hash('other') })] });
        await expect(other).rejects.toThrow(code('conflict'));
        expect(await store.updates(hash('attempt'))).toEqual([updateRow('r1', 'm1')]);
      });

      it('replaces an evaluator’s report of the same round', async () => {
        const report = { evaluator: 'judge', count: 10, loss: 1, metrics: {} };
        await store.commit({
          epoch: 1,
          runs: [runRow('r1')],
          evaluations: [{ run: 'r1', round: 0, report }],
        });
        const better = { ...report, loss: 0.5 };
        await store.commit({ epoch: 1, evaluations: [{ run: 'r1', round: 0, report: better }] });
        expect(await store.evaluations('r1')).toEqual([{ run: 'r1', round: 0, report: better }]);
      });

      it('refuses rows of an unknown run', async () => {
        await expect(store.commit({ epoch: 1, journal: [entry('nobody', 1)] })).rejects.toThrow(
          code('not-found'),
        );
        await expect(store.commit({ epoch: 1, rounds: [roundRow('nobody', 1)] })).rejects.toThrow(
          code('not-found'),
        );
      });

      it('does not see what the caller changes afterwards', async () => {
        const input = { list: [1] };
        await store.commit({ epoch: 1, runs: [runRow('r1')], journal: [entry('r1', 1, input)] });
        input.list.push(2);
        expect((await store.journal('r1'))[0]?.input).toEqual({ list: [1] });
      });
    });

    describe('tokens', () => {
      const token = { name: 'ops', role: 'operator', hash: hash('secret'), created: 5 } as const;

      it('finds a token by its hash only, and forgets it when removed', async () => {
        await store.addToken(token);
        expect(await store.tokenByHash(hash('secret'))).toEqual(token);
        expect(await store.tokenByHash('secret')).toBeUndefined();
        expect(await store.tokenByHash(hash('secret').toUpperCase())).toBeUndefined();
        expect(await store.tokens()).toEqual([token]);
        expect(await store.removeToken('ops')).toBe(true);
        expect(await store.removeToken('ops')).toBe(false);
        expect(await store.tokenByHash(hash('secret'))).toBeUndefined();
      });

      it('refuses a second token of the same name', async () => {
        await store.addToken(token);
        await expect(store.addToken({ ...token, hash: hash('new') })).rejects.toThrow(code('conflict'));
        expect(await store.tokens()).toEqual([token]);
      });
    });

    describe('partners', () => {
      it('uses an invite once', async () => {
        await store.invite(invited('alice', 'word'));
        const alice = key();
        const enrolled = await store.enrol(hash('word'), alice, 1500);
        expect(enrolled).toEqual({
          ...invited('alice', 'word'),
          status: 'active',
          key: alice,
          inviteHash: null,
          inviteExpires: null,
          lastSeen: 1500,
        });
        expect(await store.partnerByKey(alice)).toEqual(enrolled);
        await expect(store.enrol(hash('word'), key(), 1500)).rejects.toThrow(code('invite-invalid'));
        expect(await store.partners()).toEqual([enrolled]);
      });

      it('lets exactly one of many concurrent enrolments win', async () => {
        await store.invite(invited('alice', 'word'));
        const keys = Array.from({ length: 8 }, key);
        const results = await Promise.allSettled(keys.map((k) => store.enrol(hash('word'), k, 1500)));
        expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(1);
        expect(await store.partners()).toHaveLength(1);
      });

      it('refuses an expired, unknown or replaced invite', async () => {
        await store.invite(invited('alice', 'word'));
        await expect(store.enrol(hash('word'), key(), 2000)).rejects.toThrow(code('invite-invalid'));
        await expect(store.enrol(hash('guess'), key(), 1500)).rejects.toThrow(code('invite-invalid'));
        await store.invite(invited('alice', 'second', { inviteExpires: 9000 }));
        await expect(store.enrol(hash('word'), key(), 1500)).rejects.toThrow(code('invite-invalid'));
        expect((await store.enrol(hash('second'), key(), 2500)).status).toBe('active');
      });

      it('refuses a key that another partner enrolled, and keeps the invite', async () => {
        await store.invite(invited('alice', 'a'));
        await store.invite(invited('bob', 'b'));
        const shared = key();
        await store.enrol(hash('a'), shared, 1500);
        await expect(store.enrol(hash('b'), shared, 1500)).rejects.toThrow(code('conflict'));
        expect((await store.enrol(hash('b'), key(), 1500)).name).toBe('bob');
      });

      it('never replaces an enrolled partner by an invite of the same name', async () => {
        await store.invite(invited('alice', 'a'));
        const alice = key();
        await store.enrol(hash('a'), alice, 1500);
        await expect(store.invite(invited('alice', 'evil'))).rejects.toThrow(code('conflict'));
        await store.setPartnerStatus('alice', 'suspended');
        await expect(store.invite(invited('alice', 'evil'))).rejects.toThrow(code('conflict'));
        expect((await store.partnerByKey(alice))?.status).toBe('suspended');
      });

      it('suspends and resumes enrolled partners only, and removes them with their key', async () => {
        await store.invite(invited('alice', 'a'));
        for (const name of ['alice', 'bob']) expect(await store.setPartnerStatus(name, 'active')).toBe(false);
        const alice = key();
        await store.enrol(hash('a'), alice, 1500);
        expect(await store.setPartnerStatus('alice', 'suspended')).toBe(true);
        expect((await store.partnerByKey(alice))?.status).toBe('suspended');
        expect(await store.setPartnerStatus('alice', 'active')).toBe(true);
        await store.touchPartner(alice, 7777);
        expect(await store.removePartner('alice')).toMatchObject({ status: 'active', lastSeen: 7777 });
        expect(await store.partners()).toEqual([]);
      });
    });

    describe.skipIf(!adapter.reopen)('after a close', () => {
      it('has everything', async () => {
        const snapshot = { run: 'r1', seq: 2, machine: 1, state: { at: 2 } };
        await store.commit({
          epoch: 1,
          runs: [runRow('r1')],
          journal: [entry('r1', 1), entry('r1', 2), entry('r1', 3)],
          snapshots: [snapshot],
          updates: [updateRow('r1', 'm1')],
          rounds: [roundRow('r1', 1)],
        });
        await store.addToken({ name: 'ops', role: 'admin', hash: hash('s'), created: 1 });
        await store.invite(invited('alice', 'a'));
        const partner = await store.enrol(hash('a'), key(), 1500);

        store = await adapter.reopen!(store);
        expect(await store.epoch()).toBe(1);
        expect(await store.runs()).toEqual([runRow('r1')]);
        expect(await store.snapshot('r1')).toEqual(snapshot);
        expect(await store.journal('r1')).toEqual([entry('r1', 3)]);
        expect(await store.updates(hash('attempt'))).toEqual([updateRow('r1', 'm1')]);
        expect(await store.rounds('r1')).toEqual([roundRow('r1', 1)]);
        expect((await store.tokenByHash(hash('s')))?.role).toBe('admin');
        expect(await store.partners()).toEqual([partner]);
      });
    });
  });
}
