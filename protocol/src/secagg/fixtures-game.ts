/**
 * A coordinator that signs and sends anything, in any order, with one accomplice among the partners (c = 1), against real
 * clients; and the invariants that everything they let out must keep.
 */
import { expect } from 'vitest';
import { type Random, seededRandom } from '../crypto/index.ts';
import { nodeCrypto } from '../crypto/node.ts';
import { toBase64, utf8 } from '../encoding.ts';
import { sign } from '../identity.ts';
import { agreementOf, cohortHash, survivorsHash } from './binding.ts';
import { advertise } from './client-machine.ts';
import type { ClientAttempt, Step } from './client-state.ts';
import { type AgreementSignature, vectorMasked } from './client-unmask.ts';
import {
  type Attempt,
  advertAll,
  createAttempt,
  dealAll,
  identities,
  maskAll,
  uploadAll,
  withMemory,
} from './fixtures.ts';
import {
  advertBy,
  honestCohort,
  honestRoster,
  honestSurvivors,
  showAgreement,
  showCohort,
  showRoster,
  showSurvivors,
  withAdverts,
} from './fixtures-malice.ts';
import type { Cohort, Roster, SignedDeal, Survivors, UnmaskShares } from './statements.ts';
import { threshold } from './thresholds.ts';

const crypto = withMemory(nodeCrypto);
const N = 6;
const T = threshold(N, 1);
/** The accomplice: its client is not asked, the coordinator holds its key. */
const MOLE = 3;
const mole = identities(N)[MOLE]!;

/** Everything that a client has let out. */
interface Emitted {
  readonly adverts: Set<string>;
  readonly deals: Set<string>;
  readonly vectors: Set<string>;
  readonly signatures: Set<string>;
  readonly answers: Map<string, UnmaskShares>;
  /** Hash of the U3 that the client signed last. */
  survivors: string | null;
}

/** Candidates for each kind of statement, the honest one first. */
interface Pool {
  readonly rosters: readonly Roster[];
  readonly cohorts: readonly Cohort[];
  readonly survivors: readonly Survivors[];
}

export interface World {
  readonly attempt: Attempt;
  readonly pool: Pool;
  readonly deals: readonly SignedDeal[];
}

/** Honest up to a point; what follows is up to the coordinator. Built once, copied for every game. */
export function prepare(phases: number): World {
  const attempt = createAttempt({ n: N, crypto: () => crypto, serverCrypto: crypto });
  advertAll(attempt);
  const full = complete();
  if (phases > 1) dealAll(attempt);
  if (phases > 2) maskAll(attempt);
  return { attempt, ...full };
}

/** The same attempt played to its end by everybody, for real statements and real deals to choose from. */
function complete(): Pick<World, 'pool' | 'deals'> {
  const attempt = createAttempt({ n: N, crypto: () => crypto, serverCrypto: crypto });
  advertAll(attempt);
  const roster = honestRoster(attempt);
  dealAll(attempt);
  const cohort = honestCohort(attempt);
  const deals = attempt.state.phase === 'share' ? Object.values(attempt.state.deals).flat() : [];
  maskAll(attempt);
  uploadAll(attempt);
  const survivors = honestSurvivors(attempt);
  const swapped = advertBy(mole, roster.adverts[MOLE]!, {
    maskKey: toBase64(nodeCrypto.x25519PublicKey(new Uint8Array(32).fill(3))),
  });
  const rosters = [
    roster,
    { ...roster, adverts: roster.adverts.slice(0, 5) },
    withAdverts(roster, [...roster.adverts.filter((_, i) => i !== MOLE), swapped]),
    { ...roster, adverts: roster.adverts.slice(1) },
  ];
  const u2 = (...without: number[]): Cohort => ({
    ...cohort,
    members: cohort.members.filter((_, i) => !without.includes(i)),
  });
  const cohorts = [cohort, u2(5), u2(0), u2(1, 2), u2(0, 1, 2)];
  const u3 = (base: Cohort, ...without: number[]): Survivors => ({
    ...survivors,
    cohort: cohortHash(crypto, base),
    updates: survivors.updates.filter((_, i) => !without.includes(i)),
  });
  return {
    deals,
    pool: {
      rosters,
      cohorts,
      survivors: [
        survivors,
        u3(cohort, 5),
        u3(cohort, 0),
        u3(cohort, 1, 2),
        u3(cohort, 0, 1, 2),
        u3(cohort, 4),
        u3(cohorts[1]!, 5),
        u3(cohorts[1]!, 1, 5),
        u3(cohorts[3]!, 1, 2),
      ],
    },
  };
}

/** What kind of request to which client, and which of the candidates it shows. */
export type Move = readonly [kind: number, client: number, choice: number];

/** A partner's randomness as `createAttempt` seeds it, after its update and its advert: deals come out as in `complete`. */
function replayed(id: string): Random {
  const random = seededRandom(crypto, utf8(`${id} `));
  random(4 * 20 + 64);
  return random;
}

/** One game of the coordinator against its clients. */
export class Game {
  readonly attempt: Attempt;
  readonly world: World;
  readonly emitted: Emitted[];
  /** Every signature on any U3 that the coordinator got hold of. */
  readonly collected: AgreementSignature[] = [];
  answered = 0;

