import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { startWasm } from './wasm.ts';

// A file of its own: tfjs tries a backend once.
test('files of the backend that are damaged are named, with what is wrong', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tributary-wasm-'));
  for (const variant of ['', '-simd', '-threaded-simd'])
    writeFileSync(join(folder, `tfjs-backend-wasm${variant}.wasm`), 'cut off');
  // tfjs and emscripten complain there.
  for (const method of ['warn', 'error', 'log'] as const) vi.spyOn(console, method).mockReturnValue();
  await expect(startWasm(folder)).rejects.toMatchObject({
    code: 'training-failed',
    message: expect.stringMatching(/did not start: .*tfjs-backend-wasm-simd\.wasm: WebAssembly\.Module/),
    remedy: expect.stringContaining('npm ci'),
  });
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true });
});
