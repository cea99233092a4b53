import { describe, expect, it } from 'vitest';
import type { Draft, PlanningOptions } from './draft.ts';
import { readTable } from './read-table.ts';
import { sniff } from './sniff.ts';
import { tableDraft } from './table-draft.ts';
import { csv, noise, sampleFile } from './test-samples.ts';

async function draftOf(content: string, options: PlanningOptions = {}): Promise<Draft> {
  const path = await sampleFile(content);
  const { delimiter } = (await sniff(path)) as { delimiter: string };
  return tableDraft(await readTable(path, delimiter), options, 'sample');
}

const useOf = (draft: Draft) => Object.fromEntries(draft.columns.map(({ name, use }) => [name, use]));
const rulesOf = (draft: Draft) => draft.findings.map(({ rule }) => rule);
/** The transform of the one input column `x`, with a label of two classes beside it. */
async function transformOf(cell: (at: number) => unknown, count = 200) {
  const draft = await draftOf(csv('x,label', count, (at) => [cell(at), at % 2 ? 'yes' : 'no']));
  const { features } = draft;
  if (features.kind !== 'table') throw new Error('no table');
  return { column: features.columns[0]!, why: draft.columns[0]!.why };
}

describe('a column of a sample', () => {
  it('of years is told with the range that stands in the plan', async () => {
    const { column, why } = await transformOf((at) => 1998 + (at % 26));
    expect(column.transform).toEqual({ kind: 'minmax', min: 1995, max: 2025 });
    expect(why).toBe('1995 to 2025: what the sample holds, rounded outwards');
  });

  it.each([',5', ',234', ',234,567.50'])(
    'of numbers like 1%s is left out, whatever its comma means',
    async (cell) => {
      const text = csv('x;y;label', 60, (at) => [`${at}${cell}`, noise(at), at % 2 ? 'a' : 'b'], ';');
      const draft = await draftOf(text);
      expect(draft.columns[0]).toMatchObject({
        use: 'left out',
        why: 'its numbers hold a comma; write them as 1234.5',
      });
      expect(rulesOf(draft)).toContain('decimal-comma');
    },
  );

  it.each([
    ['of a share', (at: number) => noise(at).toFixed(3), { kind: 'identity' }],
    ['of ages', (at: number) => 18 + (at % 77), { kind: 'minmax', min: 0, max: 100 }],
    ['of incomes with a long tail', (at: number) => (at === 7 ? 900_000 : 1000 + at), { kind: 'log1p' }],
    [
      'with a few far values to both sides',
      (at: number) => (at === 7 ? 4000 : at === 9 ? -4000 : (at % 11) - 5),
      { kind: 'standardise', mean: 0, std: 400 },
    ],
    [
      'of few words',
      (at: number) => ['red', 'green', 'blue'][at % 3],
      { kind: 'onehot', categories: ['blue', 'green', 'red'], other: true },
    ],
  ])('%s gets its transform', async (_, cell, transform) => {
    expect((await transformOf(cell)).column).toEqual({ name: 'x', transform });
  });

  it.each([
    ['station_id', (at: number) => 100 + (at % 3), 'onehot'],
    ['areaCode', (at: number) => 1000 + (at % 99), undefined],
    ['number of rooms', (at: number) => 7 * at, 'minmax'],
    ['room number', (at: number) => 7 * at, undefined],
  ])('named %s is a quantity only if its name says so', async (name, cell, transform) => {
    const rows = csv(`${name},other,label`, 200, (at) => [cell(at), noise(at), at % 2 ? 'yes' : 'no']);
    expect((await draftOf(rows)).columns[0]?.transform).toBe(transform);
  });

  it('with empty cells gets the median in their place, and says so', async () => {
    const { column, why } = await transformOf((at) =>
      at % 20 === 0 ? (at % 40 ? '' : 'NA') : 10 + (at % 7),
    );
    expect(column.missing).toBe(13);
    expect(why).toMatch(/10 of 200 cells hold no number: the median 13 stands in/);
  });

  it('of words with empty cells counts them as "other"', async () => {
    const { column } = await transformOf((at) => (at % 20 === 0 ? '' : at % 2 ? 'a' : 'b'));
    expect(column).toMatchObject({
      missing: '(missing)',
      transform: { categories: ['a', 'b'], other: true },
    });
  });

  it('keeps values out of the plan that only a few rows have', async () => {
    const { column } = await transformOf((at) => (at === 3 ? 'Baroness' : at % 2 ? 'Ms' : 'Mr'));
    expect(column.transform).toMatchObject({ categories: ['Mr', 'Ms'] });
  });
});

