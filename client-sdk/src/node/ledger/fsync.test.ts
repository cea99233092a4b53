import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { exampleRecords } from './acceptance.ts';
import { openFileLedger } from './file.ts';

const folder = mkdtempSync(join(tmpdir(), 'tributary-ledger-'));
const handle = await open(folder, 'r');
const handles = Object.getPrototypeOf(handle) as FileHandle;
await handle.close();
const original = handles.sync;
afterAll(() => {
  handles.sync = original;
  rmSync(folder, { recursive: true });
});

/** A killed process does not show it, only a loss of power would: so the syncs themselves are watched. */
test('syncs every record before it is acknowledged', async () => {
  const path = join(folder, 'ledger');
  const store = await openFileLedger(path);
  let durable = 0;
  handles.sync = async function (this: FileHandle) {
    const { size } = await this.stat();
    await original.call(this);
    durable = size;
  };
  for (const record of exampleRecords()) {
    await store.append(record);
    expect(durable).toBe(statSync(path).size);
  }
  handles.sync = original;
  await store.close();
});
