import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { portableCrypto } from '../crypto/index.ts';
import { nodeCrypto } from '../crypto/node.ts';
import { secaggVectors } from './vectors.ts';

const file = JSON.parse(readFileSync(new URL('../../vectors/secagg.json', import.meta.url), 'utf8'));

describe('the known-answer vectors of vectors/secagg.json', () => {
  it.each([
    ['node', nodeCrypto],
    ['portable', portableCrypto],
  ])('are reproduced by the %s adapter', (_, crypto) => {
    expect(secaggVectors(crypto)).toEqual(file);
  });

  it('hold a sum that plain arithmetic gives as well', () => {
    const { vectors, sum } = secaggVectors(nodeCrypto);
    const plain = sum.map((_, i) =>
      vectors.slice(0, 3).reduce((total, { quantised }) => (total + quantised[i]!) >>> 0, 0),
    );
    expect(sum).toEqual(plain);
    expect(sum[0]).toBe(3);
  });
});
