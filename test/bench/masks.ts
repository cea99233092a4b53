/** Masking in one worker: key stream plus addition, against the raw AES-256-CTR that it cannot do without. */
import { createCipheriv, randomBytes } from 'node:crypto';
import { nodeCrypto } from '@tributary/protocol/node';
import { createAccumulator } from '@tributary/protocol/ring';
import { median, type Result, time } from './report.ts';

const ROUNDS = 15;
const CHUNK = 64 * 1024;

export interface MasksOptions {
  readonly parameters: number;
}

/** Alternates raw and masked runs, so that what else the machine does hits both. */
export function benchMasks({ parameters }: MasksOptions): Result {
  const bytes = 4 * parameters;
  const vector = createAccumulator(parameters);
  vector.addKeystream(nodeCrypto.keystream(randomBytes(32)), 1); // touch the memory, warm the code
  rawKeystream(bytes);
  const raw: number[] = [];
  const masked: number[] = [];
  for (let i = 0; i < ROUNDS; i++) {
    raw.push(time(() => rawKeystream(bytes)));
    const stream = nodeCrypto.keystream(randomBytes(32));
    masked.push(time(() => vector.addKeystream(stream, i % 2 === 0 ? 1 : -1)));
  }
  const value = bytes / median(masked) / 1e9;
  const floor = bytes / median(raw) / 1e9;
  const ratio = value / floor;
  return { name: 'masks', value, unit: 'GB/s', floor, ratio, goal: '>= 0.6', met: ratio >= 0.6 };
}

function rawKeystream(bytes: number): void {
  const zeros = Buffer.alloc(CHUNK);
  const cipher = createCipheriv('aes-256-ctr', randomBytes(32), Buffer.alloc(16));
  for (let at = 0; at < bytes; at += CHUNK)
    cipher.update(at + CHUNK <= bytes ? zeros : zeros.subarray(0, bytes - at));
}
