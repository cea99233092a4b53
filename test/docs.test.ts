/** The written protocol against the code: where they differ, one of them is wrong. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  CLIENT_MESSAGES,
  ERRORS,
  FLOORS,
  LIMITS,
  PlanSchema,
  parsePlan,
  SERVER_MESSAGES,
  scalarNames,
  scalarScale,
} from '@tributary/protocol';
import { createApp, createLog } from '@tributary/server';
import { describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const spec = read('protocol/PROTOCOL.md');

/** Tracked files and new ones that are not ignored. */
const files = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
  cwd: ROOT,
  encoding: 'utf8',
})
  .split('\0')
  .filter((path) => path !== '' && path !== 'package-lock.json');

const isText = (path: string) => /\.(ts|js|json|md|ya?ml|wat|html|css|sh)$|run$/.test(path);

/** Text of one clause: from its heading to the next of any level. */
function clause(number: string): string {
  const start = spec.search(new RegExp(`^#+ ${number.replace('.', '\\.')} `, 'm'));
  if (start < 0) throw new Error(`PROTOCOL.md has no clause ${number}.`);
  const text = spec.slice(spec.indexOf('\n', start));
  const end = text.search(/^#+ \d/m);
  return end < 0 ? text : text.slice(0, end);
}

/** Rows of the tables in `text` as cells, without headings. */
function rows(text: string): string[][] {
  const lines = text.split('\n').filter((line) => line.startsWith('|'));
  const body = lines.filter((line, i) => !/^\|[-|]+$/.test(line) && !/^\|[-|]+$/.test(lines[i + 1] ?? ''));
  return body.map((line) =>
    line
      .slice(1, -1)
      .split(/(?<!\\)\|/)
      .map((cell) => cell.trim()),
  );
}

const bare = (cell: string | undefined) => (cell ?? '').replaceAll('`', '');

describe('PROTOCOL.md', () => {
  it('holds the error table of the code (9)', () => {
    const written = rows(clause('9')).map(([code, http, close, retryable, remedy]) => [
      bare(code),
      { http: Number(http), close: Number(close), retryable: retryable === 'yes', remedy },
    ]);
    expect(written).toEqual(Object.entries(ERRORS));
  });

  it('holds the limits and floors of the code (10)', () => {
    const written = (number: string) =>
      rows(clause(number)).map(([name, value]) => [bare(name), Number(value)]);
    expect(written('10.1')).toEqual(Object.entries(LIMITS));
    expect(written('10.2')).toEqual(Object.entries(FLOORS));
  });

  it('says something about every message, and about no other (4.5, 4.6)', () => {
    const types = (number: string) => rows(clause(number)).map(([type]) => bare(type));
    expect(types('4.5')).toEqual([...CLIENT_MESSAGES.keys()]);
    expect(types('4.6')).toEqual([...SERVER_MESSAGES.keys()]);
  });

  it('names every member of every message (4.5, 4.6)', () => {
    for (const [number, messages] of [
      ['4.5', CLIENT_MESSAGES],
      ['4.6', SERVER_MESSAGES],
    ] as const)
      for (const [type, members] of rows(clause(number))) {
        const { properties } = messages.get(bare(type)) as unknown as { properties: object };
        for (const member of Object.keys(properties))
          if (member !== 'type') expect(members, `${type}`).toMatch(new RegExp(`\\b${member}\\b`));
      }
  });

  it('names every field of a plan (5)', () => {
    const text = ['5.1', '5.4'].map(clause).join('\n');
    for (const name of propertyNames(PlanSchema)) expect(text).toMatch(new RegExp(`\\b${name}\\b`));
  });

  it('lists the scalars with their scales, in order (6.5)', () => {
    const plan = parsePlan({
      name: 'docs',
      model: { topology: { class_name: 'Sequential', config: {} } },
      features: { kind: 'image', height: 1, width: 1, channels: 1, classes: ['a', 'b'] },
      training: {
        optimizer: { name: 'sgd', learningRate: 1 },
        loss: 'meanSquaredError',
        metrics: ['accuracy'],
      },
      aggregation: { clip: 1 },
      cohort: { min: 3 },
      rounds: 1,
    });
    const slots = rows(clause('6.5')).map(([name, , scale]) => [
      bare(name).replace('METRIC', 'accuracy'),
      scale === '2^16' ? 2 ** 16 : Number(scale),
    ]);
    expect(slots).toEqual(scalarNames(plan).map((name) => [name, scalarScale(name)]));
  });

  it('lists every route, and no other (8.2)', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tributary-docs-'));
    const app = await createApp({ folder, log: createLog('silent') });
    try {
      await app.http.ready();
      const written = rows(clause('8.2')).map(([route]) => bare(route));
      // The WebSocket is no route: it is taken at the upgrade.
      expect(written.filter((route) => route !== 'GET /v1/session').sort()).toEqual(
        routesOf(app.http.printRoutes({ commonPrefix: false })).sort(),
      );
    } finally {
      await app.close();
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('has every clause that a source file cites', () => {
    const numbers = new Set([...spec.matchAll(/^#+ (\d+(?:\.\d+)?) /gm)].map((match) => match[1] ?? ''));
    const cited = files
      .filter((path) => /\.(ts|js|wat)$/.test(path))
      .flatMap((path) =>
        [...read(path).matchAll(/PROTOCOL\.md (\d[\d., and to]*)/g)].flatMap((match) =>
          (match[1]?.match(/\d+(?:\.\d+)?/g) ?? []).map((number) => `${path}: ${number}`),
        ),
      );
    expect(cited.length).toBeGreaterThan(20);
    expect(cited.filter((citation) => !numbers.has(citation.split(': ')[1] ?? ''))).toEqual([]);
  });

  it('refers only to clauses that it has', () => {
    const numbers = new Set([...spec.matchAll(/^#+ (\d+(?:\.\d+)?) /gm)].map((match) => match[1] ?? ''));
    const referred = [
      ...spec.matchAll(/\(([1-9]\d*\.\d+)(?:, ([1-9]\d*\.\d+))*\)|[Cc]lause (\d+(?:\.\d+)?)/g),
    ];
    expect(referred.length).toBeGreaterThan(20);
    const missing = referred
      .flatMap((match) => match.slice(1))
      .filter((number) => number !== undefined && !numbers.has(number));
    expect(missing).toEqual([]);
  });
});

describe('SECURITY.md', () => {
  it('names only tests that exist', () => {
    const named = rows(read('SECURITY.md')).flatMap((cells) =>
      [...(cells.at(-1) ?? '').matchAll(/`([^`]+\.test\.ts)`/g)].map((match) => match[1] ?? ''),
    );
    expect(named.length).toBeGreaterThan(10);
    expect(named.filter((path) => !files.includes(path))).toEqual([]);
  });

  it('quotes the names of those tests as they are', () => {
    for (const cells of rows(read('SECURITY.md'))) {
      const cell = cells.at(-1) ?? '';
      const path = cell.match(/`([^`]+\.test\.ts)`/)?.[1];
      const title = cell.match(/"([^"]+)"/)?.[1];
      if (path && title) expect(read(path), path).toContain(title);
    }
  });
});

describe('the project', () => {
  it('mentions no path outside itself', () => {
    // Written in pieces, or this file would be found.
    const outside = ['work', 'root', 'home'].map((name) => `(?<![\\w.*-])/${name}/[\\w.-]`);
    const shared = ['(?:\\.\\./)+', 'shared', '/'].join('');
    const pattern = new RegExp([...outside, shared].join('|'));
    const found = files.filter(isText).flatMap((path) =>
      read(path)
        .split('\n')
        .map((line, i) => ({ at: `${path}:${i + 1}`, line }))
        .filter(({ line }) => pattern.test(line))
        .map(({ at }) => at),
    );
    expect(found).toEqual([]);
  });
});

/** Names of all properties in a schema, however deep. */
function propertyNames(schema: unknown): Set<string> {
  const names = new Set<string>();
  const visit = (node: unknown): void => {
    if (typeof node !== 'object' || node === null) return;
    for (const [key, value] of Object.entries(node)) {
      if (key === 'properties') for (const name of Object.keys(value as object)) names.add(name);
      visit(value);
    }
  };
  visit(schema);
  return names;
}

/** `METHOD /path` of each route in Fastify's tree, without the HEAD that comes with every GET. */
function routesOf(tree: string): string[] {
  const stack: string[] = [];
  return tree.split('\n').flatMap((line) => {
    const match = /^([│ ]*)[├└]── (\S+)(?: \(([^)]*)\))?$/.exec(line);
    if (!match) return [];
    const [, indent = '', part = '', methods = ''] = match;
    stack.length = indent.length / 4;
    stack.push(part);
    const path = stack.join('');
    return methods
      .split(', ')
      .filter((method) => method !== '' && method !== 'HEAD')
      .map((method) => `${method} ${path}`);
  });
}
