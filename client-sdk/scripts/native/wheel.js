/** TensorFlow's libraries and headers, out of its Python wheel. */
import { createHash } from 'node:crypto';
import {
  createReadStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { python } from './checks.js';
import { Failure, run, tail } from './command.js';
import { cache, WHEEL } from './places.js';

export const cachedWheel = join(cache, WHEEL.file);

/**
 * @param {(line: string) => void} say
 * @param {string | undefined} given file of the owner, for machines without network
 */
export async function findWheel(say, given) {
  if (given !== undefined) {
    if (!existsSync(given)) throw new Failure(`There is no file ${given}.`, 'Name the wheel: --wheel FILE');
    await checkWheel(given);
    say(`Taking TensorFlow from ${basename(given)}, checksum right.`);
    return given;
  }
  if (existsSync(cachedWheel) && (await sha256(cachedWheel)) === WHEEL.sha256) {
    say(`TensorFlow is in the cache: ${cachedWheel}`);
    return cachedWheel;
  }
  say(`Downloading ${WHEEL.requirement} with pip (274 MB) ...`);
  await download();
  return cachedWheel;
}

async function download() {
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, 'download-'));
  try {
    const args = ['download', '--no-deps', '--only-binary=:all:', '--disable-pip-version-check', '--quiet'];
    const tags = [...WHEEL.tags, '--platform', WHEEL.platform];
    const { ok, output } = await run([
      python,
      '-m',
      'pip',
      ...args,
      ...tags,
      '--dest',
      folder,
      WHEEL.requirement,
    ]);
    const file = join(folder, WHEEL.file);
    if (!ok || !existsSync(file))
      throw new Failure(
        `pip could not download ${WHEEL.requirement}.`,
        `Set pip to a mirror that has it, or bring ${WHEEL.file} from another machine: npm run native -- --wheel FILE`,
        tail(output),
      );
    await checkWheel(file);
    renameSync(file, cachedWheel);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** @param {string} file */
async function checkWheel(file) {
  const found = await sha256(file);
  if (found !== WHEEL.sha256)
    throw new Failure(
      `${basename(file)} has SHA-256 ${found}, not ${WHEEL.sha256}: it is damaged, tampered with, or another version.`,
      `Bring ${WHEEL.file} as PyPI has it.`,
    );
}

/** @param {string} file */
async function sha256(file) {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file, { highWaterMark: 1 << 20 }), hash);
  return hash.digest('hex');
}

/**
 * Lays the libraries out under the names that the addon's build and its loader look for.
 * @param {string} wheel
 * @param {string} tfjsNode folder of the package
 */
export async function unpackWheel(wheel, tfjsNode) {
  const deps = join(tfjsNode, 'deps');
  const { ok, output } = await run([python, join(import.meta.dirname, 'unpack.py'), wheel, deps]);
  if (!ok)
    throw new Failure('The wheel could not be unpacked.', 'See above; is the disk full?', tail(output));
  symlinkSync('libtensorflow_cc.so.2', join(deps, 'lib/libtensorflow.so'));
  symlinkSync('libtensorflow_framework.so.2', join(deps, 'lib/libtensorflow_framework.so'));
}
