import { expect, it } from 'vitest';
import { createBuckets } from './buckets.ts';

it('gives a burst, then as much as comes back, and says how long to wait', () => {
  let now = 0;
  const buckets = createBuckets({ perSecond: 10, burst: 3 }, () => now);
  expect([1, 2, 3, 4].map(() => buckets.take('a'))).toEqual([0, 0, 0, 100]);
  expect(buckets.take('b')).toBe(0);
  now = 50;
  expect(buckets.take('a')).toBe(50);
  now = 100;
  expect(buckets.take('a')).toBe(0);
  now = 1_000_000;
  expect([1, 2, 3, 4].map(() => buckets.take('a'))).toEqual([0, 0, 0, 100]);
});

it('lets debts grow, so that who goes on waits longer', () => {
  let now = 0;
  const buckets = createBuckets({ perSecond: 10, burst: 3 }, () => now);
  expect([3, 5, 5].map((cost) => buckets.owe('a', cost))).toEqual([0, 500, 1000]);
  now = 1000;
  expect(buckets.take('a')).toBe(100);
  buckets.giveBack('a', 100);
  expect([1, 2, 3, 4].map(() => buckets.take('a'))).toEqual([0, 0, 0, 100]);
});

it('stands still while the clock goes back', () => {
  let now = 1000;
  const buckets = createBuckets({ perSecond: 10, burst: 1 }, () => now);
  buckets.take('a');
  now = 0;
  expect(buckets.take('a')).toBe(100);
  now = 100;
  expect(buckets.take('a')).toBe(0);
});

it('remembers a bounded number of senders, those that were heard of last', () => {
  const buckets = createBuckets({ perSecond: 1, burst: 1 }, () => 0);
  for (let i = 0; i < 25_000; i++) {
    buckets.take(`${i}`);
    buckets.owe('flood');
  }
  expect(buckets.size).toBe(10_000);
  expect(buckets.take('flood')).toBeGreaterThan(0);
});
