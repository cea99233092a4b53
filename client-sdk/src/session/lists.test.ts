/** What a coordinator may try with the lists of an attempt, seen from the session. */
import { sign } from '@tributary/protocol';
import { nodeCrypto } from '@tributary/protocol/node';
import { describe, expect, test } from 'vitest';
import {
  coordinator,
  createNode,
  hash,
  kindsOf,
  NOW,
  type NodeOptions,
  partnerIdentities,
  playAttempt,
  proposal,
  RUN,
  sentOf,
  type TestNode,
} from './fixtures.ts';
import { type LedgerRecord, readLedger } from './ledger.ts';

const identities = partnerIdentities(5);

function consented(options: NodeOptions = {}): TestNode {
  const node = createNode(identities[0]!, identities, options);
  node.receive(proposal());
  return node;
}

describe('lists', () => {
  function scripted() {
    const nodes = identities.map((identity) => createNode(identity, identities));
    for (const node of nodes) node.receive(proposal());
    const script = playAttempt(nodes, nodes[0]!);
    return script;
  }
  const script = scripted();

  function until(step: 'roster' | 'cohort' | 'masked', options: NodeOptions = {}): TestNode {
    const node = consented(options);
    node.receive(script.announce);
    node.input({ type: 'trained', attempt: script.attempt });
    node.receive(script.roster);
    if (step === 'roster') return node;
    node.receive(script.cohort);
    if (step === 'masked')
      node.input({ type: 'masked', attempt: script.attempt, sha256: hash('masked vector') });
    return node;
  }

  test('strangers in U1 are named, and the run is consented to again once they are accepted', () => {
    const node = consented({ pinned: [] });
    node.receive(script.announce);
    node.input({ type: 'trained', attempt: script.attempt });
    const effects = node.receive(script.roster);
    expect(kindsOf(effects)).toEqual(['forget', 'send leave', 'append refused', 'emit refused']);
    const { code, reason } = sentOf(effects, 'leave');
    expect(code).toBe('stranger-in-roster');
    for (const { id } of identities.slice(1)) expect(reason).toContain(id);
    // A word about plans changes nothing for strangers.
    expect(node.input({ type: 'approvals', approvals: new Map() })).toEqual([]);
    const pinned = new Set(identities.map(({ id }) => id));
    expect(kindsOf(node.input({ type: 'pinned', pinned }))).toEqual(['send consent', 'emit consent']);
  });

  test('a second, different U2 ends the attempt: never two maskings', () => {
    const node = until('cohort');
    const members = script.cohort.cohort.members.slice(1);
    const cohort = { ...script.cohort.cohort, members };
    const signature = sign(nodeCrypto, coordinator, 'cohort', cohort);
    const effects = node.receive({ ...script.cohort, cohort, signature });
    expect(sentOf(effects, 'leave').code).toBe('equivocation');
    expect(kindsOf(effects)).not.toContain('mask');
    expect(kindsOf(node.receive(script.cohort))).toEqual(['emit warning']);
  });

  test('of an attempt that a node was in before it started again: it leaves, so that nobody waits for it', () => {
    const before = until('masked');
    const records = before.effects.flatMap((effect) => (effect.type === 'append' ? [effect.record] : []));
    const again = consented({ ledger: readLedger(records) });
    for (const list of [script.roster, script.cohort, script.survivors, script.agreed]) {
      const effects = again.receive(list);
      expect(kindsOf(effects)).toEqual(['send leave', 'emit warning']);
      expect(sentOf(effects, 'leave')).toMatchObject({ attempt: script.attempt, code: 'unavailable' });
    }
    // One that it left, or saw published, or never heard of, is none of its business.
    const place = { time: NOW, run: RUN, round: 1, attempt: 1, epoch: 1, id: script.attempt };
    const over: LedgerRecord[] = [
      { type: 'refused', ...place, code: 'late', reason: 'too late' },
      { type: 'published', ...place, weights: hash('next'), transcript: hash('transcript') },
    ];
    for (const record of over) {
      const node = consented({ ledger: readLedger([...records, record]) });
      expect(kindsOf(node.receive(script.roster))).toEqual(['emit warning']);
    }
    expect(kindsOf(consented().receive(script.roster))).toEqual(['emit warning']);
  });

  test('a U3 without this node, or with another vector of it, gets no signature', () => {
    const { survivors } = script.survivors;
    const own = identities[0]!.id;
    const swapped = survivors.updates.map((update) =>
      update.member === own ? { ...update, sha256: hash('somebody else’s') } : update,
    );
    for (const updates of [survivors.updates.filter(({ member }) => member !== own), swapped]) {
      const node = until('masked');
      const list = { ...survivors, updates };
      const signature = sign(nodeCrypto, coordinator, 'survivors', list);
      const effects = node.receive({ ...script.survivors, survivors: list, signature });
      expect(kindsOf(effects)).toEqual(['forget', 'send leave', 'append refused', 'emit refused']);
    }
  });

  test('without enough signatures nothing is unmasked', () => {
    const node = until('masked');
    node.receive(script.survivors);
    const effects = node.receive({ ...script.agreed, signatures: script.agreed.signatures.slice(0, 2) });
    expect(sentOf(effects, 'leave').code).toBe('below-threshold');
    expect(kindsOf(node.receive(script.agreed))).toEqual(['emit warning']);
    expect(kindsOf(node.effects)).not.toContain('send unmask');
  });

  test('a publication of another round is ignored', () => {
    const node = until('masked');
    expect(kindsOf(node.receive({ ...script.published, round: 5 }))).toEqual(['emit warning']);
    expect(node.state.attempts.size).toBe(1);
  });
});
