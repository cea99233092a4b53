import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MIN_ROWS } from './dirichlet.ts';
import { describePartition } from './manifest.ts';
import { formatPartition, type PartitionScheme, parsePartition, partition } from './partition.ts';
import { seededRandom } from './random.ts';

const schemes: fc.Arbitrary<PartitionScheme> = fc.oneof(
  fc.constant<PartitionScheme>({ kind: 'iid' }),
  fc.record({ kind: fc.constant('shards' as const), shards: fc.integer({ min: 1, max: 4 }) }),
  fc.record({ kind: fc.constant('dirichlet' as const), alpha: fc.double({ min: 1, max: 100, noNaN: true }) }),
);
const labelled = fc.array(fc.nat(4), { minLength: 400, maxLength: 600 });
const digits = Uint8Array.from({ length: 7996 }, (_, row) => Math.floor((row * 10) / 7996));
const sizes = (parts: number[][]) => parts.map((rows) => rows.length);
const classesOf = (rows: number[]) => new Set(rows.map((row) => digits[row])).size;

describe('partition', () => {
  it('deals every row exactly once, whatever the scheme', () => {
    fc.assert(
      fc.property(
        schemes,
        labelled,
        fc.integer({ min: 1, max: 8 }),
        fc.integer(),
        (scheme, labels, n, seed) => {
          const parts = partition(scheme, labels, n, seededRandom(seed));
          expect(parts.length).toBe(n);
          expect(Math.min(...sizes(parts))).toBeGreaterThan(0);
          const dealt = parts.flat().sort((a, b) => a - b);
          expect(dealt).toEqual(Array.from({ length: labels.length }, (_, row) => row));
        },
      ),
    );
  });

  it('is the same for the same seed and another for another', () => {
    for (const scheme of ['iid', 'shards:2', 'dirichlet:0.5'].map(parsePartition)) {
      const deal = (seed: number) => partition(scheme, digits, 10, seededRandom(seed));
      expect(deal(5)).toEqual(deal(5));
      expect(deal(5)).not.toEqual(deal(6));
    }
  });

  it('iid: sizes differ by one at most and every partner has every class', () => {
    const parts = partition({ kind: 'iid' }, digits, 7, seededRandom(1));
    expect(Math.max(...sizes(parts)) - Math.min(...sizes(parts))).toBeLessThanOrEqual(1);
    for (const rows of parts) expect(classesOf(rows)).toBe(10);
  });

  it('shards:2 leaves ten partners with few classes each', () => {
    const parts = partition({ kind: 'shards', shards: 2 }, digits, 10, seededRandom(1));
    // A shard of 400 rows spans two classes at most.
    for (const rows of parts) expect(classesOf(rows)).toBeLessThanOrEqual(4);
    expect(Math.min(...parts.map(classesOf))).toBeLessThanOrEqual(3);
  });

  it('dirichlet: the smaller alpha, the larger the share of the largest class, and never too few rows', () => {
    const skew = (alpha: number) => {
      const parts = partition({ kind: 'dirichlet', alpha }, digits, 10, seededRandom(3));
      expect(Math.min(...sizes(parts))).toBeGreaterThanOrEqual(MIN_ROWS);
      const shares = describePartition({ kind: 'dirichlet', alpha }, 3, parts, digits, 10).partners.map(
        ({ rows, labels }) => Math.max(...labels) / rows,
      );
      return shares.reduce((a, b) => a + b, 0) / shares.length;
    };
    const [strong, medium, none] = [skew(0.1), skew(1), skew(1000)];
    expect(strong).toBeGreaterThan(0.5);
    expect(medium).toBeGreaterThan(0.2);
    expect(medium).toBeLessThan(strong);
    expect(none).toBeLessThan(0.13);
  });

  it('dirichlet: shares have the mean and variance of the distribution', () => {
    const one = new Uint8Array(10_000);
    const random = seededRandom(11);
    const shares = Array.from(
      { length: 400 },
      () => partition({ kind: 'dirichlet', alpha: 2 }, one, 4, random)[0]!.length / 10_000,
    );
    const mean = shares.reduce((a, b) => a + b, 0) / shares.length;
    const variance = shares.reduce((a, b) => a + (b - mean) ** 2, 0) / shares.length;
    // Beta(2, 6): mean 1/4, variance 1/48 = 0.0208
    expect(Math.abs(mean - 0.25)).toBeLessThan(0.03);
    expect(Math.abs(variance - 1 / 48)).toBeLessThan(0.005);
  });

  it('gives up with a reason where the smallest size cannot be met, even where every share underflows', () => {
    for (const alpha of [0.001, 0.01])
      expect(() => partition({ kind: 'dirichlet', alpha }, digits, 20, seededRandom(1))).toThrow(
        /fewer than 10 rows in each of 1000 draws/,
      );
  });

  it.each<[string, number, RegExp]>([
    ['iid', 0, /no number of partners/],
    ['iid', 2.5, /no number of partners/],
    ['iid', 51, /needs 51 rows, there are 50/],
    ['shards:20', 3, /needs 60 rows/],
    ['dirichlet:1', 6, /needs 60 rows/],
  ])('%s for %d partners of 50 rows is refused', (text, partners, reason) => {
    expect(() => partition(parsePartition(text), new Uint8Array(50), partners, seededRandom(1))).toThrow(
      reason,
    );
  });
});

describe('parsePartition', () => {
  it.each(['iid', 'shards:2', 'shards:1000', 'dirichlet:0.5', 'dirichlet:100'])('reads %s', (text) => {
    expect(formatPartition(parsePartition(text))).toBe(text);
  });

  it.each([
    '',
    'IID',
    'iid:1',
    'shards',
    'shards:',
    'shards:0',
    'shards:1.5',
    'shards:-1',
    'shards:1001',
    'shards:1e2',
    'dirichlet',
    'dirichlet:0',
    'dirichlet:-1',
    'dirichlet:NaN',
    'dirichlet:Infinity',
    'dirichlet:.',
    'dirichlet:1 ',
    'dirichlet:0.0001',
    '__proto__',
  ])('refuses %j and says what is meant', (text) => {
    try {
      parsePartition(text);
      expect.unreachable();
    } catch (error) {
      expect(error).toMatchObject({ code: 'malformed', remedy: expect.stringContaining('dirichlet:0.5') });
    }
  });
});

it('describePartition counts rows and labels per partner', () => {
  expect(describePartition({ kind: 'shards', shards: 2 }, 4, [[0, 2], [1]], [0, 2, 2], 3)).toEqual({
    scheme: 'shards:2',
    seed: 4,
    rows: 3,
    partners: [
      { rows: 2, labels: [1, 0, 1] },
      { rows: 1, labels: [0, 0, 1] },
    ],
  });
});
