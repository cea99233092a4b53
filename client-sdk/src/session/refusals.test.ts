/** What a coordinator may try on a node, and what the node says to it. */
import {
  type Announcement,
  ClientMessage,
  hashStatement,
  identityFromSeed,
  type ServerMessage,
  sign,
  validate,
} from '@tributary/protocol';
import { nodeCrypto } from '@tributary/protocol/node';
import { describe, expect, test } from 'vitest';
import { hashesOf } from '../policy/index.ts';
import {
  announceMessage,
  createNode,
  eventsOf,
  hash,
  hashes,
  kindsOf,
  messagesOf,
  NOW,
  type NodeOptions,
  partnerIdentities,
  plan,
  playAttempt,
  proposal,
  RUN,
  sentOf,
  type TestNode,
  testPlan,
} from './fixtures.ts';
import { type LedgerRecord, readLedger } from './ledger.ts';

const identities = partnerIdentities(5);
const hashOf = ({ announcement }: { announcement: Announcement }) =>
  hashStatement(nodeCrypto, 'announcement', announcement);
const nodeWith = (options: NodeOptions = {}) => createNode(identities[0]!, identities, options);

function consented(options: NodeOptions = {}): TestNode {
  const node = nodeWith(options);
  node.receive(proposal());
  return node;
}

/** Refused before anything happened: no training, no record of having taken part. */
function expectRefused(node: TestNode, message: ServerMessage, code: string, words: RegExp): void {
  const effects = node.receive(message);
  expect(sentOf(effects, 'leave')).toMatchObject({ code, reason: expect.stringMatching(words) });
  expect(eventsOf(effects)).toContainEqual(expect.objectContaining({ type: 'refused', code }));
  const kinds = kindsOf(effects);
  expect(kinds).not.toContain('train');
  expect(kinds).not.toContain('append announced');
  for (const sent of messagesOf(effects)) validate(ClientMessage, sent, 'answer');
}

describe('proposals', () => {
  test('a policy without plans declines in words that name the rule', () => {
    const node = nodeWith({ policy: { plans: [] } });
    const effects = node.receive(proposal());
    expect(kindsOf(effects)).toEqual(['emit proposal', 'send decline', 'emit refused']);
    expect(sentOf(effects, 'decline')).toMatchObject({
      plan: hashes.plan,
      code: 'policy-refused',
      reason: expect.stringMatching(/^plans allows no plan/),
    });
  });

  test('ask: declines as pending, consents when the owner approves, leaves when the owner refuses later', () => {
    const node = nodeWith({ policy: { plans: 'ask' } });
    expect(sentOf(node.receive(proposal()), 'decline').code).toBe('approval-pending');
    expectRefused(node, announceMessage(), 'approval-pending', /has not decided/);
    const approved = node.input({ type: 'approvals', approvals: new Map([[hashes.plan, 'approved']]) });
    expect(kindsOf(approved)).toEqual(['send consent', 'emit consent']);
    expect(kindsOf(node.receive(announceMessage({ attempt: 2 })))).toContain('train');
    const refused = node.input({ type: 'approvals', approvals: new Map([[hashes.plan, 'refused']]) });
    expect(kindsOf(refused)).toEqual([
      ...['forget', 'send leave', 'append refused', 'emit refused'],
      ...['send decline', 'emit refused'],
    ]);
    expectRefused(node, announceMessage({ attempt: 3 }), 'policy-refused', /owner of this node refused/);
  });

  test.each([
    ['no plan at all', null, 'plan-invalid'],
    ['an unknown field', { ...plan, code: 'rm -rf /' }, 'plan-invalid'],
    ['a cohort above the limit', { ...plan, cohort: { min: 3, max: 200, minSum: 3 } }, 'cohort-too-large'],
  ])('%s is declined', (_, body, code) => {
    const effects = nodeWith().receive(proposal(body));
    expect(sentOf(effects, 'decline')).toMatchObject({ code });
  });

  test('a plan nested too deep for the stack is a warning, not a crash', () => {
    let body: unknown = 1;
    for (let depth = 0; depth < 100_000; depth++) body = [body];
    const node = nodeWith();
    const topology = { class_name: 'Sequential', config: body };
    const effects = node.receive(proposal({ ...plan, model: { topology } }));
    expect(kindsOf(effects)).not.toContain('send consent');
    expect(kindsOf(node.receive(proposal()))).toContain('send consent');
  });

  test('a flood of runs does not fill the memory', () => {
    const node = nodeWith();
    for (let i = 0; i < 1100; i++) node.receive({ type: 'proposal', run: `run-${i}`, plan });
    expect(node.state.runs.size).toBe(1000);
  });

  test('nor does a flood of large ones', () => {
    const node = nodeWith();
    const description = 'x'.repeat(1000);
    const columns = Array.from({ length: 900 }, (_, i) => ({
      name: `${i}-${description}`,
      transform: { kind: 'none' },
    }));
    const large = { ...plan, model: { topology: { class_name: 'Sequential', config: { note: columns } } } };
    for (let i = 0; i < 75; i++) node.receive({ type: 'proposal', run: `run-${i}`, plan: large });
    const held = [...node.state.runs.values()].reduce((sum, { bytes }) => sum + bytes, 0);
    expect(held).toBeGreaterThan(10 * 1024 * 1024);
    expect(held).toBeLessThan(64 * 1024 * 1024);
    expect(node.state.runs.has('run-74')).toBe(true);
  });
});

