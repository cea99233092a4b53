/** Lines of a program that somebody else wrote: a message, or a typed fault of the program. */
import { TributaryError } from '@tributary/protocol';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { parseProgramMessage } from './messages.ts';

function codeOf(line: string): string {
  try {
    parseProgramMessage(line);
    return 'taken';
  } catch (thrown) {
    if (thrown instanceof TributaryError) return thrown.code;
    throw thrown;
  }
}

it.each([
  ['an object that cannot become text', '{"type":"hello","protocol":{"toString":1}}'],
  ['lists within lists', `{"type":"hello","protocol":${'['.repeat(100_000)}${']'.repeat(100_000)}}`],
  ['no protocol', '{"type":"hello"}'],
])('is told of a protocol that is no text: %s', (_, line) => {
  expect(codeOf(line)).toBe('training-failed');
});

/** Bigints and cycles have no JSON, and so no line. */
function jsonOf(value: unknown): string {
  try {
    return JSON.stringify(value) ?? '';
  } catch {
    return '';
  }
}

it('whatever the line is', () => {
  const word = fc.constantFrom(
    'hello',
    'progress',
    'trained',
    'evaluated',
    'failed',
    'cancelled',
    '__proto__',
    'toString',
  );
  const message = fc.record(
    { type: word, id: fc.anything(), protocol: fc.anything(), done: fc.anything() },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(fc.oneof(fc.json(), fc.string(), message.map(jsonOf)), (line) => {
      expect(['taken', 'training-failed', 'not-finite']).toContain(codeOf(line));
    }),
    { numRuns: 300 },
  );
});
