/** What runs in the browser: the known answers of protocol/vectors, by the portable adapter, with nothing of Node. */
import { portableCrypto } from '../../protocol/dist/crypto/index.js';
import { rotationVectors } from '../../protocol/dist/rotation-vectors.js';
import { secaggVectors } from '../../protocol/dist/secagg/vectors.js';

async function check(name, make) {
  const started = performance.now();
  try {
    const expected = await (await fetch(`/vectors/${name}.json`)).json();
    const different = difference(make(portableCrypto), expected, name);
    return { name, ok: different === null, ms: performance.now() - started, detail: different };
  } catch (error) {
    return { name, ok: false, ms: performance.now() - started, detail: String(error) };
  }
}

/** Path of the first value that is not the same; null when all are. */
function difference(made, expected, path) {
  if (typeof expected !== 'object' || expected === null || typeof made !== 'object' || made === null)
    return made === expected ? null : `${path} is ${made}, not ${expected}`;
  for (const key of new Set([...Object.keys(made), ...Object.keys(expected)])) {
    const found = difference(made[key], expected[key], `${path}.${key}`);
    if (found !== null) return found;
  }
  return null;
}

const checks = [await check('secagg', secaggVectors), await check('rotation', rotationVectors)];
await fetch('/result', { method: 'POST', body: JSON.stringify({ agent: navigator.userAgent, checks }) });
