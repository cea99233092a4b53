/** From a sample to a plan that trains, through the real command. */
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { planHash } from '@tributary/protocol';
import { nodeCrypto } from '@tributary/protocol/node';
import { beforeAll, describe, expect, it } from 'vitest';
import { EXIT } from './exit-codes.ts';
import { readPlanFile } from './plan-file.ts';
import { runInTest } from './test-io.ts';

let folder: string;
let sample: string;
let file: string;

/** A label that the first column tells, a name that must not get into the plan, and a gap. */
const rows = Array.from({ length: 120 }, (_, at) => {
  const x = ((at * 37) % 100) / 10;
  return `Person ${at},${x},${['red', 'green', 'blue'][at % 3]},${at === 5 ? '' : 20 + (at % 50)},${x > 5 ? 'ill' : 'well'}`;
});

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tributary-init-'));
  sample = join(folder, 'my sample.csv');
  file = join(folder, 'plan.yaml');
  await writeFile(sample, ['name,dose,colour,age,diagnosis', ...rows].join('\n'));
});

const init = (...words: string[]) => runInTest(['plan', 'init', '--data', sample, '-o', file, ...words]);
const check = (...words: string[]) => runInTest(['plan', 'check', file, ...words]);

describe('plan init', () => {
  it('writes a commented plan, and says what it guessed and warns of', async () => {
    const { code, out, err } = await init();
    expect(code).toBe(EXIT.ok);
    expect(out).toMatch(/^task +classify: the label "diagnosis" has 2 classes$/m);
    expect(out).toMatch(/^name +left out +it looks like a name$/m);
    expect(err).toContain('warning: "name": looks like personal identifiers');
    expect(err).toContain('every partner sees the plan');
    // As a shell takes it: the sample's name holds a space.
    expect(err).toContain(`tributary plan check ${file} --data '${sample}' --try\n`);
    const text = await readFile(file, 'utf8');
    expect(text).toContain('age, transform: { kind: minmax, min: 0, max: 70 }, missing: ');
    expect(text).toMatch(/^ {2}clip: 5 # L2 bound/m);
    expect(text).not.toContain('Person');
    const plan = await readPlanFile(file);
    expect(plan).toMatchObject({
      name: 'my-sample',
      cohort: { min: 5 },
      rounds: 20,
      earlyStop: { metric: 'loss' },
    });
  });

  it.runIf(process.platform === 'linux')('calls a full disk no fault of ours', async () => {
    const full = ['plan', 'init', '--data', sample, '-o', '/dev/full', '--force'];
    const { code, err } = await runInTest(full);
    expect(code).toBe(EXIT.failed);
    expect(err).toMatch(/the disk is full \(ENOSPC\)\. \(storage-failed\)\nnext: +`df -h`/);
  });

  it('never writes over a file without --force', async () => {
    const before = await readFile(file, 'utf8');
    const { code, err } = await init();
    expect(code).toBe(EXIT.conflict);
    expect(err).toContain('--force');
    expect((await init('--force', '--partners', '4')).code).toBe(EXIT.ok);
    const after = await readFile(file, 'utf8');
    expect(after).not.toBe(before);
    expect(after).toContain('min: 4');
    await init('--force');
    expect(await readFile(file, 'utf8')).toBe(before);
  });

  it('gives programs the proposal, and the hash that partners approve', async () => {
    const { out, err } = await init('--force', '--json');
    expect(err).toBe('');
    const result = JSON.parse(out);
    expect(result).toMatchObject({ file, task: 'classify', label: { name: 'diagnosis' }, examples: 120 });
    expect(result.plan).toBe(planHash(nodeCrypto, await readPlanFile(file)));
    expect(result.findings.map(({ rule }: { rule: string }) => rule)).toEqual([
      'personal-columns',
      'disclosure',
    ]);
  });

  it.each([
    ['a wrong task', ['--task', 'clasify'], /classify\?/],
    ['a label that is not there', ['--label', 'diagnose'], /Pass --label with one of/],
    ['too few partners', ['--partners', '2'], /--partners 3/],
  ])('names the next thing to try after %s', async (_, words, remedy) => {
    const { code, out, err } = await init('--force', ...words);
    expect(code).not.toBe(EXIT.ok);
    expect(out).toBe('');
    expect(err).toMatch(remedy);
  });
});

describe('plan check', () => {
  it('says what partners are asked, layers, bytes, memory and time', async () => {
    const { code, out } = await check('--rows', '2000000');
    expect(code).toBe(EXIT.ok);
    for (const text of [
      'What partners are asked',
      'secure: the coordinator learns',
      'PARAMETERS',
      'receives',
      'sends',
    ])
      expect(out).toContain(text);
    expect(out).toMatch(/slow \d+ min, medium .*, fast /);
  });

  it('trains a few steps on the sample, and the loss falls', async () => {
    const { code, out } = await check('--data', sample, '--try', '--json');
    expect(code).toBe(EXIT.ok);
    const { trial, sample: read, traffic, findings } = JSON.parse(out);
    expect(read.rows).toBe(120);
    expect(trial.after).toBeLessThan(trial.before);
    expect(traffic.up).toBeGreaterThan(0);
    expect(findings.every(({ level }: { level: string }) => level !== 'error')).toBe(true);
  });

  it('lists all that a node would refuse in a sample, with counts', async () => {
    const other = join(folder, 'other.csv');
    const cells = [
      'dose,colour,age,diagnosis',
      '1,red,30,ill',
      'x,red,30,ill',
      ',red,30,well',
      '1,red,30,dead',
    ];
    await writeFile(other, cells.join('\n'));
    const { code, out, err } = await check('--data', other);
    expect(code).toBe(EXIT.invalid);
    expect(out).toContain('What partners are asked');
    expect(err).toContain(
      'column "dose": "x" is not a finite decimal number: 1 of 4 rows, the first is row 2',
    );
    expect(err).toContain('column "dose": "" is missing: 1 of 4 rows, the first is row 3');
    expect(err).toContain(
      'column "diagnosis": "dead" is no class of the plan: 1 of 4 rows, the first is row 4',
    );
    await writeFile(other, 'dose,diagnosis\n1,ill\n');
    expect((await check('--data', other)).err).toContain('no column "colour", "age"');
    expect((await check('--data', other)).err).toContain(
      `\nCorrect it, then:  tributary plan check ${file} --data ${other}\n`,
    );
  });

  it('tells of a sample of the wrong kind, and not of a node.yaml', async () => {
    const image = join(folder, 'image.yaml');
    const text = await readFile(new URL('../../plans/digits-2nn.yaml', import.meta.url), 'utf8');
    await writeFile(image, text);
    const { code, err } = await runInTest(['plan', 'check', image, '--data', sample]);
    expect(code).toBe(EXIT.invalid);
    expect(err).toContain('The plan wants image data, and these are csv files.');
    expect(err).not.toContain('node.yaml');
  });

  it('finds a learning rate that makes the loss grow', async () => {
    const wild = join(folder, 'wild.yaml');
    const text = await readFile(file, 'utf8');
    await writeFile(wild, text.replace(/learningRate: .*/, 'learningRate: 900'));
    const { out } = await runInTest(['plan', 'check', wild, '--data', sample, '--try', '--json']);
    const found = JSON.parse(out).findings.map(({ rule }: { rule: string }) => rule);
    expect(found).toContain('learning-rate');
    expect(found).toContain('trial-clipped');
  });

  it('names line and field of a plan that is not valid, and a missing file', async () => {
    const broken = join(folder, 'broken.yaml');
    await writeFile(broken, (await readFile(file, 'utf8')).replace('rounds: 20', 'rounds: 0'));
    const { code, err } = await runInTest(['plan', 'check', broken]);
    expect(code).toBe(EXIT.invalid);
    expect(err).toMatch(/broken\.yaml line \d+: rounds must be >= 1/);
    expect((await runInTest(['plan', 'check', '/nonexistent.yaml'])).err).toContain(
      'tributary plan init --data',
    );
    expect((await check('--try')).err).toContain('Add --data');
  });
});
