/** What a machine must have before anything is downloaded. */
import { existsSync, mkdirSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Failure, run } from './command.js';
import { cache, nodeModules, WHEEL } from './places.js';

const TRAIN_ON_WASM = 'Training works without it, on wasm, which needs nothing.';
const TOOLS = 'On Debian and Ubuntu: apt-get install python3 python3-pip g++ make';
/** Bytes: libraries 853 MB, packages 300 MB, headers and room to build; the wheel 274 MB. */
const NEEDED = { install: 1.4e9, wheel: 0.3e9 };

export const python = process.env.PYTHON || 'python3';

/** @param {{ needsPip: boolean }} options */
export async function checkMachine({ needsPip }) {
  checkPlatform();
  await checkTools(needsPip);
  if (!existsSync(join(nodeModules, '@tensorflow/tfjs-core')))
    throw new Failure('The packages of the project are not installed.', 'Run `npm ci` first.');
  await checkSpace(nodeModules, NEEDED.install);
  if (needsPip) {
    mkdirSync(cache, { recursive: true });
    await checkSpace(cache, NEEDED.wheel);
  }
}

function checkPlatform() {
  const here = `${process.platform} ${process.arch}`;
  if (here !== 'linux x64')
    throw new Failure(
      `This works on linux x64; here is ${here}.`,
      `Where the network is open, \`npm ci\` installs native TensorFlow by itself. ${TRAIN_ON_WASM}`,
    );
  const { header } = /** @type {{ header: { glibcVersionRuntime?: string } }} */ (process.report.getReport());
  const [major = 0, minor = 0] = (header.glibcVersionRuntime ?? '').split('.').map(Number);
  if (major < WHEEL.glibc[0] || (major === WHEEL.glibc[0] && minor < WHEEL.glibc[1]))
    throw new Failure(
      `TensorFlow needs glibc ${WHEEL.glibc.join('.')} or newer; here is ${header.glibcVersionRuntime ?? 'none'}.`,
      `Use a newer distribution, not Alpine. ${TRAIN_ON_WASM}`,
    );
}

/** @param {boolean} needsPip */
async function checkTools(needsPip) {
  /** @type {[string, string[]][]} */
  const tools = [
    [`Python (${python})`, [python, '-c', 'import sys, zipfile; sys.exit(sys.version_info < (3, 8))']],
    ...(needsPip ? [/** @type {[string, string[]]} */ (['pip', [python, '-m', 'pip', '--version']])] : []),
    ['A C++ compiler', [process.env.CXX || 'g++', '--version']],
    ['make', ['make', '--version']],
  ];
  for (const [name, command] of tools)
    if (!(await run(command)).ok)
      throw new Failure(
        `${name} is missing, too old or broken.`,
        name === 'pip'
          ? `${TOOLS}. Or bring the wheel yourself: npm run native -- --wheel FILE`
          : `${TOOLS}. ${TRAIN_ON_WASM}`,
      );
}

/**
 * @param {string} folder
 * @param {number} bytes
 */
async function checkSpace(folder, bytes) {
  const { bavail, bsize } = await statfs(folder);
  if (bavail * bsize < bytes)
    throw new Failure(
      `${(bytes / 1e9).toFixed(1)} GB are needed in ${folder}, ${((bavail * bsize) / 1e9).toFixed(1)} GB are free.`,
      folder === cache ? 'Free some space, or set XDG_CACHE_HOME to another disk.' : 'Free some space.',
    );
}

/**
 * Node's headers, where the distribution or the official archive put them. node-gyp else downloads them.
 * @returns {string | undefined}
 */
export function headersFolder() {
  const beside = dirname(dirname(process.execPath));
  return [process.env.npm_config_nodedir, beside, '/usr', '/usr/local'].find(
    (folder) => folder && existsSync(join(folder, 'include/node/node_api.h')),
  );
}
