/** A node that sent a vector in an attempt without a sum, and what it takes to make it send another on the same base. */
import type { AbandonCertificate, ServerMessage } from '@tributary/protocol';
import { nodeCrypto } from '@tributary/protocol/node';
import { signAbandonment } from '@tributary/protocol/secagg';
import { describe, expect, test } from 'vitest';
import { believe } from './abandonment.ts';
import {
  announceMessage,
  coordinator,
  createNode,
  kindsOf,
  partnerIdentities,
  playAttempt,
  proposal,
  type Script,
  sentOf,
  type TestNode,
} from './fixtures.ts';
import { type LedgerRecord, readLedger } from './ledger.ts';

const identities = partnerIdentities(5);
const pinned = identities.map(({ id }) => id);

/** Everybody has sent a vector; nobody has revealed a share. n = 5, t = 4, c = 1: three must sign. */
function scene(): { nodes: TestNode[]; victim: TestNode; attempt: string } {
  const nodes = identities.map((identity) => createNode(identity, identities));
  for (const node of nodes) node.receive(proposal());
  const victim = nodes[0]!;
  for (const node of nodes) {
    const receive = node.receive.bind(node);
    // The coordinator dies before it could say who is in the sum.
    node.receive = (message) => (message.type === 'survivors' ? cut() : receive(message));
  }
  let script: Script | undefined;
  expect(() => {
    script = playAttempt(nodes, victim);
  }).toThrow('cut');
  expect(script).toBeUndefined();
  for (const node of nodes) node.receive = (message) => node.input({ type: 'message', message });
  return { nodes, victim, attempt: [...victim.state.attempts.values()][0]!.secagg.attempt };
}

function cut(): never {
  throw new Error('cut');
}

const abandoned = (attempt: string): ServerMessage => ({
  type: 'abandoned',
  attempt,
  code: 'below-threshold',
  reason: 'too few',
});

function certificate(nodes: readonly TestNode[], attempt: string): AbandonCertificate {
  const signatures = nodes.map((node) => {
    const { signature } = sentOf(node.receive(abandoned(attempt)), 'abandon');
    return { member: node.context.identity.id, signature };
  });
  return { attempt, signatures };
}

const next = (certificates: AbandonCertificate[]) => ({ ...announceMessage({ attempt: 2 }), certificates });
const records = (node: TestNode): LedgerRecord[] =>
  node.effects.flatMap((effect) => (effect.type === 'append' ? [effect.record] : []));

describe('a node that sent a vector', () => {
  test('trains again on the same base once enough others have abandoned the attempt, and writes that down first', () => {
    const { nodes, victim, attempt } = scene();
    const proof = certificate(nodes.slice(1, 4), attempt);
    const effects = victim.receive(next([proof]));
    expect(kindsOf(effects)).toEqual([
      ...[
        'forget',
        'emit abandoned',
        'append certified',
        'append announced',
        'emit announced',
        'send progress',
        'train',
      ],
    ]);
    expect(records(victim)).toContainEqual(
      expect.objectContaining({ type: 'certified', id: attempt, signers: pinned.slice(1, 4) }),
    );
  });

  test('also after it was restarted, from its ledger alone', () => {
    const { nodes, victim, attempt } = scene();
    const proof = certificate(nodes.slice(1, 4), attempt);
    const again = createNode(identities[0]!, identities, { ledger: readLedger(records(victim)) });
    again.receive(proposal());
    expect(again.receive(abandoned(attempt))).toEqual([]);
    expect(sentOf(again.receive(next([])), 'leave')).toMatchObject({ code: 'sits-out' });
    expect(kindsOf(again.receive(next([proof])))).toContain('train');
  });

  test('believes those who abandoned it under the key that the coordinator had then, and no other', () => {
    const { nodes, victim, attempt } = scene();
    const proof = certificate(nodes.slice(1, 4), attempt);
    const under = { ...victim.context, coordinator: pinned[4]! };
    const kinds = (former: string[]) =>
      kindsOf(believe(victim.state, [proof], attempt, 1, { ...under, former }).effects);
    expect(kinds([pinned[3]!, coordinator.id])).toEqual(['append certified']);
    expect(kinds([pinned[3]!])).toEqual(['emit warning']);
  });

  test.each(['too few', 'another attempt', 'one of them twice'])('sits out with %s', (what) => {
    const { nodes, victim, attempt } = scene();
    const proof = certificate(nodes.slice(1, 4), attempt);
    const { signatures } = proof;
    const wrong: Record<string, AbandonCertificate> = {
      'too few': { attempt, signatures: signatures.slice(1) },
      'another attempt': { ...proof, attempt: 'f'.repeat(64) },
      'one of them twice': { attempt, signatures: [...signatures.slice(1), signatures[1]!] },
    };
    const effects = victim.receive(next([wrong[what]!]));
    expect(sentOf(effects, 'leave')).toMatchObject({ code: 'sits-out' });
    expect(kindsOf(effects)).not.toContain('append certified');
  });

  test('a second attempt that fails as well needs a certificate of its own', () => {
    const { nodes, victim, attempt } = scene();
    const proof = certificate(nodes.slice(1, 4), attempt);
    const ledger = readLedger([
      ...records(victim),
      {
        ...(records(victim).find(({ type }) => type === 'vector-sent') as Extract<
          LedgerRecord,
          { type: 'vector-sent' }
        >),
        id: 'e'.repeat(64),
        attempt: 2,
      },
    ]);
    const again = createNode(identities[0]!, identities, { ledger });
    again.receive(proposal());
    expect(sentOf(again.receive(next([proof])), 'leave')).toMatchObject({ code: 'sits-out' });
  });
});

describe('what a node signs', () => {
  test('once it has revealed its shares: nothing, however often it is asked', () => {
    const nodes = identities.map((identity) => createNode(identity, identities));
    for (const node of nodes) node.receive(proposal());
    const target = nodes[0]!;
    const receive = target.receive.bind(target);
    let attempt = '';
    target.receive = (message) => {
      if (message.type === 'published') attempt = message.attempt;
      return message.type === 'published' ? receive(abandoned(message.attempt)) : receive(message);
    };
    playAttempt(nodes, target);
    expect(kindsOf(target.effects)).toContain('send unmask');
    expect(kindsOf(target.effects)).not.toContain('send abandon');
    expect(target.receive(abandoned(attempt))).toEqual([]);
  });

  test('binds it: a list of survivors that comes afterwards is answered no more', () => {
    const { nodes, attempt } = scene();
    const node = nodes[2]!;
    node.receive(abandoned(attempt));
    const late = {
      type: 'agreed' as const,
      attempt,
      signatures: identities.map(({ id }) => ({ member: id, signature: 'A'.repeat(86) })),
    };
    expect(kindsOf(node.receive(late))).toEqual(['emit warning']);
  });

  test('holds for this attempt, this U1 and this coordinator', () => {
    const { nodes, attempt } = scene();
    const node = nodes[2]!;
    const { roster } = [...node.state.attempts.values()][0]!.secagg as unknown as {
      roster: { hash: string };
    };
    const { signature } = sentOf(node.receive(abandoned(attempt)), 'abandon');
    const expected = { coordinator: coordinator.id, announcement: attempt, roster: roster.hash };
    expect(signature).toBe(signAbandonment(nodeCrypto, node.context.identity, expected));
  });
});
