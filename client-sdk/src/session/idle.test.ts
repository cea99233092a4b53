/** Announcements that are well signed, of a plan that is allowed, and mean nothing. */
import { expect, test } from 'vitest';
import {
  announceMessage,
  createNode,
  kindsOf,
  NOW,
  partnerIdentities,
  plan,
  playAttempt,
  proposal,
  RUN,
  sentOf,
} from './fixtures.ts';
import { step } from './machine.ts';

const identities = partnerIdentities(5);
const freshNode = () => createNode(identities[0]!, identities);

test('attempts without end do not fill the disk of a node', () => {
  const node = freshNode();
  node.receive(proposal());
  for (let attempt = 1; attempt <= 1100; attempt++) node.receive(announceMessage({ attempt }));
  expect(kindsOf(node.effects).filter((kind) => kind === 'append announced')).toHaveLength(1000);
  expect(sentOf(node.effects, 'leave')).toMatchObject({ code: 'rate-limited' });
  const message = announceMessage({ attempt: 1101 });
  node.state = step(node.state, { type: 'message', message }, NOW + 1000, node.context).state;
  expect(node.state.ledger.last.get(RUN)?.attempt).toBe(1101);
});

test('a node that sends its vector each time goes on without a pause', () => {
  const nodes = identities.map((identity) => createNode(identity, identities));
  for (const node of nodes) {
    node.receive(proposal());
    node.state = { ...node.state, idle: { left: 1, since: NOW } };
  }
  playAttempt(nodes, nodes[0]!);
  expect(nodes.map(({ state }) => state.idle.left)).toEqual(identities.map(() => 1));
});

test('hundreds of runs at once do not have this node train them all', () => {
  const node = freshNode();
  for (let i = 0; i < 200; i++) {
    node.receive({ type: 'proposal', run: `run-${i}`, plan });
    node.receive(announceMessage({ run: `run-${i}` }));
  }
  expect(kindsOf(node.effects).filter((kind) => kind === 'train')).toHaveLength(100);
  expect(sentOf(node.effects, 'leave')).toMatchObject({ code: 'rate-limited' });
});
