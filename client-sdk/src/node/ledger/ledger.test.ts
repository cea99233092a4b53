import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { describeLedgerStore, exampleRecords } from './acceptance.ts';
import { openFileLedger } from './file.ts';
import { createMemoryLedger } from './memory.ts';

const folder = mkdtempSync(join(tmpdir(), 'tributary-ledger-'));
afterAll(() => rmSync(folder, { recursive: true }));
let files = 0;
let path: string;
beforeEach(() => {
  path = join(folder, `ledger-${++files}`);
});

describeLedgerStore('memory', async () => createMemoryLedger(), null);
describeLedgerStore(
  'file',
  () => openFileLedger(path),
  async (store) => {
    await store.close();
    return openFileLedger(path);
  },
);

/** A ledger with these records on disk; returns its text. */
async function written(records = exampleRecords()): Promise<string> {
  const store = await openFileLedger(path);
  for (const record of records) await store.append(record);
  await store.close();
  return readFileSync(path, 'utf8');
}

async function reread() {
  const store = await openFileLedger(path);
  const records = await store.load();
  await store.close();
  return records;
}

describe('the file after a crash', () => {
  test('is readable by its owner only', async () => {
    await written();
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  test('a last line torn at any byte is left out, and the next record follows whole', async () => {
    const text = await written();
    const lines = text.split('\n').slice(0, -1);
    const last = lines.at(-1)!;
    const whole = text.slice(0, -last.length - 1);
    for (let cut = 0; cut <= last.length; cut += 7) {
      writeFileSync(path, whole + last.slice(0, cut));
      expect(await reread()).toEqual(exampleRecords().slice(0, -1));
      expect(readFileSync(path, 'utf8')).toBe(whole);
    }
    const store = await openFileLedger(path);
    await store.append(exampleRecords().at(-1)!);
    await store.close();
    expect(readFileSync(path, 'utf8')).toBe(text);
  });

  test('blocks of zeros that a power cut left behind are torn, too', async () => {
    await written();
    appendFileSync(path, Buffer.alloc(4096));
    expect(await reread()).toEqual(exampleRecords());
  });

  const damages: [string, (lines: string[]) => string[]][] = [
    ['a bit flipped in a hash', ([a, ...rest]) => [a!.replace('bbbb', 'bbbc'), ...rest]],
    ['a line that is no JSON', ([a, , ...rest]) => [a!, '{"seq":2,', ...rest]],
    ['a line that vanished', ([, ...rest]) => rest],
    ['a line that was doubled', ([a, ...rest]) => [a!, a!, ...rest]],
    ['two lines that changed places', ([a, b, ...rest]) => [b!, a!, ...rest]],
    ['an empty line', ([a, ...rest]) => [a!, '', ...rest]],
    [
      'damage in the last line, which is whole',
      (lines) => [...lines.slice(0, -1), lines.at(-1)!.replace('eeee', 'efee')],
    ],
  ];
  test.each(damages)('%s is a typed error that names the line, and nothing is changed', async (_, damage) => {
    const lines = (await written()).split('\n').slice(0, -1);
    const damaged = `${damage(lines).join('\n')}\n`;
    writeFileSync(path, damaged);
    await expect(openFileLedger(path)).rejects.toMatchObject({
      code: 'storage-failed',
      message: expect.stringMatching(/line \d of \d is damaged/),
      remedy: expect.stringContaining('Do not delete the ledger'),
    });
    expect(readFileSync(path, 'utf8')).toBe(damaged);
  });

  test('a folder that is missing is a typed error', async () => {
    await expect(openFileLedger(join(folder, 'nowhere', 'ledger'))).rejects.toMatchObject({
      code: 'storage-failed',
    });
  });

  test('killed with SIGKILL while it appends: what was acknowledged is there', async () => {
    const module = new URL('../../../dist/node/ledger/file.js', import.meta.url);
    const script = `
      import { openFileLedger } from ${JSON.stringify(module.href)};
      const store = await openFileLedger(${JSON.stringify(path)});
      const record = ${JSON.stringify(exampleRecords()[0])};
      for (let attempt = 1; ; attempt++) {
        await store.append({ ...record, attempt });
        process.stdout.write(attempt + '\\n');
      }`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let acknowledged = '';
    child.stdout.on('data', (chunk) => {
      acknowledged += chunk;
      if (acknowledged.split('\n').length > 30) child.kill('SIGKILL');
    });
    await once(child, 'exit');
    const last = Number(acknowledged.trim().split('\n').at(-1));
    const attempts = (await reread()).map((record) => 'attempt' in record && record.attempt);
    expect(last).toBeGreaterThanOrEqual(30);
    expect(attempts).toEqual(Array.from({ length: attempts.length }, (_, i) => i + 1));
    expect(attempts.length).toBeGreaterThanOrEqual(last);
  });
});
