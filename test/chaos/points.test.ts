/** Every crash point of the sources is in the table that chaos goes by, and the other way round. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { COMMIT_KINDS, CRASH_POINTS, ROTATION_CRASH_POINTS } from '@tributary/protocol/node';
import { expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
const TABLE: readonly string[] = [...CRASH_POINTS, ...ROTATION_CRASH_POINTS];

/** Arguments of all calls, as they are written. */
function calls(): string[] {
  return ['server/src', 'client-sdk/src'].flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
      .flatMap((file) => {
        const text = readFileSync(join(ROOT, folder, file), 'utf8');
        return [...text.matchAll(/crashPoint\((['`][^)]*['`])\)/g)].map(([, name]) => name!.slice(1, -1));
      }),
  );
}

/** What a call can name: in place of a `$` part, whatever the table has there. */
function named(call: string): string[] {
  const parts = call.replaceAll('.', '\\.').replace(/\$\{moment\}/, '(committing|committed|sending|sent)');
  const form = new RegExp(`^${parts.replace(/\$\{\w*\}/g, '[a-z.-]+').replace(/\$\{.*\}/, '[a-z.-]+')}$`);
  const fits = TABLE.filter((name) => form.test(name));
  // Transactions of runs; other things are committed as well.
  if (!/^coordinator\.\$\{kind\}\.\$/.test(call)) return fits;
  return fits.filter((name) => COMMIT_KINDS.some((kind) => name.startsWith(`coordinator.${kind}.commit`)));
}

it('each call names points of the table, each point of the table has a call', () => {
  const found = calls();
  expect(found.length).toBeGreaterThan(50);
  expect(found.filter((call) => named(call).length === 0)).toEqual([]);
  const reached = new Set(found.flatMap(named));
  expect(TABLE.filter((name) => !reached.has(name))).toEqual([]);
});
