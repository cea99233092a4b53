import { describe, expect, test } from 'vitest';
import { UsageError } from '../support/usage-error.ts';
import { victimsOf } from './drop.ts';
import { type DemoOptions, parseCommandLine } from './options.ts';

const parse = (...words: string[]) => parseCommandLine(words) as DemoOptions;

test('the defaults are the contract', () => {
  expect(parse()).toEqual({
    dataset: 'digits',
    partners: 5,
    rounds: 10,
    epochs: 5,
    batch: 10,
    lr: 0.1,
    partition: { kind: 'iid' },
    seed: 1,
    drop: 0,
    port: 0,
    data: undefined,
    json: undefined,
    holdout: 0.1,
    aggregation: 'secure',
    alone: true,
    engine: 'auto',
  });
});

test('each data set has its own defaults, and flags override them', () => {
  expect(parse('--dataset', 'cancer')).toMatchObject({ dataset: 'cancer', epochs: 5, batch: 8, lr: 0.1 });
  expect(parse('--batch=4', '--dataset=cancer', '--engine', 'wasm')).toMatchObject({
    batch: 4,
    engine: 'wasm',
  });
});

test('every flag is understood, with a space or an equals sign', () => {
  const line = '--partners 10 --rounds=20 --epochs 1 --batch=32 --lr .05 --partition shards:2 --seed=7';
  expect(
    parse(...line.split(' '), '--drop', '4', '--port=8080', '--data', 'd', '--json=r.json'),
  ).toMatchObject({
    ...{ partners: 10, rounds: 20, epochs: 1, batch: 32, lr: 0.05, seed: 7, drop: 4, port: 8080 },
    partition: { kind: 'shards', shards: 2 },
    ...{ data: 'd', json: 'r.json' },
  });
  expect(parse('--partition', 'dirichlet:0.5').partition).toEqual({ kind: 'dirichlet', alpha: 0.5 });
  expect(parseCommandLine(['--rounds', '--help'])).toBe('help');
});

describe('refusals name the rule, the value and what to do', () => {
  const refusal = (...words: string[]) => {
    try {
      parseCommandLine(words);
    } catch (thrown) {
      const { message, remedy } = thrown as UsageError;
      return `${message} ${remedy}`;
    }
    return 'accepted';
  };

  test.each([
    ['--partners 2', /--partners is "2", not a whole number from 3 to 128.*default is 5/],
    ['--partners 129', /"129".*3 to 128/],
    ['--partners 5.5', /"5.5"/],
    ['--rounds 0', /--rounds is "0".*1 to 10000/],
    ['--epochs -1', /--epochs is "-1"/],
    ['--batch ten', /--batch is "ten"/],
    ['--lr 0', /--lr is "0", not a number above 0/],
    ['--lr NaN', /--lr is "NaN"/],
    ['--lr 1e9', /at most 1000/],
    ['--seed 2147483648', /"2147483648"/],
    ['--port 65536', /--port is "65536"/],
    ['--partition stripes', /"stripes" is no partition.*iid, shards:S/],
    ['--partition shards:0', /"shards:0"/],
    ['--rounds', /--rounds needs a value/],
    ['--rounds --epochs 1', /--rounds needs a value/],
    ['--seed=', /--seed needs a value/],
    ['--seed 1 --seed 2', /--seed is given twice/],
    ['--round 3', /no option --round\..*Did you mean --rounds/],
    ['--fast', /no option --fast\. See/],
    ['quick', /"quick" is one word too many/],
    ['--dataset cancr', /--dataset is "cancr", not one of digits, cancer.*Did you mean cancer/],
    ['--dataset cancer --batch x', /--batch is "x".*the default is 8/],
    ['--engine cpu', /--engine is "cpu", not one of auto, native, wasm.*auto is meant/],
    ['--aggregation open', /not one of secure, plain/],
  ])('%s', (line, words) => {
    expect(refusal(...line.split(' '))).toMatch(words);
  });

  test('a usage error is one', () => {
    expect(() => parseCommandLine(['--rounds', 'x'])).toThrow(UsageError);
  });

  // The last K that n partners can lose, and the first that they cannot: n = 3..10, minSum 3, c = 1.
  test.each([
    [3, 0, 't = max(3, floor((3 + 1) / 2) + 1) = 3, so 1 drop-out leaves 2 < 3'],
    [4, 1, 't = max(3, floor((4 + 1) / 2) + 1) = 3, so 2 drop-outs leave 2 < 3'],
    [5, 1, 't = max(3, floor((5 + 1) / 2) + 1) = 4, so 2 drop-outs leave 3 < 4'],
    [6, 2, 't = max(3, floor((6 + 1) / 2) + 1) = 4, so 3 drop-outs leave 3 < 4'],
    [10, 4, 't = max(3, floor((10 + 1) / 2) + 1) = 6, so 5 drop-outs leave 5 < 6'],
  ])('%d partners bear %d dead and not one more, with that arithmetic', (partners, most, arithmetic) => {
    expect(parse('--partners', `${partners}`, '--drop', `${most}`).drop).toBe(most);
    const words = refusal('--partners', `${partners}`, '--drop', `${most + 1}`);
    expect(words).toContain(`${partners} partners, c = 1: ${arithmetic}`);
    expect(words).toMatch(/--partners \d+ or more/);
  });

  test('partners are killed in round 2, so there must be one', () => {
    expect(refusal('--drop', '1', '--rounds', '1')).toMatch(
      /kills in round 2, and --rounds is 1.*--rounds 2/,
    );
  });
});

test('victims die alternately before and after their upload', () => {
  expect(victimsOf({ partners: 10, drop: 3 })).toEqual([
    { name: 'partner-8', when: 'before' },
    { name: 'partner-9', when: 'after' },
    { name: 'partner-10', when: 'before' },
  ]);
});
