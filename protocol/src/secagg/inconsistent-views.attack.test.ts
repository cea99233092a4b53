import { describe, expect, it } from 'vitest';
import { nodeCrypto } from '../crypto/node.ts';
import { fromBase64, toHex } from '../encoding.ts';
import { checkSentinels, createAccumulator } from '../ring/index.ts';
import { advertAll, applyTerms, createAttempt, dealAll, identities, maskVector, take } from './fixtures.ts';
import { honestCohort, showCohort } from './fixtures-malice.ts';
import { type MaskBinding, type MaskTerm, memberMaskTerms, selfMaskKey } from './masks.ts';

describe('masks of clients that were shown different things', () => {
  /** Sums the masked vectors, takes every self mask away: what a coordinator could compute if it had all seeds. */
  function residue(masked: readonly Uint8Array[], selfKeys: readonly Uint8Array[]): Uint32Array {
    const sum = createAccumulator(masked[0]!.length / 4);
    for (const vector of masked) sum.add(vector, 0);
    applyTerms(
      nodeCrypto,
      sum,
      selfKeys.map((key): MaskTerm => ({ key, sign: -1 })),
    );
    return sum.words;
  }

  /** Chi-square over the 256 values of all bytes: 255 degrees of freedom, mean 255, deviation 22.6. */
  function expectUniform(words: Uint32Array): void {
    const counts = new Array<number>(256).fill(0);
    const bytes = new Uint8Array(words.slice().buffer);
    for (const byte of bytes) counts[byte]!++;
    const mean = bytes.length / 256;
    const chi = counts.reduce((sum, count) => sum + (count - mean) ** 2 / mean, 0);
    expect(Math.abs(chi - 255)).toBeLessThan(6 * 22.6);
  }

  it('two U2s: both are answered, but what remains without all self masks is uniform noise, and sentinels say so', () => {
    const attempt = createAttempt({ n: 5, parameters: 70_000 });
    advertAll(attempt);
    dealAll(attempt);
    const cohort = honestCohort(attempt);
    const other = { ...cohort, members: cohort.members.slice(0, 4) };
    const masked: Uint8Array[] = [];
    const selfKeys: Uint8Array[] = [];
    attempt.partners.slice(0, 4).forEach((partner, i) => {
      const answer = take(partner, showCohort(attempt, partner, i < 2 ? cohort : other));
      if (answer.todo !== 'mask') throw new Error('unreachable');
      selfKeys.push(answer.terms[0]!.key.slice());
      maskVector(attempt, partner, answer.terms, 5);
      masked.push(partner.masked!);
    });
    const words = residue(masked, selfKeys);
    expectUniform(words);
    expect(() => checkSentinels(words, 4)).toThrow(expect.objectContaining({ code: 'sum-corrupt' }));
  });

  it.each(['announcement', 'roster', 'cohort'] as const)(
    'a different %s (two models, plans or lists), even if every signature check were broken: uniform noise',
    (field) => {
      const length = 70_000;
      const ids = identities(4).map(({ id }) => id);
      const secrets = ids.map((id) => nodeCrypto.sha256(fromBase64(id)));
      const keys = secrets.map((secret) => nodeCrypto.x25519PublicKey(secret));
      const hash = (text: string) => toHex(nodeCrypto.sha256(new TextEncoder().encode(text)));
      const honest: MaskBinding = { announcement: hash('a'), roster: hash('b'), cohort: hash('c') };
      /** The first two members are shown one thing, the last two another. */
      const run = (second: MaskBinding): Uint32Array => {
        const selfKeys: Uint8Array[] = [];
        const masked = ids.map((id, i) => {
          const binding = i < 2 ? honest : second;
          const peers = ids
            .map((member, j) => ({ member, shared: nodeCrypto.x25519(secrets[i]!, keys[j]!) }))
            .filter(({ member }) => member !== id);
          const vector = createAccumulator(length);
          vector.words[0] = 1;
          vector.words[65_536] = 1;
          applyTerms(nodeCrypto, vector, memberMaskTerms(nodeCrypto, binding, id, secrets[i]!, peers));
          selfKeys.push(selfMaskKey(nodeCrypto, secrets[i]!, binding, id));
          return vector.bytes;
        });
        return residue(masked, selfKeys);
      };
      expect(() => checkSentinels(run(honest), 4)).not.toThrow();
      const words = run({ ...honest, [field]: hash('another') });
      expectUniform(words);
      expect(() => checkSentinels(words, 4)).toThrow(expect.objectContaining({ code: 'sum-corrupt' }));
    },
  );
});
