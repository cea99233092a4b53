/** The coordinator's unmasking: self masks of the survivors, pair masks of the dropped, against as many single masks. */
import { randomBytes } from 'node:crypto';
import { toBase64 } from '@tributary/protocol';
import { nodeCrypto } from '@tributary/protocol/node';
import { createAccumulator } from '@tributary/protocol/ring';
import { survivorMaskTerms, type UnmaskingOrder } from '@tributary/protocol/secagg';
import { median, type Result, time } from './report.ts';

export interface UnmaskOptions {
  readonly clients: number;
  readonly parameters: number;
  readonly drop: number;
}

export function benchUnmask({ clients, parameters, drop }: UnmaskOptions): Result {
  const order = randomOrder(clients - drop, drop);
  const masks = (clients - drop) * (1 + drop);
  const vector = createAccumulator(parameters);
  vector.addKeystream(nodeCrypto.keystream(randomBytes(32)), 1);
  const single = (): number => {
    const stream = nodeCrypto.keystream(randomBytes(32));
    return time(() => vector.addKeystream(stream, 1));
  };
  const singles = Array.from({ length: 40 }, single);
  const value = time(() => {
    const terms = [...survivorMaskTerms(nodeCrypto, order)];
    vector.addKeystreams(terms.map(({ key, sign }) => ({ stream: nodeCrypto.keystream(key), sign })));
  });
  for (let i = 0; i < 40; i++) singles.push(single());
  const floor = masks * median(singles);
  const ratio = value / floor;
  return {
    name: 'unmask',
    ...{ value, unit: 's', floor, ratio, goal: '<= 1.3', met: ratio <= 1.3 },
    note: `${masks} masks of ${parameters} parameters, key agreements included`,
  };
}

function randomOrder(survivors: number, dropped: number): UnmaskingOrder {
  const key = () => toBase64(randomBytes(32));
  const hash = () => randomBytes(32).toString('hex');
  return {
    ...{ announcement: hash(), roster: hash(), cohort: hash() },
    survivors: Array.from({ length: survivors }, () => ({
      member: key(),
      maskKey: toBase64(nodeCrypto.x25519PublicKey(randomBytes(32))),
      seed: key(),
    })),
    dropped: Array.from({ length: dropped }, () => ({ member: key(), maskSecret: key() })),
  };
}
