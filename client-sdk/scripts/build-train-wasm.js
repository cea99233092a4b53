/** Compiles the kernels of train-wat.js into src/trainer/kernels/train-wasm.generated.ts; --check only compares. */
import { readFileSync, writeFileSync } from 'node:fs';
import wabt from 'wabt';
import { trainWat } from './train-wat.js';

const target = new URL('../src/trainer/kernels/train-wasm.generated.ts', import.meta.url);
const { parseWat } = await wabt();
const parsed = parseWat('train.wat', trainWat(), { simd: true });
parsed.resolveNames();
parsed.validate();
const base64 = Buffer.from(parsed.toBinary({}).buffer).toString('base64');
const text = [
  '/** Compiled by `node client-sdk/scripts/build-train-wasm.js`; do not edit. */',
  'export const TRAIN_WASM =',
  ...base64.match(/.{1,104}/g).map((line) => `  '${line}' +`),
  "  '';",
  '',
].join('\n');

if (!process.argv.includes('--check')) {
  writeFileSync(target, text);
} else if (readFileSync(target, 'utf8') !== text) {
  console.error('train-wasm.generated.ts is stale: run node client-sdk/scripts/build-train-wasm.js');
  process.exitCode = 1;
}
