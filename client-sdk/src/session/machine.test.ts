import { type ServerMessage, TributaryError } from '@tributary/protocol';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  announceMessage,
  createNode,
  eventsOf,
  hash,
  kindsOf,
  messagesOf,
  partnerIdentities,
  plan,
  playAttempt,
  proposal,
  RUN,
  type Script,
  sentOf,
  type TestNode,
  VECTOR,
} from './fixtures.ts';

const identities = partnerIdentities(5);
const victim = () => createNode(identities[0]!, identities);
let script: Script;
let honest: TestNode;

/** Every input of an honest attempt, as the coordinator and the node's own work bring it. */
type Beat = (node: TestNode) => ReturnType<TestNode['receive']>;
let beats: readonly (readonly [string, Beat])[];

beforeAll(() => {
  const nodes = identities.map((identity) => createNode(identity, identities));
  for (const node of nodes) node.receive(proposal());
  honest = nodes[0]!;
  script = playAttempt(nodes, honest);
  const { attempt } = script;
  beats = [
    ['proposal', (node) => node.receive(proposal())],
    ['announce', (node) => node.receive(script.announce)],
    ['trained', (node) => node.input({ type: 'trained', attempt })],
    ['roster', (node) => node.receive(script.roster)],
    ['cohort', (node) => node.receive(script.cohort)],
    ['masked', (node) => node.input({ type: 'masked', attempt, sha256: VECTOR })],
    ['uploaded', (node) => node.input({ type: 'uploaded', attempt })],
    ['survivors', (node) => node.receive(script.survivors)],
    ['agreed', (node) => node.receive(script.agreed)],
    ['published', (node) => node.receive(script.published)],
  ];
});

/** A fresh node that has lived through the first beats, up to and with `until`. */
function livedTo(until: string): TestNode {
  const node = victim();
  for (const [name, beat] of beats) {
    beat(node);
    if (name === until) return node;
  }
  throw new Error(until);
}

test('an honest attempt: what is asked for, in this order', () => {
  expect(kindsOf(honest.effects)).toEqual([
    ...['emit proposal', 'send consent', 'emit consent'],
    ...['append announced', 'emit announced', 'send progress', 'train'],
    'send advert',
    ...['emit roster', 'send shares'],
    ...['emit cohort', 'mask'],
    ...['append vector-sent', 'emit uploading', 'upload'],
    'emit uploaded',
    ...['emit survivors', 'send agree'],
    ...['send unmask', 'emit unmasked'],
    ...['append published', 'forget', 'emit published'],
  ]);
  expect(honest.state.attempts.size).toBe(0);
});

test('nothing is answered before the ledger holds the announcement, nothing leaves before it holds the vector', () => {
  const kinds = kindsOf(honest.effects);
  expect(kinds).toEqual(expect.arrayContaining(['append announced', 'append vector-sent']));
  expect(kinds.indexOf('append announced')).toBeLessThan(kinds.indexOf('send progress'));
  expect(kinds.indexOf('append announced')).toBeLessThan(kinds.indexOf('train'));
  expect(kinds.indexOf('append vector-sent')).toBeLessThan(kinds.indexOf('emit uploading'));
  expect(kinds.indexOf('emit uploading')).toBeLessThan(kinds.indexOf('upload'));
});

describe('messages in the wrong order', () => {
  const lists = ['roster', 'cohort', 'survivors', 'agreed'] as const;
  const due: Record<string, readonly string[]> = {
    proposal: [],
    announce: [],
    trained: ['roster'],
    roster: ['roster', 'cohort'],
    cohort: ['roster', 'cohort'],
    masked: ['roster', 'cohort', 'survivors'],
    uploaded: ['roster', 'cohort', 'survivors'],
    survivors: ['roster', 'cohort', 'survivors', 'agreed'],
    agreed: ['roster', 'cohort', 'survivors', 'agreed'],
    published: [],
  };
  const cases = Object.entries(due).flatMap(([after, fits]) =>
    lists.filter((list) => !fits.includes(list)).map((list) => [list, after] as const),
  );

  test.each(cases)('%s after %s is ignored with a warning, and the attempt goes on', (list, after) => {
    const node = livedTo(after);
    const effects = node.receive(script[list]);
    expect(kindsOf(effects)).toEqual(['emit warning']);
    expect(eventsOf(effects)[0]).toMatchObject({ code: expect.stringMatching(/^wrong-(phase|attempt)$/) });
    for (const [, beat] of beats.slice(beats.findIndex(([name]) => name === after) + 1)) beat(node);
    expect(kindsOf(node.effects).filter((kind) => kind !== 'emit warning')).toEqual(kindsOf(honest.effects));
  });
});

