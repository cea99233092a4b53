/** `trainer` in node.yaml, beside `data` and `engine`. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { partnerIdentities } from '../session/fixtures.ts';
import { loadNodeConfig } from './config.ts';
import { saveEnrolment } from './enrolment.ts';
import { makePrivateFolder } from './files.ts';

const folder = mkdtempSync(join(tmpdir(), 'tributary-config-'));
afterAll(() => rmSync(folder, { recursive: true }));
beforeAll(async () => {
  await makePrivateFolder(join(folder, 'state'));
  const { id } = partnerIdentities(1)[0]!;
  const enrolment = { url: 'http://127.0.0.1:1', key: id, name: 'ada', role: 'partner' } as const;
  await saveEnrolment(join(folder, 'state'), enrolment);
});

function load(text: string) {
  writeFileSync(join(folder, 'node.yaml'), `name: ada\nstate: ./state\n${text}\n`);
  return loadNodeConfig(join(folder, 'node.yaml'));
}

const DATA = 'data: { kind: csv, path: rows.csv }';
const TRAINER = 'trainer: { command: [python3, trainer.py], env: { OMP_NUM_THREADS: "1" } }';

test('who has not enrolled is told to do so in that folder', async () => {
  writeFileSync(join(folder, 'other.yaml'), `name: ada\nstate: ./other\n${DATA}\n`);
  await expect(loadNodeConfig(join(folder, 'other.yaml'))).rejects.toMatchObject({
    code: 'not-found',
    remedy: expect.stringContaining(`tributary node init INVITE --dir ${folder}`),
  });
});

test('an own trainer, with data or without', async () => {
  const trainer = { command: ['python3', 'trainer.py'], env: { OMP_NUM_THREADS: '1' } };
  expect(await load(`${DATA}\n${TRAINER}`)).toMatchObject({
    data: { kind: 'csv', path: 'rows.csv' },
    trainer,
    folder,
  });
  expect(await load(TRAINER)).toMatchObject({ data: undefined, trainer });
  expect(await load(DATA)).not.toHaveProperty('trainer');
});

test.each([
  ['neither data nor trainer', '', /data is missing/],
  ['an engine beside a trainer', `${TRAINER}\nengine: wasm`, /engine wasm is of the built-in trainer/],
  ['a command line for a shell', 'trainer: { command: python3 trainer.py }', /trainer.command must be array/],
  ['no command', 'trainer: { command: [] }', /trainer.command/],
  ['an unknown field', 'trainer: { command: [a], shell: true }', /unknown field "shell"/],
  ['a passphrase', 'trainer: { command: [a], env: { TRIBUTARY_PASSPHRASE: x } }', /"TRIBUTARY_PASSPHRASE"/],
  ['a variable that is none', 'trainer: { command: [a], env: { "A=B": x } }', /"A=B"/],
  [
    'a number as a variable',
    'trainer: { command: [a], env: { DATABASE_PIN: 8271 } }',
    /trainer.env.DATABASE_PIN must be text in quotes.*; its value is not shown/,
  ],
  ['a list of variables', 'trainer: { command: [a], env: [PIN=8271] }', /trainer.env must be a map/],
])('%s is refused', async (_, text, words) => {
  const refusal = (await load(text).catch((error: unknown) => error)) as Error;
  expect(refusal).toMatchObject({ code: 'malformed', message: expect.stringMatching(words) });
  expect(refusal.message).not.toContain('8271');
});
