/** Where things are, and what is pinned. */
import { existsSync, readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

export const root = resolve(import.meta.dirname, '../../..');
export const nodeModules = join(root, 'node_modules');

/**
 * The folder of the native engine. client-sdk/src/trainer/engine/native.ts looks here too. It is inside node_modules, so
 * that its packages find the one @tensorflow/tfjs-core which everything shares; npm leaves dot folders there alone, and
 * `npm ci` clears them with the rest.
 */
export const home = join(nodeModules, '.tributary-native');
export const staging = `${home}.${process.pid}`;

/** @param {string} folder */
export const packageIn = (folder) => join(folder, 'node_modules/@tensorflow/tfjs-node');
/** Where npm puts it when its own install script succeeds. */
export const usualPackage = packageIn(root);
/**
 * Built for Node-API 8, so one addon serves every Node from 20 on.
 * @param {string} tfjsNode folder of the package
 */
export const addonOf = (tfjsNode) => join(tfjsNode, 'lib/napi-v8/tfjs_binding.node');

export const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'tributary');

/**
 * A wheel is only the box that the libraries come in: the same one serves whatever Python the machine has. Its SHA-256 is
 * PyPI's.
 */
export const WHEEL = {
  requirement: 'tensorflow-cpu==2.21.0',
  file: 'tensorflow_cpu-2.21.0-cp311-cp311-manylinux_2_27_x86_64.whl',
  sha256: '2b847d217b02ee7731ed91431daf3250daa0196c3c94614d23be27232e6e5b6c',
  tags: ['--python-version', '3.11', '--implementation', 'cp', '--abi', 'cp311'],
  platform: 'manylinux_2_27_x86_64',
  glibc: [2, 27],
};

/** Folders that a run which was killed left behind. */
export function abandoned() {
  if (!existsSync(nodeModules)) return [];
  return readdirSync(nodeModules)
    .filter((name) => /^\.tributary-native\.\d+$/.test(name) && !runs(Number(name.split('.').at(-1))))
    .map((name) => join(nodeModules, name));
}

/** @param {number} pid */
function runs(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === 'EPERM';
  }
}
