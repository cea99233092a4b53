/**
 * Loads a native engine and checks that it computes right; run in a process of its own, because an addon that does not
 * fit may crash it. Usage: probe.js FOLDER, where FOLDER is that of the package.
 */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import util from 'node:util';

// tfjs-node calls these; Node 22 warns of them, and Node 23 dropped them.
util.isNullOrUndefined = (/** @type {unknown} */ value) => value === null || value === undefined;
util.isArray = Array.isArray;

const [folder = ''] = process.argv.slice(2);
const require = createRequire(join(folder, 'package.json'));
const tf = require('./dist/index.js');
// From here, as the node loads it: not from the package.
const shared = createRequire(import.meta.url)('@tensorflow/tfjs-core');

/**
 * @param {string} what
 * @param {readonly number[]} got
 * @param {readonly number[]} want
 */
function expect(what, got, want) {
  if (got.length !== want.length || got.some((value, i) => !(Math.abs(value - want[i]) < 1e-5)))
    throw new Error(`${what} is ${got}, not ${want}`);
}

if (tf.getBackend() !== 'tensorflow') throw new Error(`the backend is ${tf.getBackend()}, not tensorflow`);
if (tf.Tensor !== shared.Tensor) throw new Error('tfjs-core is there twice');

const square = tf.tensor2d([1, 2, 3, 4], [2, 2]);
expect('a matrix product', [...tf.matMul(square, square).dataSync()], [7, 10, 15, 22]);

const image = tf.tensor4d([1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 3, 3, 1]);
const filter = tf.ones([2, 2, 1, 1]);
const [byImage, byFilter] = tf.grads((x, w) => tf.conv2d(x, w, 1, 'valid'))([image, filter]);
expect("a convolution's gradient by its input", [...byImage.dataSync()], [1, 2, 1, 2, 4, 2, 1, 2, 1]);
expect("a convolution's gradient by its filter", [...byFilter.dataSync()], [12, 16, 24, 28]);

process.stdout.write(JSON.stringify({ tensorflow: tf.backend().binding.TF_Version }));
