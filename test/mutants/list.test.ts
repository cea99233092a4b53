import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT } from './copy.ts';
import { MUTANTS } from './list.ts';
import { parseOptions } from './options.ts';
import { judge } from './run.ts';

const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');

describe('mutants', () => {
  it('have names of their own, and say in a sentence what holds without them', () => {
    expect(new Set(MUTANTS.map(({ name }) => name)).size).toBe(MUTANTS.length);
    for (const { name, invariant } of MUTANTS) {
      expect(name).toMatch(/^[a-z0-9-]+$/);
      expect(invariant).toMatch(/^[A-Z].*\.$/);
    }
  });

  it.each(MUTANTS.map((mutant) => [mutant.name, mutant] as const))(
    '%s: its text is there once, and so is its test',
    (_, { file, find, replace, test }) => {
      expect(read(file).split(find), `in ${file}: ${find}`).toHaveLength(2);
      expect(replace).not.toBe(find);
      expect(read(test.suite ?? test.file)).toContain(test.name);
    },
  );
});

describe('a verdict', () => {
  const test = { file: 'a.test.ts', name: 'holds' };
  const said = (status: 'passed' | 'failed', ...failureMessages: string[]) => [
    { file: 'a.test.ts', message: '', tests: [{ fullName: 'what holds', status, failureMessages }] },
  ];
  it.each([
    ['caught', said('failed', 'AssertionError: expected 1 to be 2')],
    ['survived', said('passed')],
    ['unclear', said('failed', 'ReferenceError: x is not defined')],
    ['unclear', said('failed', 'Error: Test timed out in 60000ms.')],
    ['unclear', [{ file: 'a.test.ts', message: 'SyntaxError: Unexpected token', tests: [] }]],
    ['unclear', [{ ...said('failed', 'AssertionError: no')[0]!, file: 'b.test.ts' }]],
    ['unclear', null],
  ] as const)('is %s', (outcome, results) => {
    expect(judge(results, test).outcome).toBe(outcome);
  });
});

it('understands its options', () => {
  expect(parseOptions([])).toMatchObject({ mutants: MUTANTS, list: false, atOnce: 2 });
  expect(parseOptions(['--only', MUTANTS[1]!.name])).toMatchObject({ mutants: [MUTANTS[1]] });
  expect(() => parseOptions(['--only', 'nothing'])).toThrow('there is no such mutant');
  expect(() => parseOptions(['--at-once', '0'])).toThrow('from 1 to 8');
});
