/** The Crypto port, its portable adapter and what goes with them; the Node adapter is its own export, `./node`. */

export type { Crypto, Keystream, Random } from './port.ts';
export { portableCrypto } from './portable.ts';
export { portableRandom, seededRandom } from './random.ts';

/** Equality whose time depends on the lengths only. */
export function constantTimeEqual(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= a[i]! ^ b[i]!;
  return difference === 0;
}
