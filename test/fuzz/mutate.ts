/** Changes of real traffic: bytes, fields, types, lengths, order, repetition. */
import type { Dice } from '../chaos/random.ts';
import { DEEP, type Json } from './target.ts';

const HASH = 'a'.repeat(64);
const KEY = 'A'.repeat(43);
/** Values that have broken programs before. */
const STRANGE: readonly Json[] = [
  ...[null, true, false, 0, -1, 1, 0.5, 2 ** 31, 2 ** 32, 2 ** 53, -(2 ** 53), 1e308, -1e308, 5e-324, -0],
  ...[
    '',
    ' ',
    '\0',
    '__proto__',
    'constructor',
    'prototype',
    'toString',
    'NaN',
    'Infinity',
    '1e999',
    '\ud800',
    '\u202e',
  ],
  ...[
    '../../etc/passwd',
    '..%2f..%2f',
    '%00',
    '/',
    'a'.repeat(300),
    'ä'.repeat(70_000),
    HASH,
    KEY,
    'A'.repeat(86),
  ],
  ...[
    [],
    {},
    [[]],
    [null],
    { type: 'hello' },
    Array.from({ length: 200 }, () => 0),
    DEEP,
    DEEP,
    deep(2000),
    deep(150),
  ],
];

function deep(levels: number): Json {
  let value: Json = 1;
  for (let i = 0; i < levels; i++) value = i % 2 === 0 ? [value] : { a: value };
  return value;
}

export const strange = (dice: Dice): Json => dice.pick(STRANGE);

/** One change at a random place of the value; most values stay as they are. */
export function mutateJson(dice: Dice, value: Json): Json {
  const inside = typeof value === 'object' && value !== null && Object.keys(value).length > 0;
  if (!inside || dice.chance(0.1)) return changeWhole(dice, value);
  if (Array.isArray(value)) return mutateList(dice, value);
  const members = value as Readonly<Record<string, Json>>;
  const names = Object.keys(members);
  const name = dice.pick(names);
  switch (dice.pick(['inside', 'inside', 'inside', 'inside', 'remove', 'add', 'rename', 'swap'])) {
    case 'remove':
      return own(names.filter((other) => other !== name).map((other) => [other, members[other]!]));
    case 'add':
      return own([
        ...entries(members),
        [dice.pick(['__proto__', 'constructor', 'x', 'type', '']), strange(dice)],
      ]);
    case 'rename':
      return own(entries(members).map(([key, one]) => [key === name ? String(strange(dice)) : key, one]));
    case 'swap': {
      const other = dice.pick(names);
      return own([...entries(members), [name, members[other]!], [other, members[name]!]]);
    }
    default:
      return own([...entries(members), [name, mutateJson(dice, members[name]!)]]);
  }
}

const entries = (value: Readonly<Record<string, Json>>): [string, Json][] => Object.entries(value);

/** Also `__proto__` as a member of its own, as JSON.parse makes it. */
function own(members: readonly (readonly [string, Json])[]): Json {
  const made = {};
  for (const [name, value] of members)
    Object.defineProperty(made, name, { value, enumerable: true, configurable: true, writable: true });
  return made;
}

function mutateList(dice: Dice, list: readonly Json[]): Json {
  const at = Math.floor(dice.next() * list.length);
  switch (dice.pick(['inside', 'inside', 'inside', 'remove', 'repeat', 'reverse', 'many', 'add'])) {
    case 'remove':
      return list.filter((_, index) => index !== at);
    case 'repeat':
      return [...list, list[at]!];
    case 'reverse':
      return [...list].reverse();
    case 'many':
      return Array.from({ length: 150 }, () => list[at]!);
    case 'add':
      return [...list, strange(dice)];
    default:
      return list.map((value, index) => (index === at ? mutateJson(dice, value) : value));
  }
}

function changeWhole(dice: Dice, value: Json): Json {
  if (dice.chance(0.4)) return strange(dice);
  if (typeof value === 'string') return mutateText(dice, value);
  if (typeof value === 'number')
    return dice.pick([value + 1, value - 1, -value, value * 2 ** 20, value + 0.5]);
  return strange(dice);
}

export function mutateText(dice: Dice, text: string): string {
  const at = Math.floor(dice.next() * (text.length + 1));
  const end = at + Math.floor(dice.next() * 8);
  const other = dice.pick([
    '',
    '0',
    'Z',
    '\0',
    '"',
    '{',
    '\r\n',
    '%',
    '..',
    'é',
    '-',
    text.slice(at, end).repeat(20),
  ]);
  return text.slice(0, at) + other + text.slice(dice.chance(0.5) ? end : at);
}

/** Some changes anywhere, as of a broken line, a broken program or somebody who tries. */
export function mutateBytes(dice: Dice, bytes: Uint8Array): Buffer {
  let changed = Buffer.from(bytes);
  for (let i = 1 + Math.floor(dice.next() * 3); i > 0; i--) {
    const at = Math.floor(dice.next() * (changed.length + 1));
    const end = Math.min(changed.length, at + Math.floor(dice.next() * dice.pick([2, 16, 200])));
    const junk = dice.pick([
      Buffer.alloc(0),
      Buffer.from([Math.floor(dice.next() * 256)]),
      Buffer.alloc(Math.floor(dice.next() * 64), 0xff),
      Buffer.from('\r\n\r\n'),
      changed.subarray(at, end),
      Buffer.from(Array.from({ length: 8 }, () => Math.floor(dice.next() * 256))),
    ]);
    changed = Buffer.concat([
      ...(dice.chance(0.1) ? [changed.subarray(end)] : [changed.subarray(0, at), junk]),
      dice.chance(0.15) ? Buffer.alloc(0) : changed.subarray(dice.chance(0.5) ? end : at),
    ]).subarray(0, 300_000);
  }
  return changed;
}
