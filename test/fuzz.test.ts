/** The kept inputs, and a few hundred new ones: the long campaign is `npm run fuzz`. */
import { expect, it } from 'vitest';
import { readCorpus } from './fuzz/corpus.ts';
import { fuzz } from './fuzz/fuzz.ts';
import { TARGETS } from './fuzz/options.ts';
import { cuts, smaller } from './fuzz/smaller.ts';
import { written } from './fuzz/target.ts';

it('holds against the corpus and some hundred inputs, with honest clients at work', async () => {
  const report = await fuzz(
    { cases: 150, seconds: 40, seed: Math.floor(Math.random() * 2 ** 31), only: null, json: true },
    () => {},
  );
  expect(report.findings).toEqual([]);
  expect(report.rounds).toBeGreaterThan(0);
  expect(report.cases).toBeGreaterThan(readCorpus().length);
}, 60_000);

it('keeps inputs of targets that exist, each with its reason', () => {
  const kept = readCorpus();
  expect(kept.length).toBeGreaterThan(10);
  for (const { target, why } of kept) {
    expect(TARGETS).toContain(target);
    expect(why).not.toBe('');
  }
});

it.each(['$deep', '"$deep', '\\"$deep', { $deep: 1 }, { a: ['$deep', '"$deep"'] }])(
  'writes lists within lists so that they stay JSON: %j',
  (value) => {
    expect(() => JSON.parse(written(value))).not.toThrow();
  },
);

it('makes an input smaller as long as it shows the fault', async () => {
  const input = [
    { message: 'x'.repeat(100) },
    { message: 'needle'.repeat(3), more: [1, 2, 3] },
    { other: 1 },
  ];
  const shows = async (value: unknown) => JSON.stringify(value).includes('needle');
  const least = await smaller(input, shows, 200);
  expect(JSON.stringify(least).length).toBeLessThan(40);
  expect([...cuts([1, [2]])]).toEqual([[[2]], [1], [1, []]]);
});
