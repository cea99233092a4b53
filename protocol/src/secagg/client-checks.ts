/** What a partner's node demands of the lists that a coordinator shows it. Every refusal names rule, value and numbers. */
import { canonicalJson, fromBase64 } from '../encoding.ts';
import { TributaryError } from '../errors.ts';
import { requireSignature } from '../identity.ts';
import { FLOORS, LIMITS } from '../limits.ts';
import { type Binding, requireAscending, requireBinding, requireSubset } from './binding.ts';
import type { ClientContext, HeldShares, LatchedRoster, Masked, PeerSecrets } from './client-state.ts';
import { BadDeals } from './client-state.ts';
import {
  agreeKeys,
  openShares,
  requireCanonicalKey,
  requireDistinctKeys,
  SHARE_BYTES,
  shareHash,
} from './keys.ts';
import type { Cohort, Roster, SignedAdvert, SignedDeal, Survivors } from './statements.ts';
import { cohortFloor, survivorFloor, threshold } from './thresholds.ts';

function isPinned({ pinned, identity }: ClientContext, member: string): boolean {
  return member === identity.id || pinned.has(member);
}

/**
 * Members that the owner has not accepted count for no floor, and each is assumed to be the coordinator's own invention:
 * bearable only where the announced c leaves room for them beside the owner's own c.
 * @throws policy-refused, stranger-in-roster
 */
function requirePinned(
  context: ClientContext,
  members: readonly string[],
  announcedC: number,
  rule: 'minRoster' | 'minSum',
  list: string,
): void {
  const strangers = members.filter((member) => !isPinned(context, member));
  const ownC = Math.max(context.floors.collusion, FLOORS.collusion);
  if (announcedC < ownC + strangers.length)
    throw new TributaryError(
      'stranger-in-roster',
      `${list} holds ${strangers.length} members that are not pinned (${strangers.join(', ')}); the plan assumes ` +
        `c = ${announcedC} colluding, own collusion ${ownC} + ${strangers.length} strangers need ${ownC + strangers.length}.`,
    );
  const minimum = Math.max(context.floors[rule], FLOORS.members);
  const count = members.length - strangers.length;
  if (count < minimum)
    throw new TributaryError(
      'policy-refused',
      `${rule} is ${minimum}, ${list} holds ${count} pinned members (of ${members.length}).`,
    );
}

/** U1. @throws bad-signature, wrong-attempt, malformed, cohort-too-large, below-threshold, stranger-in-roster, policy-refused */
export function checkRoster(
  context: ClientContext,
  announcedC: number,
  own: SignedAdvert,
  roster: Roster,
  hash: string,
): LatchedRoster {
  const { crypto, identity } = context;
  const members = roster.adverts.map(({ advert }) => advert.member);
  if (members.length > LIMITS.cohort)
    throw new TributaryError(
      'cohort-too-large',
      `U1 has ${members.length} members, the limit is ${LIMITS.cohort}.`,
    );
  requireAscending(members, 'U1');
  const index = members.indexOf(identity.id);
  if (index < 0 || canonicalJson(roster.adverts[index]) !== canonicalJson(own))
    throw new TributaryError('equivocation', 'U1 does not hold the advert that this node sent.');
  requirePinned(context, members, announcedC, 'minRoster', 'U1');
  const t = threshold(members.length, announcedC);
  if (members.length < t)
    throw new TributaryError(
      'below-threshold',
      `U1 has ${members.length} members, c = ${announcedC} needs t = ${t}.`,
    );
  requireDistinctKeys(roster.adverts);
  for (const { advert, signature } of roster.adverts) {
    requireBinding(own.advert, advert, `The advert of ${advert.member}`);
    requireSignature(crypto, advert.member, 'advert', advert, signature, `the advert of ${advert.member}`);
    requireCanonicalKey(advert.encryptionKey, `The encryption key of ${advert.member}`);
    requireCanonicalKey(advert.maskKey, `The mask key of ${advert.member}`);
  }
  return { hash, members, index, threshold: t };
}

/** X25519 with everybody else in U1. @throws bad-signature for low-order keys */
export function agreeWithPeers(
  { crypto, identity }: ClientContext,
  secrets: { readonly encryption: Uint8Array; readonly mask: Uint8Array },
  roster: Roster,
): PeerSecrets[] {
  return roster.adverts
    .filter(({ advert }) => advert.member !== identity.id)
    .map(({ advert: { member, encryptionKey, maskKey } }) => ({
      member,
      encryption: agreeKeys(crypto, secrets.encryption, encryptionKey, `The encryption key of ${member}`),
      mask: agreeKeys(crypto, secrets.mask, maskKey, `The mask key of ${member}`),
    }));
}

