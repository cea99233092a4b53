import type { RoundRecord, RunDetail, RunEvent } from '@tributary/protocol';
import { describe, expect, it } from 'vitest';
import { nearest } from '../nearest.ts';
import { bar, createScreen } from './bars.ts';
import { viewOf } from './live-view.ts';
import { nodeEventWords, rotatedJson, rotatedWords } from './node-words.ts';
import { eventWords, roundRow } from './run-words.ts';
import { createTestIo } from './test-io.ts';

const record: RoundRecord = {
  round: 2,
  attempts: 1,
  participants: ['clinic-a', 'clinic-b', 'clinic-c'],
  dropped: ['clinic-d'],
  metrics: {
    weight: 300,
    trainingLoss: 0.5,
    clipped: 0,
    holdout: { count: 30, loss: 0.25, metrics: { accuracy: 0.9 } },
  },
  evaluations: [],
  model: 'a'.repeat(64),
  transcript: 'b'.repeat(64),
  started: 1000,
  published: 3500,
  bytesUp: 2_400_000,
  bytesDown: 2_400_000,
};

const run: RunDetail = {
  id: 'digits-1',
  name: 'digits',
  plan: 'c'.repeat(64),
  status: 'running',
  round: 2,
  rounds: 10,
  aggregation: 'secure',
  created: 0,
  reason: null,
  planBody: {},
  model: 'a'.repeat(64),
  initialEvaluations: [],
  history: [record],
  current: {
    round: 3,
    attempt: 2,
    phase: 'advertise',
    partners: [{ name: 'clinic-a', state: 'awaited', twentieths: 10 }],
  },
  consents: [{ name: 'clinic-d', answer: 'decline', code: 'policy-refused', reason: 'minRoster is 5.' }],
};

const event = (kind: string, data: RunEvent['data']): RunEvent => ({
  seq: 1,
  time: 0,
  kind,
  round: 2,
  attempt: 1,
  data,
});

describe('the live view', () => {
  it('shows phase, bars, refusals and rounds', () => {
    const text = viewOf(run, createTestIo({ tty: true })).join('\n');
    expect(text).toContain('digits-1  running, 2 of 10 rounds published');
    expect(text).toContain('Round 3, attempt 2: partners train on their own data');
    expect(text).toContain(`clinic-a  ${bar(0.5)}  awaited`);
    expect(text).toContain('clinic-d does not take part (policy-refused): minRoster is 5.');
    expect(text).toMatch(/2 +3 +1 +0\.9000 +0\.2500 +hold-outs, before +2\.5 +2\.4/);
  });

  it('prefers the figures of an evaluator to those of the hold-outs', () => {
    const report = { evaluator: 'public', count: 2004, loss: 0.1, metrics: { accuracy: 0.97 } };
    expect(roundRow({ ...record, evaluations: [report] }).slice(3, 6)).toEqual([
      '0.9700',
      '0.1000',
      'public',
    ]);
  });
});

describe('the screen', () => {
  it('erases what it drew, cuts long lines, and does not draw the same twice', () => {
    const io = createTestIo({ tty: true });
    const screen = createScreen(io);
    screen.draw(['one', 'x'.repeat(200)]);
    expect(io.written().err).toBe(`one\n${'x'.repeat(79)}\n`);
    const before = io.written().err;
    screen.draw(['one', 'x'.repeat(200)]);
    expect(io.written().err).toBe(before);
    screen.draw(['two']);
    expect(io.written().err).toBe(`${before}\u001b[2A\u001b[0Jtwo\n`);
    screen.log('stays');
    expect(io.written().err).toBe(`${before}\u001b[2A\u001b[0Jtwo\n\u001b[1A\u001b[0Jstays\ntwo\n`);
  });

  it('draws no more lines than the terminal has', () => {
    const io = createTestIo({ tty: true });
    const screen = createScreen(io);
    screen.draw(Array.from({ length: 50 }, (_, line) => `line ${line}`));
    expect(io.written().err.split('\n').length - 1).toBe(23);
    screen.draw([]);
    expect(io.written().err).toMatch(/\[23A[^\n]*\[0J$/);
  });

  it('draws nothing where there is no terminal', () => {
    const io = createTestIo();
    createScreen(io).draw(['one']);
    expect(io.written()).toEqual({ out: '', err: '' });
  });
});

describe('events in words', () => {
  it.each([
    ['phase', { phase: 'upload' }, 'round 2: partners send masked updates'],
    ['left', { name: 'a', code: 'timed-out', reason: 'silent' }, 'round 2: a left (timed-out): silent'],
    [
      'published',
      { record },
      'round 2 published: sum of 3 partners, without clinic-d; the model it started from, on the hold-outs: accuracy 0.9000, loss 0.2500',
    ],
    ['ended', { status: 'done', reason: null }, 'run done'],
    ['progress', { name: 'a', twentieths: 10 }, 'round 2: a has trained 50 %'],
    ['progress', { name: 'a', twentieths: 11 }, undefined],
    ['something-new', { x: 1 }, 'round 2: something-new {"x":1}'],
  ])('%s', (kind, data, words) => {
    expect(eventWords(event(kind, data))).toBe(words);
  });
});

describe('suggestions', () => {
  it.each([
    ['watsh', 'watch'],
    ['wacth', 'watch'],
    ['wat', 'watch'],
    ['xyz', undefined],
  ])('%s -> %s', (typed, meant) => {
    expect(nearest(typed, ['start', 'list', 'watch'])).toBe(meant);
  });
});

describe('a connection that is lost, in the log of a node', () => {
  const event = { type: 'disconnected', code: 'unavailable', message: 'It expired.' } as const;

  it('comes with its remedy, or without where it was told before', () => {
    const told = nodeEventWords({ ...event, remedy: 'Renew it.', final: false }, 'node.yaml');
    expect(told).toBe('disconnected (unavailable): It expired. Renew it. Trying again.');
    const again = nodeEventWords({ ...event, remedy: '', final: false }, 'node.yaml');
    expect(again).toBe('disconnected (unavailable): It expired. Trying again.');
  });

  it('ends with a remedy of its own where the node does not come back', () => {
    const last = nodeEventWords({ ...event, remedy: 'Renew it.', final: true }, 'node.yaml');
    expect(last).toBe('disconnected (unavailable): It expired.');
  });
});

describe('a new key of the coordinator, in the log of a node', () => {
  it('names the command that accepts it, whole and with the node.yaml that it is about', () => {
    const message = 'Ask by telephone, then: `tributary node trust 0f3c-11d2`.';
    const event = {
      type: 'disconnected',
      code: 'wrong-coordinator',
      message,
      remedy: 'Ask.',
      final: false,
    } as const;
    expect(nodeEventWords(event, 'node.yaml')).toContain('`tributary node trust 0f3c-11d2`. Trying again.');
    expect(nodeEventWords(event, 'a/node.yaml')).toContain('trust 0f3c-11d2 --config a/node.yaml`. Trying');
  });

  it('says who accepted it', () => {
    const move = { name: 'coordinator', old: 'A'.repeat(43), key: `${'A'.repeat(42)}E`, time: 0 };
    expect(rotatedWords(move, 'owner', 'node.yaml')).toMatch(/accepted in its place by you$/);
    expect(rotatedWords(move, 'policy', 'node.yaml')).toMatch(/\(rotation: follow\)$/);
    expect(rotatedWords(move, null, 'node.yaml')).toMatch(/rotation is ask, so it does not count/);
    expect(JSON.parse(rotatedJson(move, 'owner', 1))).toMatchObject({ followed: false, accepted: 'owner' });
  });
});
