/** Remedies name the next command; and every command that any text of ours names exists, with its options. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ERRORS } from '@tributary/protocol';
import { describe, expect, it } from 'vitest';
import { COMMON_ARGS, type Command, type Group } from './command.ts';
import { root } from './root.ts';

const ROOT = join(import.meta.dirname, '../../..');

/** Nothing that can be typed mends these: the remedy says what to do. */
const WITHOUT_COMMAND = { equivocation: 'report it', 'rate-limited': 'then repeat the command' };

describe('the remedy of', () => {
  it.each(Object.entries(ERRORS))('%s names a command, or says what to do', (code, { remedy }) => {
    const instruction = (WITHOUT_COMMAND as Record<string, string>)[code];
    if (instruction !== undefined) expect(remedy).toContain(instruction);
    else expect(remedy).toMatch(/`tributary(-server)? [^`]+`/);
    expect(remedy).toMatch(/^[A-Z`].*[.]$/);
  });
});

function sources(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
    .map((name) => readFileSync(join(ROOT, folder, name), 'utf8'));
}

/** What people read, at the top and in the packages. */
function documents(): string[] {
  const folders = ['.', 'protocol', 'server', 'client-sdk', 'client-sdk/plans', 'test'];
  const paths = folders.flatMap((folder) =>
    readdirSync(join(ROOT, folder))
      .filter((name) => name.endsWith('.md'))
      .map((name) => join(ROOT, folder, name)),
  );
  return paths.map((path) =>
    readFileSync(path, 'utf8').replaceAll(/(`tributary [^`\n]*)\n *([^`\n]+`)/g, '$1 $2'),
  );
}

/** Lines of a block of commands to type. */
const typedCommands = (text: string) =>
  [...text.matchAll(/^ *npx tributary ([^\n#]+)/gm)].map(([, line]) => line!.trim());

/** `tributary ...` between backticks, with what is filled in as WORD; a line break in the source is none in the text. */
function namedCommands(text: string): string[] {
  const found = text.matchAll(/\\?`tributary ((?:\$\{[^}]*\}|[^`\\$\n])+)\\?`/g);
  return [...found].map(([, line]) => line!.replaceAll(/\$\{[^}]*\}/g, 'WORD').trim());
}

/** Texts that only look like one: tags of hashes, and templates that any command fills. */
const NO_COMMAND = /^(--help|--version|COMMAND|WORD|initializer )/;

/** What is wrong with a command line, or undefined. */
function fault(line: string): string | undefined {
  if (NO_COMMAND.test(line)) return undefined;
  let at: Command | Group = root;
  const words = line.split(/\s+/);
  while (at.kind === 'group') {
    const word = words.shift();
    const next: Command | Group | undefined = at.commands.find(({ name }) => name === word);
    if (!next) return `tributary ${line}: there is no "${word}"`;
    at = next;
  }
  const options = Object.keys({ ...at.args, ...COMMON_ARGS });
  const strange = words.find(
    (word) => word.startsWith('--') && !options.includes(word.slice(2).split('=')[0]!),
  );
  return strange && `tributary ${line}: there is no ${strange}`;
}

describe('every command', () => {
  it.each([
    ['a message names', () => ['protocol/src', 'server/src', 'client-sdk/src'].flatMap(sources), 60],
    ['a document names', documents, 40],
  ] as const)('that %s exists', (_, textsOf, atLeast) => {
    const lines = textsOf().flatMap((text) => [...namedCommands(text), ...typedCommands(text)]);
    expect(lines.length).toBeGreaterThan(atLeast);
    expect([...new Set(lines)].map(fault).filter((wrong) => wrong !== undefined)).toEqual([]);
  });
});