describe('announcements', () => {
  test('refused without end do not fill the disk', () => {
    const node = consented();
    for (let i = 0; i < 1100; i++) node.receive(announceMessage({ run: `unknown-${i}` }));
    expect(kindsOf(node.effects).filter((kind) => kind === 'append refused')).toHaveLength(1000);
    expect(kindsOf(node.effects).filter((kind) => kind === 'send leave')).toHaveLength(1100);
  });

  test('signed by somebody else, or in somebody else’s name', () => {
    const mallory = identityFromSeed(nodeCrypto, new Uint8Array(32).fill(9));
    expectRefused(consented(), announceMessage({}, plan, mallory), 'wrong-coordinator', /pinned is/);
    const forged = { ...announceMessage().announcement };
    const signature = sign(nodeCrypto, mallory, 'announcement', forged);
    const message = { type: 'announce', announcement: forged, signature } as const;
    expectRefused(consented(), message, 'bad-signature', /announcement/);
    const node = consented();
    expect(kindsOf(node.receive(message))).not.toContain('append refused');
  });

  test('a run that was never proposed', () => {
    expectRefused(nodeWith(), announceMessage(), 'wrong-phase', /never proposed/);
  });

  const lies: [string, Partial<Announcement>][] = [
    ['plan', { plan: hash('another plan') }],
    ['layout.scalars', { layout: { parameters: 20, scalars: 5 } }],
    ...(['clip', 'coordinateBound', 'weightCap', 'weights', 'collusion'] as const).map(
      (field): [string, Partial<Announcement>] => {
        const { announcement } = announceMessage();
        const { aggregation } = announcement;
        const value = field === 'weights' ? 'uniform' : aggregation[field] + 1;
        return [`aggregation.${field}`, { aggregation: { ...aggregation, [field]: value } as never }];
      },
    ),
  ];
  test.each(lies)('says another %s than the plan that was consented to', (field, changes) => {
    expectRefused(consented(), announceMessage(changes), 'equivocation', new RegExp(`^${field} is`));
  });

  test('turns the masks off behind a plan that said secure', () => {
    const { aggregation } = announceMessage().announcement;
    const message = announceMessage({ aggregation: { ...aggregation, mode: 'plain' } });
    expectRefused(consented(), message, 'policy-refused', /aggregation.mode is plain/);
    const careless = consented({ policy: { aggregation: 'allow-plain' } });
    expectRefused(careless, message, 'equivocation', /^aggregation.mode is plain/);
  });

  test('a round beyond the plan', () => {
    expectRefused(consented(), announceMessage({ round: 11 }), 'equivocation', /Round 11 .* 10 rounds/);
  });

  test('the same round and attempt under another nonce, while the first one goes on', () => {
    const node = consented();
    const first = announceMessage();
    node.receive(first);
    const twin = announceMessage({ nonce: 'A'.repeat(22) });
    expectRefused(node, twin, 'stale-announcement', /not after/);
    expect(node.state.attempts.get(RUN)?.work).toBe('training');
    expect(kindsOf(node.receive(first))).toEqual(['send progress']);
  });

  test('an older attempt replayed does not stop the newer one', () => {
    const node = consented();
    node.receive(announceMessage({ attempt: 1 }));
    node.receive(announceMessage({ attempt: 3 }));
    expectRefused(node, announceMessage({ attempt: 2 }), 'stale-announcement', /not after/);
    expect(node.state.attempts.get(RUN)?.secagg.announcement.attempt).toBe(3);
  });

  test('a base changed in one bit, so that a node that sent its vector would not sit out', () => {
    const node = consented();
    node.receive(announceMessage());
    const bent = announceMessage({ attempt: 2, weights: hash('weights, one bit changed') });
    expectRefused(node, bent, 'equivocation', /Attempt 1 of round 1 started from weights/);
  });

  test('a lower epoch, in whatever run', () => {
    const node = consented();
    node.receive(announceMessage({ epoch: 2 }));
    node.receive({ type: 'proposal', run: 'run-2', plan });
    expectRefused(node, announceMessage({ run: 'run-2', epoch: 1 }), 'stale-epoch', /epoch is 1, seen was 2/);
  });

  test('a history that was rewritten between two rounds', () => {
    const nodes = identities.map((identity) => createNode(identity, identities));
    for (const node of nodes) node.receive(proposal());
    playAttempt(nodes, nodes[0]!);
    const published = { weights: hash('next weights'), previousTranscript: hash('transcript') };
    const second = { round: 2, ...published };
    const other = { ...second, weights: hash('weights of nobody') };
    expectRefused(nodes[0]!, announceMessage(other), 'equivocation', /Round 1 was published with/);
    const forked = { ...second, previousTranscript: hash('another transcript') };
    expectRefused(nodes[1]!, announceMessage(forked), 'equivocation', /Round 1 was published with/);
    expect(kindsOf(nodes[2]!.receive(announceMessage(second)))).toContain('train');
  });
});