describe('the coordinator repeats itself after a reconnection', () => {
  const repeats = [
    ['announce', 'announce', ['send progress']],
    ['announce', 'trained', ['send advert']],
    ['announce', 'survivors', ['send advert']],
    ['roster', 'roster', ['send shares']],
    ['roster', 'cohort', ['send shares']],
    ['cohort', 'cohort', []],
    ['cohort', 'masked', []],
    ['cohort', 'uploaded', ['upload']],
    ['cohort', 'survivors', []],
    ['survivors', 'survivors', ['send agree']],
    ['agreed', 'agreed', ['send unmask']],
  ] as const;
  test.each(repeats)('%s again after %s: %j', (message, after, kinds) => {
    const node = livedTo(after);
    const effects = node.receive(structuredClone(script[message]));
    expect(kindsOf(effects)).toEqual(kinds);
    // Byte for byte what was answered the first time.
    for (const sent of messagesOf(effects))
      if (sent.type !== 'progress') expect(sent).toEqual(sentOf(honest.effects, sent.type));
    // Nothing is trained, masked or noted a second time.
    const once = (kind: string) => /^(train|mask|append .*)$/.test(kind);
    const before = kindsOf(livedTo(after).effects).filter(once);
    expect(kindsOf(node.effects).filter(once)).toEqual(before);
  });

  test('a proposal is answered every time, and told once', () => {
    const node = livedTo('proposal');
    expect(kindsOf(node.receive(proposal()))).toEqual(['send consent']);
  });

  test('U3 overtakes the answer to the upload: the upload counts, its late failure does not', () => {
    const node = livedTo('masked');
    const effects = node.receive(script.survivors);
    expect(kindsOf(effects)).toEqual(['emit uploaded', 'emit survivors', 'send agree']);
    const error = new TributaryError('late', 'too late');
    expect(kindsOf(node.input({ type: 'failed', attempt: script.attempt, error }))).toEqual(['emit warning']);
    expect(kindsOf(node.receive(script.agreed))).toEqual(['send unmask', 'emit unmasked']);
  });
});

describe('a newer announcement', () => {
  const newer = (changes = {}) => announceMessage({ attempt: 2, ...changes });

  test.each(['announce', 'trained', 'roster', 'cohort'])('after %s: the old attempt is dropped', (after) => {
    const node = livedTo(after);
    const effects = node.receive(newer());
    expect(kindsOf(effects)).toEqual([
      ...['forget', 'emit abandoned', 'append announced', 'emit announced', 'send progress', 'train'],
    ]);
    expect(effects[0]).toEqual({ type: 'forget', attempt: script.attempt });
    // What the old attempt still brings changes nothing.
    const { attempt } = script;
    expect(node.input({ type: 'trained', attempt })).toEqual([]);
    expect(node.input({ type: 'masked', attempt, sha256: VECTOR })).toEqual([]);
    expect(kindsOf(node.receive(script.roster))).toEqual(['emit warning']);
  });

  test.each(['masked', 'uploaded', 'survivors', 'agreed'])('after %s on the same base: sits out', (after) => {
    const node = livedTo(after);
    const effects = node.receive(newer());
    expect(kindsOf(effects)).toEqual([
      ...['forget', 'emit abandoned', 'send leave', 'emit refused', 'append refused'],
    ]);
    expect(sentOf(effects, 'leave')).toMatchObject({ code: 'sits-out', convict: [] });
  });

  test('on the base of a later round it joins again', () => {
    const node = livedTo('uploaded');
    const effects = node.receive(newer({ round: 2, weights: hash('another base') }));
    expect(kindsOf(effects)).toContain('train');
  });

  test('two attempts never train with the same randomness, and always hold out the same rows', () => {
    const node = livedTo('announce');
    node.receive(newer());
    const tasks = node.effects.flatMap((effect) => (effect.type === 'train' ? [effect] : []));
    expect(tasks).toHaveLength(2);
    expect(tasks[0]!.seed).not.toEqual(tasks[1]!.seed);
    expect(tasks[0]!.splitSeed).toEqual(tasks[1]!.splitSeed);
    expect(tasks[0]!.splitSeed).not.toEqual(tasks[0]!.seed);
  });
});

