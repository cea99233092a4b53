import { describe, expect, it } from 'vitest';
import { refuseUnknown, UsageError } from './usage.ts';

const ARGS = {
  data: { type: 'string', required: true },
  json: { type: 'boolean' },
  file: { type: 'positional' },
} as const;

function check(rawArgs: string[], parsed: { _: string[]; [name: string]: unknown }): () => void {
  return () => refuseUnknown(rawArgs, ARGS, parsed);
}

describe('a command line of the coordinator', () => {
  it('passes with known options and as many words as there are arguments', () => {
    expect(check(['key', '--data', 'x'], { _: ['key'], data: 'x', file: 'key' })).not.toThrow();
    expect(check(['--data=x', '--no-json'], { _: [], data: 'x', json: false })).not.toThrow();
  });

  it.each([
    ['an unknown option', ['--dtaa', 'x'], { _: [], dtaa: 'x' }, 'There is no option --dtaa'],
    ['a word too many', ['a', 'b'], { _: ['a', 'b'], file: 'a' }, '"b" is one word too many.'],
    ['a variable that is not set', ['--data', ''], { _: [], data: '' }, '--data needs a value.'],
    ['an empty argument', [''], { _: [''], file: '' }, 'FILE needs a value.'],
  ])('is refused for %s', (_what, rawArgs, parsed, message) => {
    expect(check(rawArgs, parsed)).toThrow(UsageError);
    expect(check(rawArgs, parsed)).toThrow(message);
  });
});