/** U2. @returns the members. @throws malformed, equivocation, below-threshold, stranger-in-roster, policy-refused, hash-mismatch */
export function checkCohort(
  context: ClientContext,
  announcedC: number,
  roster: LatchedRoster,
  ownCommitment: string,
  cohort: Cohort,
): string[] {
  const members = cohort.members.map(({ member }) => member);
  requireAscending(members, 'U2');
  requireSubset(members, roster.members, 'U2 must lie within U1');
  const own = cohort.members.find(({ member }) => member === context.identity.id);
  if (!own) throw new TributaryError('late', 'U2 was frozen without this node.');
  if (own.seedCommitment !== ownCommitment)
    throw new TributaryError('equivocation', 'U2 holds another seed commitment than this node dealt.');
  requirePinned(context, members, announcedC, 'minRoster', 'U2');
  const floor = cohortFloor({ t: roster.threshold, minRoster: context.floors.minRoster });
  if (members.length < floor)
    throw new TributaryError(
      'below-threshold',
      `U2 has ${members.length} members, max(t = ${roster.threshold}, minRoster) is ${floor}.`,
    );
  return members;
}

/**
 * One deal from every other member of U2, in the order of `peers`.
 * @throws BadDeals naming all dealers whose sealed shares do not fit; other codes where the coordinator is to blame.
 */
export function openDeals(
  { crypto, identity }: ClientContext,
  binding: Binding & { readonly roster: string },
  roster: LatchedRoster,
  cohort: Cohort,
  peers: readonly PeerSecrets[],
  deals: readonly SignedDeal[],
): HeldShares[] {
  const commitments = new Map(cohort.members.map(({ member, seedCommitment }) => [member, seedCommitment]));
  const byDealer = new Map(deals.map((signed) => [signed.deal.dealer, signed]));
  const expected = peers.filter(({ member }) => commitments.has(member));
  if (deals.length !== expected.length || byDealer.size !== expected.length)
    throw new TributaryError(
      'malformed',
      `U2 needs ${expected.length} deals from different dealers, ${deals.length} came.`,
    );
  const convicted: string[] = [];
  const held = expected.flatMap((peer): HeldShares[] => {
    const signed = byDealer.get(peer.member);
    if (!signed) throw new TributaryError('malformed', `No deal of ${peer.member} came with U2.`);
    const { deal, signature } = signed;
    requireBinding(binding, deal, `The deal of ${peer.member}`);
    if (deal.receiver !== identity.id)
      throw new TributaryError('malformed', `The deal of ${peer.member} is meant for ${deal.receiver}.`);
    requireSignature(crypto, peer.member, 'shares', deal, signature, `the deal of ${peer.member}`);
    if (deal.seedCommitment !== commitments.get(peer.member))
      throw new TributaryError(
        'hash-mismatch',
        `U2 and the deal of ${peer.member} commit to different seeds.`,
      );
    const passage = {
      announcement: binding.announcement,
      roster: roster.hash,
      dealer: peer.member,
      receiver: identity.id,
    };
    try {
      const { mask, seed } = openShares(crypto, peer.encryption, passage, fromBase64(deal.ciphertext));
      const fits =
        shareHash(crypto, 'mask', passage, mask) === deal.maskShareHash &&
        shareHash(crypto, 'seed', passage, seed) === deal.seedShareHash &&
        mask[SHARE_BYTES - 1] === roster.index + 1 &&
        seed[SHARE_BYTES - 1] === roster.index + 1;
      if (fits) return [{ of: peer.member, mask, seed }];
    } catch {
      // Whatever the dealer signed, it does not open: the same verdict.
    }
    convicted.push(peer.member);
    return [];
  });
  if (convicted.length > 0) throw new BadDeals(convicted);
  return held;
}

/** U3. @returns the members. @throws malformed, equivocation, late, hash-mismatch, below-threshold, policy-refused */
export function checkSurvivors(
  context: ClientContext,
  announcedC: number,
  state: Masked,
  survivors: Survivors,
): string[] {
  const members = survivors.updates.map(({ member }) => member);
  requireAscending(members, 'U3');
  requireSubset(members, state.cohort.members, 'U3 must lie within U2');
  const own = survivors.updates.find(({ member }) => member === context.identity.id);
  if (!own) throw new TributaryError('late', 'U3 was frozen without this node.');
  if (own.sha256 !== state.sha256)
    throw new TributaryError(
      'hash-mismatch',
      `U3 holds another vector of this node: ${own.sha256}, sent was ${state.sha256}.`,
    );
  const { minSum } = context.floors;
  const t = state.roster.threshold;
  const floor = survivorFloor({ t, c: announcedC, minSum });
  if (members.length < floor)
    throw new TributaryError(
      'below-threshold',
      `U3 has ${members.length} members, max(t = ${t}, c + 2 = ${announcedC + 2}, minSum = ${minSum}, ` +
        `${FLOORS.members}) is ${floor}.`,
    );
  requirePinned(context, members, announcedC, 'minSum', 'U3');
  return members;
}
