import { expect, it } from 'vitest';
import { matchesEtag, parseRange } from './ranges.ts';

it.each([
  ['bytes=0-9', { start: 0, end: 10 }],
  ['bytes=90-', { start: 90, end: 100 }],
  ['bytes=90-1000', { start: 90, end: 100 }],
  ['bytes=-10', { start: 90, end: 100 }],
  ['bytes=-1000', { start: 0, end: 100 }],
  ['bytes=99-99', { start: 99, end: 100 }],
  ['bytes=100-', 'unsatisfiable'],
  ['bytes=100-200', 'unsatisfiable'],
  ['bytes=-0', 'unsatisfiable'],
  ['bytes=9-0', 'whole'],
  ['bytes=-', 'whole'],
  ['bytes=0-1,5-6', 'whole'],
  ['bytes=0x1-2', 'whole'],
  ['bytes=-1-2', 'whole'],
  ['lines=0-9', 'whole'],
  [`bytes=${'9'.repeat(40)}-`, 'whole'],
  [undefined, 'whole'],
] as const)('%s of 100 bytes', (header, expected) => {
  expect(parseRange(header, undefined, '"e"', 100)).toEqual(expected);
});

it('gives no part of an empty blob', () => {
  expect(parseRange('bytes=0-', undefined, '"e"', 0)).toBe('unsatisfiable');
  expect(parseRange('bytes=-5', undefined, '"e"', 0)).toBe('unsatisfiable');
});

it('gives a part only of the bytes that If-Range means', () => {
  expect(parseRange('bytes=0-9', '"e"', '"e"', 100)).toEqual({ start: 0, end: 10 });
  expect(parseRange('bytes=0-9', '"other"', '"e"', 100)).toBe('whole');
  expect(parseRange('bytes=0-9', 'W/"e"', '"e"', 100)).toBe('whole');
});

it.each([
  ['"e"', true],
  ['"a", W/"e"', true],
  ['*', true],
  ['"a"', false],
  ['e', false],
  [undefined, false],
])('If-None-Match %s', (header, expected) => {
  expect(matchesEtag(header, '"e"')).toBe(expected);
});
