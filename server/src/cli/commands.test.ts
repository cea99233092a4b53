import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { COMMANDS } from './commands.ts';

const ROOT = join(import.meta.dirname, '../../..');

const texts = ['protocol/src', 'server', 'client-sdk/src', '.'].flatMap((folder) =>
  readdirSync(join(ROOT, folder), { recursive: folder.endsWith('src'), encoding: 'utf8' })
    .filter((name) => /(?<!\.test)\.ts$|\.md$/.test(name))
    .map((name) => readFileSync(join(ROOT, folder, name), 'utf8')),
);

/** What is wrong with the words behind `tributary-server`, or undefined. */
function fault(line: string): string | undefined {
  const [name = '', ...words] = line.split(/\s+/);
  if (/^(--help|--version|COMMAND|\$\{)/.test(name)) return undefined;
  if (!Object.hasOwn(COMMANDS, name)) return `there is no ${name}: ${line}`;
  const known = Object.keys(COMMANDS[name as keyof typeof COMMANDS].args ?? {});
  const strange = words.find((word) => word.startsWith('--') && !known.includes(word.slice(2)));
  return strange && strange !== '--help' ? `there is no ${strange}: ${line}` : undefined;
}

it('every command that a message or a document names exists, with its options', () => {
  const lines = texts.flatMap((text) => [
    ...[...text.matchAll(/`tributary-server ([^`\\]+?)\\?`/g)].map(([, line]) => line!.trim()),
    ...[...text.matchAll(/^ *(?:npx )?tributary-server ([^\n#`]+)$/gm)].map(([, line]) => line!.trim()),
  ]);
  expect(lines.length).toBeGreaterThan(30);
  expect([...new Set(lines)].map(fault).filter((wrong) => wrong !== undefined)).toEqual([]);
});
