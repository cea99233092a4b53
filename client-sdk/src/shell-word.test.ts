import { execFileSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { shellWord } from './shell-word.ts';

it('gives what needs no quotes as it is', () => {
  expect(shellWord('plans/größe-2.yaml')).toBe('plans/größe-2.yaml');
});

it('gives a word that a shell reads back', () => {
  const words = ['my plans/a.yaml', "it's", '$(id) `id` "x"', '~/a', 'a;b|c&d', '', '*', 'a\nb'];
  const line = `printf '%s\\0' ${words.map(shellWord).join(' ')}`;
  expect(execFileSync('sh', ['-c', line], { encoding: 'utf8' }).split('\0').slice(0, -1)).toEqual(words);
});
