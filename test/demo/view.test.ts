import type { RunEvent } from '@tributary/protocol';
import pc from 'picocolors';
import { expect, test } from 'vitest';
import { createBoard, remaining, roundLine, take } from './board.ts';
import { correlation, entropy } from './evidence.ts';
import { frame } from './view.ts';

const plain = pc.createColors(false);
const event = (kind: string, data: RunEvent['data'], round = 1): RunEvent => ({
  ...{ seq: 1, time: 0, kind, round, attempt: 1, data },
});
const names = ['partner-1', 'partner-2', 'partner-3'];
const row = (round: number) => ({
  ...{ round, accuracy: 0.9, loss: 0.3, participants: names, dropped: [], seconds: 2 },
  ...{ bytesUp: 3e6, bytesDown: 4e6 },
});

test('bars follow the events of the coordinator, and a killed partner stays killed', () => {
  const board = createBoard(names, 3, 0);
  expect(take(board, event('phase', { phase: 'advertise' }), 0)).toBe(
    'round 1/3: partners train on their own rows',
  );
  take(board, event('progress', { name: 'partner-1', twentieths: 7 }), 0);
  take(board, event('answered', { name: 'partner-2', phase: 'upload' }), 0);
  board.bars[2]!.state = 'killed';
  take(board, event('answered', { name: 'partner-3', phase: 'upload' }), 0);
  expect(board.bars).toEqual([
    { name: 'partner-1', done: 0.35, state: 'training' },
    { name: 'partner-2', done: 1, state: 'sent' },
    { name: 'partner-3', done: 0, state: 'killed' },
  ]);
  take(board, event('phase', { phase: 'advertise' }, 2), 0);
  expect(board.bars.map(({ done, state }) => [done, state])).toEqual([
    [0, 'training'],
    [0, 'training'],
    [0, 'killed'],
  ]);
  const lines = frame(board, { columns: 80, rows: 24 }, plain, 61_000);
  expect(lines[0]).toBe('Round 2 of 3: partners train on their own rows  1:01');
  expect(lines.find((line) => line.includes('partner-3'))).toMatch(/ 0 % {2}killed$/);
});

test('an evaluation fills in its round, and the line of a round says all', () => {
  const board = createBoard(names, 3, 0);
  board.history.push({ ...row(1), accuracy: undefined, loss: undefined, dropped: ['partner-3'] });
  take(board, event('evaluation', { round: 1, loss: 0.25, metrics: { accuracy: 0.9321 } }, 2), 0);
  expect(roundLine(board.history[0]!, 3)).toBe(
    'round 1/3 published: accuracy 0.9321, loss 0.2500, sum of 3 partners without partner-3, 2.0 s, 3.0 MB up, 4.0 MB down',
  );
});

test.each([
  [128, 100, 24],
  [5, 3, 24],
  [5, 30, 12],
  [128, 0, 10],
])('%d partners and %d rounds fit a terminal of %3$d rows', (partners, rounds, rows) => {
  const board = createBoard(
    Array.from({ length: partners }, (_, i) => `partner-${i + 1}`),
    200,
    0,
  );
  for (let round = 1; round <= rounds; round++) board.history.push(row(round));
  const lines = frame(board, { columns: 80, rows }, plain, 1000);
  expect(lines.length).toBeLessThan(rows);
  if (rounds > 0) expect(lines.at(-1)).toMatch(new RegExp(`^ +${rounds} `));
  if (partners > 20) expect(lines.join('\n')).toMatch(/and \d+ more, 0 % on average/);
});

test('the time to go counts rounds, then local training', () => {
  const board = createBoard(names, 10, 0);
  expect(remaining(board, 5000)).toBeUndefined();
  board.runStarted = 1000;
  board.history.push(row(1));
  expect(remaining(board, 3000)).toBe(18_000 + 16_000);
  board.localStarted = 21_000;
  for (const bar of board.bars) bar.done = 0.5;
  expect(remaining(board, 25_000)).toBe(4000);
});

test('entropy and correlation tell noise from a message', () => {
  const flat = Uint8Array.from({ length: 2560 }, (_, i) => i % 256);
  expect(entropy(flat)).toBeCloseTo(8, 10);
  expect(entropy(new Uint8Array(100))).toBe(0);
  const wave = Float32Array.from({ length: 1000 }, (_, i) => Math.sin(i));
  expect(
    correlation(
      wave,
      wave.map((value) => 3 * value + 1),
    ),
  ).toBeCloseTo(1, 5);
  expect(
    correlation(
      wave,
      wave.map((value) => -value),
    ),
  ).toBeCloseTo(-1, 5);
  expect(
    Math.abs(
      correlation(
        wave,
        wave.map((_, i) => Math.cos(7.3 * i * i)),
      ),
    ),
  ).toBeLessThan(0.1);
});
