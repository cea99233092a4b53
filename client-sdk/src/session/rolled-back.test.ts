/** What a node makes of a coordinator in a higher epoch (PROTOCOL.md 6.8). */
import type { ServerMessage } from '@tributary/protocol';
import { describe, expect, test } from 'vitest';
import {
  announceMessage,
  createNode,
  eventsOf,
  hash,
  kindsOf,
  partnerIdentities,
  plan,
  playAttempt,
  proposal,
  sentOf,
  type TestNode,
} from './fixtures.ts';

const identities = partnerIdentities(5);

/** Nothing trained, the coordinator and the owner told. */
function expectRefused(node: TestNode, message: ServerMessage, code: string, words: RegExp): void {
  const effects = node.receive(message);
  expect(sentOf(effects, 'leave')).toMatchObject({ code, reason: expect.stringMatching(words) });
  expect(eventsOf(effects)).toContainEqual(expect.objectContaining({ type: 'refused', code }));
  expect(kindsOf(effects)).not.toContain('train');
}

describe('a coordinator that was restored from a backup', () => {
  const next = { round: 2, weights: hash('next weights'), previousTranscript: hash('transcript') };

  /** Nodes that saw round 1 published in epoch 1. */
  function afterRound1() {
    const nodes = identities.map((identity) => createNode(identity, identities));
    for (const node of nodes) node.receive(proposal());
    playAttempt(nodes, nodes[0]!);
    return nodes;
  }

  test('and lost nothing, goes on in its new epoch, with attempts counted anew', () => {
    const node = afterRound1()[0]!;
    node.receive(announceMessage({ ...next, attempt: 2 }));
    expect(kindsOf(node.receive(announceMessage({ ...next, attempt: 1, epoch: 7 })))).toContain('train');
  });

  test.each([
    [
      'a round that was published is announced again',
      { round: 1 },
      /saw round 1 .* published in epoch 1; in epoch 7/,
    ],
    ['it was published otherwise', { ...next, weights: hash('others') }, /Round 1 of run .* was published/],
    [
      'its transcript is another',
      { ...next, previousTranscript: hash('other') },
      /Round 1 of run .* was published/,
    ],
  ])('and lost rounds: %s', (_, change, reason) => {
    const node = afterRound1()[0]!;
    expectRefused(node, announceMessage({ ...change, epoch: 7 }), 'rolled-back', reason);
    // Asked again, after a reconnection, it says the same; and the old epoch is over.
    expect(node.receive(proposal())).toMatchObject([
      { type: 'send', message: { type: 'decline', code: 'rolled-back' } },
    ]);
    node.receive({ type: 'proposal', run: 'run-2', plan });
    const elsewhere = announceMessage({ run: 'run-2', weights: hash('other weights') });
    expectRefused(node, elsewhere, 'stale-epoch', /epoch is 1, seen was 7/);
  });

  test('ends an attempt of the old epoch, which no copy from before the restore can go on with', () => {
    const node = afterRound1()[0]!;
    node.receive(announceMessage(next));
    expectRefused(node, announceMessage({ round: 1, epoch: 7 }), 'rolled-back', /saw round 1/);
    expectRefused(node, announceMessage(next), 'stale-epoch', /epoch is 1, seen was 7/);
  });

  test('and lost a round in which this node took part: also with a base changed in one bit', () => {
    const node = afterRound1()[0]!;
    node.receive(announceMessage(next));
    const bent = announceMessage({ ...next, epoch: 7, weights: hash('weights, one bit changed') });
    expectRefused(node, bent, 'rolled-back', /Round 2 of run .* was announced from weights/);
    const other = afterRound1()[1]!;
    other.receive(announceMessage(next));
    expectRefused(other, announceMessage({ epoch: 7 }), 'rolled-back', /saw round 1|took part in round 2/);
  });

  test('once more, from a backup that has all: it is believed again, in its higher epoch only', () => {
    const node = afterRound1()[0]!;
    expectRefused(node, announceMessage({ epoch: 7 }), 'rolled-back', /saw round 1/);
    // The same history again, after a reconnection or a restart of the coordinator.
    expect(node.input({ type: 'greeted', epoch: 7 })).toEqual([]);
    expect(sentOf(node.receive(proposal()), 'decline')).toMatchObject({ code: 'rolled-back' });
    expect(node.input({ type: 'greeted', epoch: 9 })).toEqual([]);
    expect(kindsOf(node.receive(proposal()))).toContain('send consent');
    expect(kindsOf(node.receive(announceMessage({ ...next, epoch: 9 })))).toContain('train');
    const other = afterRound1()[1]!;
    expectRefused(other, announceMessage({ epoch: 7 }), 'rolled-back', /saw round 1/);
    other.input({ type: 'greeted', epoch: 9 });
    other.receive(proposal());
    expectRefused(other, announceMessage({ epoch: 9 }), 'rolled-back', /saw round 1/);
  });
});
