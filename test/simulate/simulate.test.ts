import { expect, it } from 'vitest';
import { minimise } from './minimise.ts';
import { faultsOf, simulate } from './simulation.ts';

it('keeps every invariant in a few seeds', async () => {
  let [published, voided, met] = [0, 0, 0];
  for (let seed = 0; seed < 12; seed++) {
    const outcome = await simulate(seed);
    expect(outcome, `seed ${seed}`).toMatchObject({ violations: [] });
    published += outcome.published;
    voided += outcome.voided;
    met += outcome.met.length;
  }
  expect(published).toBeGreaterThan(8);
  expect(voided).toBeGreaterThan(2);
  expect(met).toBeGreaterThan(20);
});

it('does the same again for the same seed, and something else for another', async () => {
  const [first, again, other] = [await simulate(7), await simulate(7), await simulate(8)];
  expect(again.trace).toBe(first.trace);
  expect(other.trace).not.toBe(first.trace);
});

it('makes a failure smaller, to the faults that it needs', async () => {
  const faults = faultsOf(7);
  const needed = [faults[2]!, faults[5]!];
  const found = await minimise(faults, async (some) => needed.every((fault) => some.includes(fault)));
  expect(found).toEqual(needed);
});
