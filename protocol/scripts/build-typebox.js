/**
 * Bundles typebox into vendor/typebox.js; with --check it only compares and exits 1 if stale. Its 680 files cost every
 * process and every thread 0.3 s at its start, one file costs 0.02 s.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const ENTRY = `
export { default as Type } from 'typebox';
export { Value } from 'typebox/value';
`;
const target = fileURLToPath(new URL('../vendor/typebox.js', import.meta.url));
const root = join(dirname(createRequire(import.meta.url).resolve('typebox')), '..');
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const license = readFileSync(join(root, 'license'), 'utf8').trim();

const bundle = await rolldown({
  input: 'entry',
  cwd: dirname(target),
  platform: 'neutral',
  plugins: [
    {
      name: 'entry',
      resolveId: (id) => (id === 'entry' ? id : null),
      load: (id) => (id === 'entry' ? ENTRY : null),
    },
  ],
});
const { output } = await bundle.generate({ format: 'esm', minify: true });
await bundle.close();
const text = `/*!
typebox ${version}, bundled by \`node protocol/scripts/build-typebox.js\`; do not edit.

${license}
*/
${output[0].code.trim()}
`;

if (!process.argv.includes('--check')) {
  writeFileSync(target, text);
} else if (readFileSync(target, 'utf8') !== text) {
  console.error(
    'vendor/typebox.js is not the typebox of package.json: run node protocol/scripts/build-typebox.js',
  );
  process.exitCode = 1;
}