  constructor(world: World) {
    this.world = world;
    const { attempt } = world;
    const partners = attempt.partners.map((partner) => ({
      ...partner,
      random: replayed(partner.id),
      state: structuredClone(partner.state),
    }));
    this.attempt = { ...attempt, partners };
    this.emitted = partners.map(({ state }) => ({
      adverts: new Set('advert' in state ? [JSON.stringify(state.advert)] : []),
      deals: new Set('deals' in state ? [JSON.stringify(state.deals)] : []),
      vectors: new Set('sha256' in state ? [state.sha256] : []),
      signatures: new Set<string>(),
      answers: new Map<string, UnmaskShares>(),
      survivors: null,
    }));
    // The accomplice signs whatever it is asked to.
    for (const survivors of world.pool.survivors) {
      const statement = agreementOf(survivors, survivorsHash(crypto, survivors), mole.id);
      const signature = sign(crypto, mole, 'survivor-agreement', statement);
      this.collected.push({ member: mole.id, signature });
    }
  }

  play([kind, client, choice]: Move): void {
    const { attempt, world } = this;
    const at = [0, 1, 2, 4, 5][client % 5]!;
    const partner = attempt.partners[at]!;
    const emitted = this.emitted[at]!;
    const { pool } = world;
    const pick = <T>(items: readonly T[]): T => items[Math.max(0, (choice % (items.length + 1)) - 1)]!;
    const keep = <A extends object>(step: Step<A>): (A & { kind: 'answered' }) | null => {
      partner.state = step.state as ClientAttempt;
      if (step.kind === 'refused') return null;
      this.answered++;
      return step;
    };
    switch (kind % 6) {
      case 0: {
        const step = keep(advertise(partner.state, partner.context, partner.random));
        if (step) emitted.adverts.add(JSON.stringify(step.advert));
        return;
      }
      case 1: {
        const step = keep(showRoster(attempt, partner, pick(pool.rosters)));
        if (step) emitted.deals.add(JSON.stringify(step.deals));
        return;
      }
      case 2: {
        const cohort = pick(pool.cohorts);
        const members = new Set(cohort.members.map(({ member }) => member));
        const deals = world.deals.filter(
          ({ deal }) => deal.receiver === partner.id && members.has(deal.dealer),
        );
        keep(showCohort(attempt, partner, cohort, deals));
        return;
      }
      case 3: {
        // The client's own doing: it fixes its vector, or by mistake another one.
        const own = pool.survivors[0]!.updates.find(({ member }) => member === partner.id)!;
        const step = keep(vectorMasked(partner.state, pick([own.sha256, 'b'.repeat(64)])));
        if (step && 'sha256' in partner.state) emitted.vectors.add(partner.state.sha256);
        return;
      }
      case 4: {
        const survivors = pick(pool.survivors);
        const hash = 'sha256' in partner.state ? partner.state.sha256 : '';
        const updates = survivors.updates.map((u) => (u.member === partner.id ? { ...u, sha256: hash } : u));
        const shown = choice % 7 === 3 ? { ...survivors, updates } : survivors;
        const step = keep(showSurvivors(attempt, partner, shown));
        if (!step) return;
        emitted.signatures.add(step.signature!);
        emitted.survivors = survivorsHash(crypto, shown);
        this.collected.push({ member: partner.id, signature: step.signature! });
        return;
      }
      default: {
        // All of them, some of them, or one of them again and again.
        const some = this.collected.filter((_, i) => (choice >> (i % 16)) % 2 === 0);
        const first = this.collected[choice % this.collected.length]!;
        const shown = choice % 3 === 0 ? some : choice % 3 === 1 ? this.collected : Array(T).fill(first);
        const step = keep(showAgreement(partner, shown));
        if (step) emitted.answers.set(JSON.stringify(step.shares), step.shares);
      }
    }
  }

  check(): void {
    const released = new Set<string>();
    const seeds = new Map<string, number>();
    const maskKeys = new Map<string, number>();
    for (const { adverts, deals, vectors, signatures, answers, survivors } of this.emitted) {
      // No client ever gives two different answers of one kind.
      for (const kind of [adverts, deals, vectors, signatures, answers]) expect(kind.size).toBeLessThan(2);
      for (const answer of answers.values()) {
        released.add(survivors!);
        const alive = answer.seeds.map(({ of }) => of);
        const dead = answer.maskKeys.map(({ of }) => of);
        // No client ever gives both kinds of share for one member, nor two of one kind.
        expect(new Set([...alive, ...dead]).size).toBe(alive.length + dead.length);
        // Nobody unmasks fewer than three.
        expect(alive.length).toBeGreaterThanOrEqual(T);
        for (const of of alive) seeds.set(of, (seeds.get(of) ?? 0) + 1);
        for (const of of dead) maskKeys.set(of, (maskKeys.get(of) ?? 0) + 1);
      }
    }
    // All clients that reveal anything do so for the same U3.
    expect(released.size).toBeLessThan(2);
    // With the accomplice's share, no secret pair of one member is in reach.
    for (const { id } of this.attempt.partners)
      expect(Math.min((seeds.get(id) ?? 0) + 1, (maskKeys.get(id) ?? 0) + 1)).toBeLessThan(T);
  }
}
