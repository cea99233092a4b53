#!/usr/bin/env node
/** `npm run native`: native TensorFlow where tfjs-node's own download is closed. */
import { existsSync, renameSync, rmdirSync, rmSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { buildAddon } from './build.js';
import { checkMachine } from './checks.js';
import { Failure, stopCommands } from './command.js';
import { installPackages } from './packages.js';
import { abandoned, cache, home, packageIn, staging } from './places.js';
import { findEngine, verify } from './verify.js';
import { cachedWheel, findWheel, unpackWheel } from './wheel.js';

const HELP = `Installs native TensorFlow (tfjs-node) where npm cannot download it, from a Python wheel.

  npm run native                    install it; does nothing when it works already
  npm run native -- --wheel FILE    take this wheel, for machines without network
  npm run native -- --remove        undo all of it, the downloaded wheel too
  npm run -s native -- --json       one JSON object, no progress

Needs linux x64, python3, pip, g++ and make; 1.4 GB of disk, 1.0 GB of it for good, and 274 MB for the wheel in
${cache}. Run it again after \`npm ci\`: the wheel is not downloaded twice.`;

function options() {
  try {
    return parseArgs({
      options: {
        wheel: { type: 'string' },
        remove: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }).values;
  } catch (error) {
    process.stderr.write(`${/** @type {Error} */ (error).message}\nTry: npm run native -- --help\n`);
    process.exit(2);
  }
}

const { wheel, remove: removing, json, help } = options();
const started = performance.now();
const seconds = () => Math.round((performance.now() - started) / 1000);
const say = (/** @type {string} */ line) => {
  if (!json) process.stdout.write(`[${String(seconds()).padStart(3)} s] ${line}\n`);
};
const discard = (/** @type {string} */ path) =>
  rmSync(path, { recursive: true, force: true, maxRetries: 8, retryDelay: 250 });

async function install() {
  for (const folder of abandoned()) discard(folder);
  const present = await findEngine();
  if (present) {
    say(`Native TensorFlow ${present.tensorflow} is installed and works: ${present.folder}`);
    return { action: 'present', ...present };
  }
  const given = wheel === undefined ? undefined : resolve(process.env.INIT_CWD ?? '.', wheel);
  say('Checking the machine: platform, Python, compiler, disk ...');
  await checkMachine({ needsPip: given === undefined && !existsSync(cachedWheel) });
  const file = await findWheel(say, given);
  say('Installing the packages of tfjs-node ...');
  await installPackages(staging);
  const tfjsNode = packageIn(staging);
  say('Unpacking the libraries (853 MB) ...');
  await unpackWheel(file, tfjsNode);
  say('Compiling the addon ...');
  await buildAddon(staging, tfjsNode);
  say('Checking a matrix product and the gradient of a convolution ...');
  const checked = await verify(tfjsNode);
  if ('fault' in checked)
    throw new Failure(
      'The addon was built, but does not work.',
      'Train on wasm and report this.',
      checked.fault,
    );
  discard(home);
  renameSync(staging, home);
  say(`Native TensorFlow ${checked.tensorflow} works. Nodes take it with \`engine: auto\`.`);
  return { action: 'installed', folder: packageIn(home), ...checked };
}

function remove() {
  const there = [home, cachedWheel, ...abandoned()].filter((path) => existsSync(path));
  for (const path of there) {
    discard(path);
    say(`Removed ${path}`);
  }
  if (there.length === 0) say('There was nothing to remove.');
  return { action: 'removed', removed: there };
}

/** @param {unknown} error */
function fail(error) {
  const { message, remedy, details } =
    error instanceof Failure ? error : new Failure(String(error), 'Nothing was left half done; try again.');
  if (json) process.stdout.write(`${JSON.stringify({ ok: false, message, remedy, details })}\n`);
  else process.stderr.write(`${details ? `${details}\n` : ''}Failed: ${message}\n${remedy}\n`);
  process.exitCode = 1;
}

process.on('exit', () => {
  discard(staging);
  try {
    rmdirSync(cache);
  } catch {
    // It is not there, or not empty.
  }
});
for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP']))
  process.on(signal, () => {
    stopCommands();
    process.exit(130);
  });

if (help) process.stdout.write(`${HELP}\n`);
else
  try {
    const result = removing ? remove() : await install();
    if (json) process.stdout.write(`${JSON.stringify({ ok: true, ...result, seconds: seconds() })}\n`);
  } catch (error) {
    fail(error);
  }
