/** Compiles src/ring/ring.wat into src/ring/ring-wasm.generated.ts; with --check it only compares and exits 1 if stale. */
import { readFileSync, writeFileSync } from 'node:fs';
import wabt from 'wabt';

const source = new URL('../src/ring/ring.wat', import.meta.url);
const target = new URL('../src/ring/ring-wasm.generated.ts', import.meta.url);

const { parseWat } = await wabt();
const parsed = parseWat('ring.wat', readFileSync(source, 'utf8'), { simd: true });
parsed.validate();
const base64 = Buffer.from(parsed.toBinary({}).buffer).toString('base64');
const text = [
  '/** Compiled from ring.wat by `node protocol/scripts/build-ring-wasm.js`; do not edit. */',
  'export const RING_WASM =',
  ...base64.match(/.{1,104}/g).map((line) => `  '${line}' +`),
  "  '';",
  '',
].join('\n');

if (!process.argv.includes('--check')) {
  writeFileSync(target, text);
} else if (readFileSync(target, 'utf8') !== text) {
  console.error(
    'ring-wasm.generated.ts is not what ring.wat compiles to: run node protocol/scripts/build-ring-wasm.js',
  );
  process.exitCode = 1;
}
