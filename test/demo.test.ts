/** The demo as a newcomer starts it: real processes, real digits, nothing left behind. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import type { DemoResult } from './demo/result.ts';

const MAIN = fileURLToPath(new URL('./dist/demo/main.js', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'tributary-demo-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
  /** Processes that are still there. */
  readonly left: readonly number[];
  /** What it left in the folder for temporary files. */
  readonly files: readonly string[];
}

/** @param meddle called with what it has printed so far, whenever that has grown */
function demo(
  flags: string,
  meddle?: (out: string, process: ChildProcess, mark: string) => void,
): Promise<Ended> {
  const mark = randomUUID();
  const temporary = mkdtempSync(join(folder, 'tmp-'));
  const env = { ...process.env, DEMO_TEST: mark, TMPDIR: temporary, NO_COLOR: '1' };
  const child = spawn(process.execPath, [MAIN, ...flags.split(' ')], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [out, err] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text) => {
    out += text;
    meddle?.(out, child, mark);
  });
  child.stderr.setEncoding('utf8').on('data', (text) => {
    err += text;
  });
  return new Promise((resolve) => {
    child.once('close', (code) =>
      resolve({ code, out, err, left: marked(mark), files: readdirSync(temporary) }),
    );
  });
}

/** Processes that have inherited the mark from the demo, where /proc tells. */
function marked(mark: string): number[] {
  if (process.platform !== 'linux') return [];
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/environ`, 'utf8').includes(mark);
      } catch {
        return false;
      }
    })
    .map(Number);
}

type DemoConstants = NonNullable<DemoResult['constants']>['columns'][number];
const read = (path: string) => JSON.parse(readFileSync(path, 'utf8')) as DemoResult;
const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

test('five partners learn together, better than alone, and the coordinator sees noise', async () => {
  const path = join(folder, 'five.json');
  const { code, out, err, left, files } = await demo(`--rounds 3 --epochs 1 --engine wasm --json ${path}`);
  expect({ code, err, left, files }).toEqual({ code: 0, err: '', left: [], files: [] });
  const result = read(path);
  expect(result).toMatchObject({ dataset: 'digits', engine: 'wasm', aggregation: 'secure', constants: null });
  expect(result.flags.engine).toBe('wasm');
  expect(result.rounds.map(({ round }) => round)).toEqual([1, 2, 3]);
  for (const { participants, dropped, seconds, bytesUp, bytesDown } of result.rounds) {
    expect({ participants, dropped }).toEqual({ participants: 5, dropped: 0 });
    // 199,210 parameters of four bytes each, five times, and little more.
    expect(bytesUp).toBeGreaterThan(5 * 4 * 199_210);
    expect(bytesUp).toBeLessThan(5 * 4 * 199_210 * 1.01);
    expect(bytesDown).toBeGreaterThan(5 * 4 * 199_210);
    expect(seconds).toBeGreaterThan(0);
  }
  const { accuracy, localOnly } = result.final;
  expect(result.initial!.accuracy).toBeLessThan(0.3);
  expect(accuracy).toBe(result.rounds.at(-1)!.accuracy);
  expect(accuracy).toBeGreaterThan(0.88);
  expect(result.rounds[2]!.loss).toBeLessThan(result.rounds[0]!.loss);
  expect(localOnly).toHaveLength(5);
  expect(Math.min(...localOnly)).toBeGreaterThan(0.75);
  expect(accuracy).toBeGreaterThan(mean(localOnly));
  const evidence = result.evidence!;
  expect(evidence.entropy).toBeGreaterThan(7.99);
  expect(evidence.ownEntropy).toBeLessThan(7);
  expect(evidence.ownLikeness).toBeGreaterThan(0.5);
  expect(Math.abs(evidence.likeness)).toBeLessThan(0.02);
  expect(Math.abs(evidence.likenessToMean)).toBeLessThan(0.02);
  expect(evidence.sentinels).toHaveLength(4);
  expect(evidence.sentinels).not.toContain(1);
  for (const round of [1, 2, 3])
    for (const words of [
      'partners train on their own rows',
      'partners unmask the sum',
      'published: accuracy',
    ])
      expect(out).toMatch(new RegExp(`round ${round}/3:? ${words}`));
  expect(out).toContain(`federated  ${(100 * accuracy).toFixed(2)} %`);
}, 120_000);

test('cancer: constants from one secure sum first, then a network on standardised columns', async () => {
  const path = join(folder, 'cancer.json');
  const kept = join(folder, 'cancer');
  const { code, out, err, left } = await demo(
    `--dataset cancer --partners 3 --rounds 3 --data ${kept} --json ${path}`,
  );
  expect({ code, err, left }).toEqual({ code: 0, err: '', left: [] });
  const { dataset, source, licence, constants, final, rounds } = read(path);
  expect({ dataset, licence }).toEqual({ dataset: 'cancer', licence: 'CC BY 4.0' });
  expect(source).toContain('10.24432/C5DW2B');
  expect(out).toContain(`Data: ${source}. Licence: ${licence}.`);
  expect(out).toContain('constants: partners add up count, sum and sum of squares of their own rows');
  expect(constants!.rows).toBe(456);
  expect(constants!.columns).toHaveLength(30);
  // What partners trained is the plan with those constants.
  const { features } = JSON.parse(readFileSync(join(kept, 'plan.json'), 'utf8'));
  const [{ name, mean, std }] = constants!.columns as [DemoConstants];
  expect(features.columns[0]).toEqual({
    name,
    transform: { kind: 'standardise', mean: Number(mean.toPrecision(7)), std: Number(std.toPrecision(7)) },
  });
  expect(rounds).toHaveLength(3);
  expect(final.accuracy).toBeGreaterThan(0.93);
  expect(final.localOnly).toHaveLength(3);
}, 120_000);

test('partners killed before and after their upload: the round is published, the others go on', async () => {
  const path = join(folder, 'drop.json');
  const { code, err, left, files } = await demo(
    `--partners 6 --drop 2 --rounds 3 --epochs 1 --alone no --json ${path}`,
  );
  expect({ code, err, left, files }).toEqual({ code: 0, err: '', left: [], files: [] });
  const { rounds, killed, final } = read(path);
  expect(killed).toEqual([
    { name: 'partner-5', when: 'before' },
    { name: 'partner-6', when: 'after' },
  ]);
  expect(rounds.map(({ participants, dropped }) => [participants, dropped])).toEqual([
    [6, 0],
    // What partner-6 had sent before it died is in the sum.
    [5, 1],
    [4, 0],
  ]);
  expect(rounds[1]!.names.dropped).toEqual(['partner-5']);
  expect(rounds[1]!.names.participants).toContain('partner-6');
  expect(final.accuracy).toBeGreaterThan(0.85);
  expect(final.localOnly).toEqual([]);
}, 120_000);

test('ten partners, IID, E5, B10, lr .1: the accuracy of a correct FedAvg, under secure aggregation', async () => {
  const path = join(folder, 'ten.json');
  const { code, err } = await demo(`--partners 10 --holdout 0 --alone no --json ${path}`);
  expect({ code, err }).toEqual({ code: 0, err: '' });
  const { aggregation, rounds } = read(path);
  expect(aggregation).toBe('secure');
  expect(rounds.every(({ participants }) => participants === 10)).toBe(true);
  expect(rounds[2]!.accuracy).toBeGreaterThanOrEqual(0.9);
  expect(rounds[9]!.accuracy).toBeGreaterThanOrEqual(0.935);
}, 300_000);

describe('nothing is left behind', () => {
  test.each(['SIGINT', 'SIGTERM'] as const)(
    'after %s',
    async (signal) => {
      let sent = false;
      const { code, out, err, left, files } = await demo('--partners 3 --rounds 50', (printed, process) => {
        if (sent || !printed.includes(signal === 'SIGINT' ? 'make their keys' : 'partners train')) return;
        sent = true;
        process.kill(signal);
      });
      expect({ code, left, files }).toEqual({ code: 1, left: [], files: [] });
      expect(err).toBe(`error: Stopped by ${signal}.\n`);
      expect(out).not.toContain('published');
    },
    60_000,
  );

  test('when a partner dies unexpectedly: it is named, no stack', async () => {
    let victim: number | undefined;
    const { code, err, left, files } = await demo('--partners 3 --rounds 50', (printed, _, mark) => {
      if (victim !== undefined || !printed.includes('partners train')) return;
      victim = marked(mark).find((pid) =>
        readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('partner.js'),
      );
      process.kill(victim!, 'SIGKILL');
    });
    expect({ code, left, files }).toEqual({ code: 1, left: [], files: [] });
    expect(err).toMatch(
      /^error: (partner-\d|evaluator) ended with SIGKILL\.\n( {2}\| .*\n)+next: {2}Try again with --data/,
    );
    expect(err).not.toMatch(/\n\s+at /);
  }, 60_000);
});

describe('refused with exit code 2 before anything starts', () => {
  test.each([
    ['--drop 2', /--drop 2 is more than .* 2 drop-outs leave 3 < 4.*\nnext: {2}Give --drop 1 or less/],
    ['--partners 2', /--partners is "2".*from 3 to 128/],
    [`--data ${folder}`, /is not empty\.\nnext: {2}Give a new or an empty folder/],
    [`--json ${folder}/no/result.json`, /its folder does not exist/],
    ['--partition dirichlet:0.001 --partners 100', /dirichlet:0.001 left a partner of 100 with fewer/],
  ])('%s', async (flags, words) => {
    const { code, err, left, files } = await demo(flags);
    expect({ code, left, files }).toEqual({ code: 2, left: [], files: [] });
    expect(err).toMatch(words);
  });

  test('a port that is taken', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    const { code, err } = await demo(`--port ${port}`);
    await new Promise((resolve) => server.close(resolve));
    expect(code).toBe(2);
    expect(err).toMatch(/--port \d+ cannot be used on 127.0.0.1 \(EADDRINUSE\)/);
  });

  test('--help says how to use it', async () => {
    const { code, out } = await demo('--help');
    expect(code).toBe(0);
    for (const flag of [
      'partners N',
      'rounds R',
      'epochs E',
      'batch B',
      'lr X',
      'seed S',
      'dataset NAME',
      'engine E',
      'drop K',
      'port P',
    ])
      expect(out).toContain(`--${flag}`);
    expect(out).toContain('npm run demo -- --drop 1');
  });
});
