#!/usr/bin/env node
import { existsSync } from 'node:fs';

const program = new URL('../dist/main.js', import.meta.url);
if (existsSync(program)) await import(program.href);
else {
  process.stderr.write(
    'error: Tributary is not built yet.\nnext:  Run `npm run build` in the folder of this repository.\n',
  );
  process.exitCode = 1;
}