describe('columns that are left out', () => {
  const header =
    'patientId,Full Name,e-mail,dob,contact,uuid,row,visited,site,note,empty,amount,score,diagnosis';
  const row = (at: number) => [
    `P${at}`,
    `Person ${at}`,
    `p${at}@example.org`,
    `19${10 + (at % 80)}-01-02`,
    `c${at}@example.org`,
    `123e4567-e89b-12d3-a456-4266141${String(74000 + at)}`,
    at,
    `2024-01-${String(1 + (at % 28)).padStart(2, '0')}`,
    'Graz',
    `some words that people wrote number ${at}`,
    '',
    `"${at},5"`,
    50 + (at % 30),
    at % 3 === 0 ? 'ill' : 'well',
  ];

  it('are those that tell who somebody is, count rows, never change, or are prose', async () => {
    const draft = await draftOf(csv(header, 60, row));
    expect(useOf(draft)).toEqual({
      patientId: 'left out',
      'Full Name': 'left out',
      'e-mail': 'left out',
      dob: 'left out',
      contact: 'left out',
      uuid: 'left out',
      row: 'left out',
      visited: 'left out',
      site: 'left out',
      note: 'left out',
      empty: 'left out',
      amount: 'left out',
      score: 'input',
      diagnosis: 'label',
    });
    const personal = draft.findings.find(({ rule }) => rule === 'personal-columns');
    for (const name of ['patientId', 'Full Name', 'e-mail', 'dob', 'contact'])
      expect(personal?.message).toContain(`"${name}"`);
    expect(rulesOf(draft)).toEqual(['personal-columns', 'decimal-comma', 'text-left-out', 'disclosure']);
  });

  it('stay out of the plan with their values', async () => {
    const draft = await draftOf(csv(header, 60, row));
    expect(JSON.stringify(draft.features)).not.toMatch(/example\.org|Person|Graz|uuid/);
  });
});

describe('the label', () => {
  it.each([
    ['by its name', 'class,x,y2', (at: number) => [at % 3, at, -at], 'class', 'classify'],
    [
      'as the last column with classes',
      'a,b',
      (at: number) => [noise(at), at % 2 ? 'x' : 'y'],
      'b',
      'classify',
    ],
    ['as a quantity', 'rooms,price', (at: number) => [at % 5, 100.5 + at], 'price', 'regress'],
  ])('is found %s', async (_, header, row, name, task) => {
    const draft = await draftOf(csv(header, 100, row));
    expect(draft.label).toMatchObject({ name, why: expect.stringMatching(/^a guess: /) });
    expect(draft.task).toBe(task);
  });

  it('is what --label says, and its classes are sorted', async () => {
    const draft = await draftOf(
      csv('class,grade', 60, (at) => [at % 2, [10, 9, 2][at % 3]]),
      { label: 'grade' },
    );
    expect(draft.features).toMatchObject({ label: { name: 'grade', classes: ['2', '9', '10'] } });
    expect(draft.loss).toBe('sparseCategoricalCrossentropy');
  });

  it('with rows that have none, few or mostly one class is remarked on', async () => {
    const draft = await draftOf(
      csv('x,label', 200, (at) => [noise(at), at === 0 ? '' : at < 4 ? 'rare' : 'usual']),
    );
    expect(rulesOf(draft)).toEqual(['label-missing', 'uneven-classes', 'rare-classes', 'disclosure']);
  });

  it.each([
    ['prices', (at: number) => 250_000 + 1000 * (at % 90) + 0.5, 290_000, 27_000],
    ['years of a short while', (at: number) => 1950 + (at % 12), 1955, 3.4],
  ])('of %s is scaled by rounded constants, and the plan says the unit', async (_, cell, mean, std) => {
    const content = csv('x,price', 200, (at) => [noise(at), cell(at)]);
    const draft = await draftOf(content, { label: 'price', task: 'regress' });
    expect(draft.features).toMatchObject({ label: { name: 'price', kind: 'number', mean, std } });
    expect(draft.network.topology.config).toMatchObject({ layers: [{ config: { units: 1 } }] });
    expect(draft.why['features.label']).toContain('(y - mean) / std');
    expect(draft.why['training.metrics']).toContain(`times ${std} they are in units of "price"`);
    expect(draft.findings.at(-1)?.message).toContain("the label's mean and spread of the sample");
  });
});

describe('other tasks', () => {
  it('a forecast takes numbers in the order of time, and one series per group', async () => {
    const draft = await draftOf(
      csv('sensor,time,temperature,load', 600, (at) => [
        at < 300 ? 'a' : 'b',
        `2024-01-01T${String(Math.floor((at % 300) / 60)).padStart(2, '0')}:${String(at % 60).padStart(2, '0')}`,
        20 + 5 * Math.sin(at / 5),
        noise(at),
      ]),
      { task: 'forecast', label: 'temperature' },
    );
    expect(useOf(draft)).toEqual({ sensor: 'group', time: 'time', temperature: 'label', load: 'input' });
    expect(draft.features).toMatchObject({
      kind: 'series',
      group: 'sensor',
      window: 24,
      label: { mean: 20 },
    });
    expect(rulesOf(draft)).toContain('time-order');
  });

  it('prose alone makes a text plan that holds no word of it', async () => {
    const draft = await draftOf(
      csv('text,sentiment', 60, (at) => [`the film was number ${at} of all`, at % 2 ? 'good' : 'bad']),
    );
    expect(draft.task).toBe('text');
    expect(draft.features).toEqual({
      kind: 'text',
      column: 'text',
      length: 16,
      buckets: 2000,
      label: { name: 'sentiment', kind: 'class', classes: ['bad', 'good'] },
    });
  });

  it('an autoencoder has no label', async () => {
    const draft = await draftOf(
      csv('a,b,c', 60, (at) => [noise(at), at % 9, at % 4]),
      { task: 'autoencode' },
    );
    expect(draft.features).toMatchObject({ kind: 'table', label: { kind: 'features' } });
    expect(draft.label).toBeUndefined();
  });
});

it('tells partners with other delimiters what to write', async () => {
  const draft = await draftOf(csv('x;label', 60, (at) => [noise(at), at % 2], ';'));
  const found = draft.findings.find(({ rule }) => rule === 'delimiter');
  expect(found?.remedy).toContain('`delimiter: ";"`');
});
