import { describe, expect, it } from 'vitest';
import { nodeCrypto } from '../crypto/node.ts';
import { fromBase64, toBase64 } from '../encoding.ts';
import { sign } from '../identity.ts';
import {
  type Attempt,
  advertAll,
  createAttempt,
  dealAll,
  identities,
  type Options,
  type Partner,
} from './fixtures.ts';
import { dealsOf, expectRefusal, honestCohort, showCohort } from './fixtures-malice.ts';
import { sealShares, shareHash } from './keys.ts';
import type { Cohort, SignedDeal } from './statements.ts';

type Code = Parameters<typeof expectRefusal>[2];

/** Everybody has dealt; the victim waits for U2. */
function scene(options: Options) {
  const attempt = createAttempt(options);
  advertAll(attempt);
  dealAll(attempt);
  const cohort = honestCohort(attempt);
  const victim = attempt.partners[0]!;
  const deals = dealsOf(attempt, victim.id, cohort);
  const members = identities(options.n);
  const show = (shown: Cohort, sent?: readonly SignedDeal[]) => showCohort(attempt, victim, shown, sent);
  const refuse = (shown: Cohort, sent: readonly SignedDeal[] | undefined, code: Code, words?: string) =>
    expectRefusal(victim.state, show(shown, sent), code, words);
  return { attempt, cohort, deals, victim, members, show, refuse };
}

/** Replaces one deal, signed by its dealer again. */
function redeal(deals: readonly SignedDeal[], at: number, changes: Partial<SignedDeal['deal']>, n: number) {
  return deals.map((signed, i) => {
    if (i !== at) return signed;
    const deal = { ...signed.deal, ...changes };
    const dealer = identities(n).find(({ id }) => id === signed.deal.dealer)!;
    return { deal, signature: sign(nodeCrypto, dealer, 'shares', deal) };
  });
}

describe('the deals that come with U2', () => {
  const shuffled: [string, (deals: SignedDeal[], others: SignedDeal[]) => SignedDeal[], Code][] = [
    ['missing', (deals) => deals.slice(1), 'malformed'],
    ['one twice', (deals) => [deals[0]!, ...deals.slice(0, -1)], 'malformed'],
    ['one too many', (deals) => [...deals, deals[0]!], 'malformed'],
    ['swapped between receivers', (deals, others) => [deals[0]!, others[1]!, ...deals.slice(2)], 'malformed'],
    [
      'swapped between receivers, relabelled',
      (deals, others) => [
        deals[0]!,
        { ...others[1]!, deal: { ...others[1]!.deal, receiver: deals[0]!.deal.receiver } },
        ...deals.slice(2),
      ],
      'bad-signature',
    ],
    [
      'swapped between dealers, relabelled',
      (deals) => [
        { ...deals[1]!, deal: { ...deals[1]!.deal, dealer: deals[0]!.deal.dealer } },
        ...deals.slice(1),
      ],
      'bad-signature',
    ],
    [
      'with the ciphertext of another dealer',
      (deals) => [
        { ...deals[0]!, deal: { ...deals[0]!.deal, ciphertext: deals[1]!.deal.ciphertext } },
        ...deals.slice(1),
      ],
      'bad-signature',
    ],
    [
      'unsigned',
      (deals) => [{ ...deals[0]!, signature: toBase64(new Uint8Array(64)) }, ...deals.slice(1)],
      'bad-signature',
    ],
  ];
  it.each(shuffled)('%s by the coordinator: refused, and nobody is convicted', (_, shuffle, code) => {
    const { attempt, refuse, cohort, deals, victim } = scene({ n: 5 });
    // Those meant for the next member, from the same dealers where possible.
    const other = attempt.partners.find(({ id }) => id !== victim.id)!;
    const refused = refuse(cohort, shuffle(deals, dealsOf(attempt, other.id, cohort)), code);
    expect(refused.convict).toEqual([]);
  });

  it('of an earlier attempt are refused', () => {
    const earlier = scene({ n: 5 });
    const { refuse, cohort } = scene({ n: 5, fields: { attempt: 2 } });
    refuse(cohort, earlier.deals, 'wrong-attempt');
  });

  it('come in any order', () => {
    const { show, cohort, deals } = scene({ n: 5 });
    expect(show(cohort, [...deals].reverse())).toMatchObject({ kind: 'answered', todo: 'mask' });
  });
});

describe('a dealer that seals something else than it signs', () => {
  const passageOf = (attempt: Attempt, victim: Partner, dealer: string) => {
    if (attempt.state.phase === 'advertise') throw new Error('unreachable');
    return {
      announcement: attempt.state.attempt,
      roster: attempt.state.roster.hash,
      dealer,
      receiver: victim.id,
    };
  };
  /** The real X25519 secret between the victim and dealer `at`, from the victim's memory. */
  const secretWith = (victim: Partner, dealer: string) => {
    if (victim.state.phase !== 'dealt') throw new Error('unreachable');
    return victim.state.peers.find(({ member }) => member === dealer)!.encryption;
  };

  it('is convicted for a ciphertext that does not open, by name, and the node leaves', () => {
    const { refuse, cohort, deals } = scene({ n: 5 });
    const garbled = fromBase64(deals[2]!.deal.ciphertext);
    garbled[40]! ^= 1;
    const bad = redeal(deals, 2, { ciphertext: toBase64(garbled) }, 5);
    const refused = refuse(cohort, bad, 'bad-share', deals[2]!.deal.dealer);
    expect(refused.convict).toEqual([deals[2]!.deal.dealer]);
  });

  it.each(['maskShareHash', 'seedShareHash'] as const)('is convicted for a %s that does not fit', (field) => {
    const { refuse, cohort, deals } = scene({ n: 5 });
    const refused = refuse(cohort, redeal(deals, 1, { [field]: '0'.repeat(64) }, 5), 'bad-share');
    expect(refused.convict).toEqual([deals[1]!.deal.dealer]);
  });

  it.each([
    [1, 'mask'],
    [1, 'seed'],
    [0, 'mask'],
    [255, 'seed'],
  ] as const)(
    'is convicted for a share at another member’s x (off by %d, %s), however well it is hashed',
    (off, kind) => {
      const { attempt, victim, refuse, show, cohort, deals } = scene({ n: 5 });
      const { dealer } = deals[0]!.deal;
      const passage = passageOf(attempt, victim, dealer);
      const [mask, seed] = [new Uint8Array(33).fill(7), new Uint8Array(33).fill(8)];
      mask[32] = seed[32] = 1;
      (kind === 'mask' ? mask : seed)[32]! += off;
      const bad = redeal(
        deals,
        0,
        {
          ciphertext: toBase64(sealShares(nodeCrypto, secretWith(victim, dealer), passage, mask, seed)),
          maskShareHash: shareHash(nodeCrypto, 'mask', passage, mask),
          seedShareHash: shareHash(nodeCrypto, 'seed', passage, seed),
        },
        5,
      );
      // Off by nothing it is taken: only its reconstruction can tell that it is wrong.
      if (off === 0) expect(show(cohort, bad).kind).toBe('answered');
      else expect(refuse(cohort, bad, 'bad-share').convict).toEqual([dealer]);
    },
  );

  it('is convicted together with all the others that do', () => {
    const { refuse, cohort, deals } = scene({ n: 6 });
    const one = redeal(deals, 0, { maskShareHash: '0'.repeat(64) }, 6);
    const two = redeal(one, 4, { seedShareHash: '0'.repeat(64) }, 6);
    expect(refuse(cohort, two, 'bad-share').convict).toEqual([deals[0]!.deal.dealer, deals[4]!.deal.dealer]);
  });
});