describe('a node that was restarted', () => {
  const { announcement } = announceMessage();
  const { run, round, attempt, epoch, weights } = announcement;
  const place = { time: NOW, run, round, attempt, epoch, id: hash('id') };
  const announced: LedgerRecord = { type: 'announced', ...place, plan: hashes.plan, weights };
  const sent: LedgerRecord = { type: 'vector-sent', ...place, weights, sha256: hash('vector') };

  test('leaves the attempt that it was in: its secrets are gone', () => {
    const node = consented({ ledger: readLedger([announced]) });
    expectRefused(node, announceMessage(), 'stale-announcement', /not after 1, 1/);
    expect(kindsOf(node.receive(announceMessage({ attempt: 2 })))).toContain('train');
  });

  test('sits out every further attempt on the base that it sent a vector on, in any run', () => {
    const node = consented({ ledger: readLedger([announced, sent]) });
    for (const message of [announceMessage(), announceMessage({ attempt: 2 }), announceMessage({ round: 7 })])
      expectRefused(node, message, 'sits-out', /sent a vector on base weights/);
    node.receive({ type: 'proposal', run: 'run-2', plan });
    expectRefused(node, announceMessage({ run: 'run-2' }), 'sits-out', /sent a vector/);
    expect(kindsOf(node.receive(announceMessage({ round: 2, weights: hash('new base') })))).toContain(
      'train',
    );
  });

  test('adds its rows up once for a plan of moments, from whatever weights another run starts', () => {
    const moments = testPlan({
      model: {
        topology: {
          class_name: 'Sequential',
          config: { layers: [{ class_name: 'Moments', config: { name: 'sums', rows: 10 } }] },
        },
      },
      rounds: 1,
    });
    const own = hashesOf(nodeCrypto, moments).plan;
    const policy = { plans: [{ plan: own }, { plan: hashes.plan }] };
    const before = [{ ...announced, plan: own }, sent];
    const other = { run: 'run-2', weights: hash('other initial weights') };
    const node = nodeWith({ policy, ledger: readLedger(before) });
    node.receive({ type: 'proposal', run: 'run-2', plan: moments });
    expectRefused(node, announceMessage(other, moments), 'sits-out', /added up its rows for plan/);
    // Nor where two such runs go on side by side.
    const nodes = identities.map((identity) => createNode(identity, identities, { policy }));
    for (const run of [RUN, 'run-2'])
      for (const each of nodes) each.receive({ type: 'proposal', run, plan: moments });
    const late = announceMessage(other, moments);
    nodes[0]!.receive(late);
    playAttempt(nodes, nodes[0]!, {}, moments);
    const effects = nodes[0]!.input({ type: 'trained', attempt: hashOf(late) });
    expect(sentOf(effects, 'leave')).toMatchObject({ code: 'sits-out' });
    // A plan that trains goes on from other weights.
    const training = nodeWith({ policy, ledger: readLedger([announced, sent]) });
    training.receive({ type: 'proposal', run: 'run-2', plan });
    expect(kindsOf(training.receive(announceMessage(other)))).toContain('train');
  });

  test('does not accept an epoch below one that it has seen', () => {
    const node = consented({ ledger: readLedger([{ ...announced, run: 'old run', epoch: 9 }]) });
    expectRefused(node, announceMessage(), 'stale-epoch', /seen was 9/);
    const stale: LedgerRecord = { type: 'refused', ...place, code: 'stale-epoch', reason: '' };
    const again = consented({ ledger: readLedger([{ ...announced, run: 'old run', epoch: 9 }, stale]) });
    expectRefused(again, announceMessage({ epoch: 8 }), 'stale-epoch', /seen was 9/);
  });
});
