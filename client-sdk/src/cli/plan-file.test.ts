import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Plan, planHash } from '@tributary/protocol';
import { nodeCrypto } from '@tributary/protocol/node';
import { describe, expect, it } from 'vitest';
import { digitsPlan } from '../data/digits-plan.ts';
import { planYaml } from '../data/templates.ts';
import { EXIT } from './exit-codes.ts';
import { completePlan, readPlanFile } from './plan-file.ts';
import { planWords } from './plan-words.ts';
import { runInTest } from './test-io.ts';

const yaml = planYaml(digitsPlan({ partners: 5 }));

async function written(text: string): Promise<string> {
  const path = join(await mkdtemp(join(tmpdir(), 'tributary-plan-')), 'plan.yaml');
  await writeFile(path, text);
  return path;
}

function lineWith(text: string, part: string): number {
  return text.split('\n').findIndex((line) => line.includes(part)) + 1;
}

describe('a plan file', () => {
  it('gives the same plan as YAML, as JSON, and once it is complete', async () => {
    const plan = await readPlanFile(await written(yaml));
    const again = await readPlanFile(await written(JSON.stringify(plan)));
    const hash = planHash(nodeCrypto, plan);
    expect(planHash(nodeCrypto, again)).toBe(hash);
    expect(planHash(nodeCrypto, await completePlan(plan))).toBe(hash);
    expect(hash).not.toBe(planHash(nodeCrypto, digitsPlan({ partners: 5 })));
  });

  it('that is no YAML is refused with line and column', async () => {
    const text = yaml.replace('rounds: 10', 'rounds: [10');
    const line = lineWith(text, 'holdout');
    await expect(readPlanFile(await written(text))).rejects.toMatchObject({
      code: 'plan-invalid',
      message: expect.stringMatching(new RegExp(`^plan.yaml line ${line}, column 1: `)),
    });
  });

  it.each([
    ['a value out of range', 'epochs: 5', 'epochs: 0', 'epochs: 0', /training\.epochs must be >= 1, got 0/],
    ['a field twice', 'rounds: 10', 'rounds: 10\nrounds: 11', 'rounds: 11', /unique/],
    [
      'an unknown field',
      'weightCap:',
      'weightcap:',
      'mode: secure',
      /aggregation has unknown field "weightcap"/,
    ],
    ['an unknown layer', 'class_name: Dense', 'class_name: Dance', '', /Dance/],
  ])('with %s is refused, naming its line', async (_, from, to, at, message) => {
    const text = yaml.replace(from, to);
    const error = (await readPlanFile(await written(text)).catch((thrown) => thrown)) as Error;
    expect(error).toMatchObject({ code: 'plan-invalid', message: expect.stringMatching(message) });
    if (at !== '') expect(error.message).toContain(`line ${lineWith(text, at)}`);
  });

  it('with aliases that expand a thousandfold is refused', async () => {
    const bomb = ['a: &a [x,x,x,x,x,x,x,x,x,x]'];
    for (const [name, before] of ['ba', 'cb', 'dc', 'ed'].map((pair) => pair.split('')))
      bomb.push(`${name}: &${name} [${Array(10).fill(`*${before}`).join()}]`);
    await expect(readPlanFile(await written(bomb.join('\n')))).rejects.toMatchObject({
      code: 'plan-invalid',
    });
  });
});

describe('plan hash', () => {
  it('prints what policies list, and nothing else with --json', async () => {
    const path = await written(yaml);
    const { code, out, err } = await runInTest(['plan', 'hash', path, '--json']);
    expect({ code, err }).toEqual({ code: EXIT.ok, err: '' });
    const plan = await readPlanFile(path);
    expect(JSON.parse(out)).toEqual({
      name: 'digits',
      plan: planHash(nodeCrypto, plan),
      topology: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
  });

  it('tells people what would be trained, with the number of parameters', async () => {
    const { out } = await runInTest(['plan', 'hash', await written(yaml)]);
    expect(out).toContain(
      'Flatten -> Dense 200 relu -> Dense 200 relu -> Dense 10 softmax; 199,210 parameters',
    );
    expect(out).toContain('10 rounds of 5 epochs each, batches of 10, sgd at 0.1');
    expect(out).toContain('5 partners or more, 3 or more in a sum');
  });

  it('of a file that is not there is exit code 4', async () => {
    expect((await runInTest(['plan', 'hash', '/nonexistent/plan.yaml'])).code).toBe(EXIT.notFound);
  });
});

describe('a plan in words', () => {
  it('cannot hide that the coordinator would see every update', () => {
    const plan = digitsPlan({ partners: 5 });
    const plain = { ...plan, aggregation: { ...plan.aggregation, mode: 'plain' as const } };
    expect(Object.fromEntries(planWords(plain)).aggregation).toMatch(/^PLAIN: THE COORDINATOR SEES/);
    expect(Object.fromEntries(planWords(plan)).aggregation).toMatch(/^secure: /);
  });

  it.each([
    [{}, /to predict: price \(a number\)$/],
    [{ std: 27 }, /to predict: price \(a number, as \(y - 0\) \/ 27: errors are in units of 27\)$/],
  ])('tells the unit of a number to predict: %j', (scale, words) => {
    const column = { name: 'x', transform: { kind: 'identity' } } as const;
    const label = { name: 'price', kind: 'number', ...scale } as const;
    const plan: Plan = {
      ...digitsPlan({ partners: 5 }),
      features: { kind: 'table', columns: [column], label },
    };
    expect(Object.fromEntries(planWords(plan)).features).toMatch(words);
  });
});
