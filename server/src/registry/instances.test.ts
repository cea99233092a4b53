import { pino } from 'pino';
import { beforeEach, describe, expect, it } from 'vitest';
import { createMemoryStore } from '../storage/memory.ts';
import type { Store } from '../storage/ports.ts';
import { createInstances, type Instances } from './instances.ts';

const KEY = 'k'.repeat(43);
const process = (name: string, starts: number) => ({ id: name.repeat(22), starts });
let store: Store;
let instances: Instances;
let sessions = 0;
const begin = () => {
  const session = { id: `s${++sessions}`, member: KEY };
  instances.began(session);
  return session;
};
const incident = async () => (await store.partnerByKey(KEY))?.incident ?? null;

beforeEach(async () => {
  store = createMemoryStore();
  await store.invite({
    ...{ name: 'clinic-a', role: 'partner', status: 'invited', key: null, inviteHash: 'h' },
    ...{ inviteExpires: 10, created: 0, lastSeen: null, instance: null, incident: null },
  });
  await store.enrol('h', KEY, 1);
  instances = createInstances(store, pino({ level: 'silent' }), () => 77);
});

describe('one process after the other', () => {
  it('restarts, and connects again over a connection that is dead: nothing to tell', async () => {
    const first = begin();
    await instances.report(KEY, process('a', 1));
    const second = begin();
    await instances.report(KEY, process('a', 1));
    await instances.ended(first, true);
    await instances.ended(second, false);
    begin();
    await instances.report(KEY, process('b', 2));
    const fourth = begin();
    await instances.report(KEY, process('c', 3));
    await instances.ended(fourth, false);
    expect(await incident()).toBeNull();
  });

  it('whose state folder is older than what was seen is refused', async () => {
    await instances.ended(begin(), false);
    await instances.report(KEY, process('a', 9));
    for (const starts of [9, 6])
      await expect(instances.report(KEY, process('b', starts))).rejects.toMatchObject({
        code: 'identity-cloned',
      });
    expect(await incident()).toMatchObject({ time: 77 });
    await instances.report(KEY, process('a', 9));
  });

  it('does not get in by being started again and again', async () => {
    await instances.report(KEY, process('a', 3));
    for (const [name, starts] of [
      ['b', 3],
      ['c', 4],
      ['d', 1_000_000_000],
    ] as const) {
      const refused = await instances.report(KEY, process(name, starts)).catch((thrown) => thrown);
      expect(refused).toMatchObject({ code: 'identity-cloned' });
      expect(Buffer.byteLength(refused.message)).toBeLessThanOrEqual(123);
    }
    await instances.report(KEY, process('a', 3));
    // What `resume` does.
    await store.notePartner(KEY, { instance: null, incident: null });
    await instances.report(KEY, process('d', 5));
  });

  it('also after the coordinator started again', async () => {
    await instances.report(KEY, process('a', 9));
    instances = createInstances(store, pino({ level: 'silent' }));
    await expect(instances.report(KEY, process('b', 2))).rejects.toMatchObject({ code: 'identity-cloned' });
  });
});

describe('two processes at the same time', () => {
  it.each(['the older ends first', 'the newer speaks first'])('are an incident: %s', async (order) => {
    const first = begin();
    await instances.report(KEY, process('a', 1));
    begin();
    if (order === 'the older ends first') await instances.ended(first, true);
    await instances.report(KEY, process('b', 2));
    if (order !== 'the older ends first') await instances.ended(first, true);
    expect((await incident())?.reason).toContain('at the same time');
  });

  it('are none while the older one is dead: it crashed, and its connection with it', async () => {
    const first = begin();
    await instances.report(KEY, process('a', 1));
    begin();
    await instances.report(KEY, process('b', 2));
    await instances.ended(first, false);
    expect(await incident()).toBeNull();
  });

  it('are an incident also when a session that never said its process lay between theirs', async () => {
    const first = begin();
    await instances.report(KEY, process('a', 1));
    const mute = begin();
    begin();
    await instances.ended(first, true);
    await instances.ended(mute, true);
    await instances.report(KEY, process('b', 2));
    expect((await incident())?.reason).toContain('at the same time');
  });
});