test('progress is told in twentieths, each once', () => {
  const node = livedTo('announce');
  const { attempt } = script;
  const dones = [0, 0.01, 0.049, 0.05, 0.06, 0.5, 0.4, 0.999, 1, 1];
  const told = dones.flatMap((done) => messagesOf(node.input({ type: 'progress', attempt, done })));
  expect(told.map((message) => 'twentieths' in message && message.twentieths)).toEqual([1, 10, 19, 20]);
});

test.each(['announce', 'trained', 'roster', 'cohort', 'uploaded', 'survivors'])(
  'abandoned after %s: work is stopped, a later attempt starts anew',
  (after) => {
    const node = livedTo(after);
    const { attempt } = script;
    const over: ServerMessage = { type: 'abandoned', attempt, code: 'below-threshold', reason: 'too few' };
    // Who could help to unmask says that it never will, as often as it is asked.
    const answer = after === 'announce' || after === 'trained' ? [] : ['send abandon'];
    expect(kindsOf(node.receive(over))).toEqual(['forget', 'emit abandoned', ...answer]);
    expect(kindsOf(node.receive(over))).toEqual(answer);
    expect(kindsOf(node.receive(announceMessage({ round: 2, weights: hash('moved') })))).toContain('train');
  },
);

test('the owner stops the node: every attempt is left in words', () => {
  const node = livedTo('roster');
  const effects = node.input({ type: 'stop' });
  expect(kindsOf(effects)).toEqual(['forget', 'send leave', 'append refused', 'emit refused']);
  expect(sentOf(effects, 'leave')).toMatchObject({ code: 'unavailable', reason: 'This node is stopping.' });
});

test('a run that ended is forgotten', () => {
  const node = livedTo('roster');
  const ended: ServerMessage = {
    type: 'run-ended',
    run: RUN,
    status: 'cancelled',
    reason: 'Cancelled by ada.',
  };
  expect(kindsOf(node.receive(ended))).toEqual(['forget', 'emit run-ended']);
  expect(node.state.runs.size).toBe(0);
  const again = node.receive(announceMessage({ attempt: 2 }));
  expect(sentOf(again, 'leave')).toMatchObject({ code: 'wrong-phase' });
});

test('local failures reach the coordinator as a code and a fixed text', () => {
  const { attempt } = script;
  for (const code of ['data-invalid', 'training-failed', 'not-finite', 'model-invalid'] as const) {
    const node = livedTo('announce');
    const error = new TributaryError(code, 'patients.csv, row 17: "J. Doe" is no number');
    const effects = node.input({ type: 'failed', attempt, error });
    expect(sentOf(effects, 'leave')).toEqual({
      type: 'leave',
      attempt,
      code,
      reason: `This partner's node reports ${code}; the details stay in its own log.`,
      convict: [],
    });
    const outside = effects.filter(({ type }) => type !== 'emit');
    expect(JSON.stringify(outside)).not.toContain('Doe');
    expect(eventsOf(effects)[0]).toMatchObject({ type: 'refused', message: error.message });
  }
});

test('several runs at once do not touch each other', () => {
  const node = livedTo('roster');
  node.receive({ type: 'proposal', run: 'run-2', plan });
  const other = announceMessage({ run: 'run-2', weights: hash('other base') });
  expect(kindsOf(node.receive(other))).toContain('train');
  expect(node.state.attempts.size).toBe(2);
  expect(kindsOf(node.receive(script.cohort))).toContain('mask');
});

test.each(['trained', 'masked'] as const)(
  'two runs on one base side by side, the second overtaking before the first one’s %s: one vector leaves, not two',
  (at) => {
    const nodes = identities.map((identity) => createNode(identity, identities));
    for (const run of [RUN, 'run-2']) for (const node of nodes) node.receive({ type: 'proposal', run, plan });
    const target = nodes[0]!;
    const input = target.input.bind(target);
    let overtaken: ReturnType<typeof input> | null = null;
    target.input = (given) => {
      if (given.type !== at || overtaken) return input(given);
      overtaken = [];
      playAttempt(nodes, target, { run: 'run-2' });
      overtaken = input(given);
      throw new Error('overtaken');
    };
    expect(() => playAttempt(nodes, target)).toThrow('overtaken');
    expect(sentOf(overtaken!, 'leave')).toMatchObject({ code: 'sits-out' });
    expect(kindsOf(overtaken!)).not.toContain('upload');
    expect(kindsOf(target.effects).filter((kind) => kind === 'append vector-sent')).toHaveLength(1);
  },
);
