import { expect, it } from 'vitest';
import { canonicalJson } from './encoding.ts';
import { TributaryError } from './errors.ts';
import { CLIENT_MESSAGES, Hello } from './messages.ts';
import { Name, validate } from './schema.ts';

const HASH = 'a'.repeat(64);
const nested = (levels: number) => JSON.parse('['.repeat(levels) + ']'.repeat(levels));

it.each([
  [
    'in a field',
    () =>
      validate(CLIENT_MESSAGES.get('consent')!, { type: 'consent', run: nested(100_000), plan: HASH }, 'x'),
  ],
  ['in a list', () => validate(Hello, { type: 'hello', versions: nested(100_000) }, 'x')],
  [
    'in a record',
    () =>
      validate(
        CLIENT_MESSAGES.get('evaluation')!,
        { type: 'evaluation', metrics: { a: nested(100_000) } },
        'x',
      ),
  ],
  ['in a field that is not known', () => validate(Hello, { type: 'hello', x: nested(100_000) }, 'x')],
  ['in what is signed', () => canonicalJson({ a: nested(100_000) })],
  ['as a whole', () => validate(Hello, nested(100_000), 'x')],
])('refuses lists within lists without running out of stack: %s', (_, check) => {
  const refused = (() => {
    try {
      return check();
    } catch (thrown) {
      return thrown;
    }
  })();
  expect(refused).toBeInstanceOf(TributaryError);
  expect(refused).toMatchObject({ code: 'malformed' });
});

it('says what a name may be in words, not as a pattern', () => {
  expect(() => validate(Name, 'A B', 'invite')).toThrow(
    'invite: the whole must be 1 to 100 letters (a to z), digits, ".", "_" or "-", beginning with a letter or digit, got "A B"',
  );
});
