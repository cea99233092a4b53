/**
 * One attempt as a partner's node lives it (PROTOCOL.md 6). Pure: no clock, no I/O, randomness passed in. Messages have passed
 * their schema before they come here. The first U1, U2 and U3 seen are latched: an identical request gets the
 * byte-identical answer again, any other one ends the attempt. The states are told in client-state.ts.
 *
 * Left to the session, which has the disk: the plan's policy, `checkOrder` against what it has persisted, sitting out.
 */
import type { Random } from '../crypto/port.ts';
import { toBase64 } from '../encoding.ts';
import { TributaryError } from '../errors.ts';
import { requireSignature, sign } from '../identity.ts';
import { FLOORS } from '../limits.ts';
import { PROTOCOL_VERSION } from '../version.ts';
import { attemptId, type Binding, cohortHash, requireFromCoordinator, rosterHash } from './binding.ts';
import { agreeWithPeers, checkCohort, checkRoster, openDeals } from './client-checks.ts';
import {
  type Announced,
  type ClientAttempt,
  type ClientContext,
  forget,
  type Step,
  step,
  wrongPhase,
} from './client-state.ts';
import { dealShares } from './deals.ts';
import { NO_COMMITMENT } from './keys.ts';
import { type MaskTerm, memberMaskTerms } from './masks.ts';
import type { Announcement, Cohort, Roster, SignedAdvert, SignedDeal } from './statements.ts';

/** What a node has durably seen of a run. */
export type SeenAttempt = Pick<Announcement, 'run' | 'epoch' | 'round' | 'attempt'>;

/**
 * @param previous the last announcement accepted from this coordinator, in this run if there was one; null for none.
 * @throws stale-epoch when the coordinator went back in time, stale-announcement unless (round, attempt) of a run increases.
 * In a higher epoch the attempts of a round may be counted anew: the coordinator was restored from a backup.
 */
export function checkOrder(previous: SeenAttempt | null, announcement: SeenAttempt): void {
  if (previous === null) return;
  const { epoch, run, round, attempt } = announcement;
  if (epoch < previous.epoch)
    throw new TributaryError('stale-epoch', `The epoch is ${epoch}, seen was ${previous.epoch}.`);
  const later =
    round > previous.round ||
    (round === previous.round && (epoch > previous.epoch || attempt > previous.attempt));
  if (run === previous.run && !later)
    throw new TributaryError(
      'stale-announcement',
      `Round ${round}, attempt ${attempt} of run ${run} is not after ${previous.round}, ${previous.attempt}.`,
    );
}

/**
 * @param coordinatorKey the pinned id of the coordinator.
 * @param ledgerCheck the session's durable checks; throws to refuse.
 * @throws bad-signature, wrong-coordinator, unsupported-version, policy-refused, and what `ledgerCheck` throws.
 */
export function openAttempt(
  context: ClientContext,
  announcement: Announcement,
  signature: string,
  coordinatorKey: string,
  ledgerCheck: (announcement: Announcement) => void = () => {},
): Announced {
  const { crypto, floors } = context;
  if (announcement.coordinator !== coordinatorKey)
    throw new TributaryError(
      'wrong-coordinator',
      `The announcement names coordinator ${announcement.coordinator}, pinned is ${coordinatorKey}.`,
    );
  requireSignature(crypto, coordinatorKey, 'announcement', announcement, signature, 'the announcement');
  if (announcement.version !== PROTOCOL_VERSION)
    throw new TributaryError('unsupported-version', `The attempt speaks protocol ${announcement.version}.`);
  const { collusion, mode } = announcement.aggregation;
  const ownC = Math.max(floors.collusion, FLOORS.collusion);
  if (collusion < ownC)
    throw new TributaryError(
      'policy-refused',
      `collusion is ${ownC}, the announcement assumes c = ${collusion}.`,
    );
  if (mode === 'plain' && context.allowPlain !== true)
    throw new TributaryError('policy-refused', 'aggregation.mode is plain, this node allows secure only.');
  ledgerCheck(announcement);
  return { phase: 'announced', announcement, attempt: attemptId(crypto, announcement) };
}

/** Fresh keys for this attempt. Asked again, the same advert. */
export function advertise(
  state: ClientAttempt,
  context: ClientContext,
  random: Random,
): Step<{ advert: SignedAdvert }> {
  return step(state, () => {
    if (state.phase === 'left') return wrongPhase(state, 'Advertising');
    if (state.phase !== 'announced') return { kind: 'answered', state, advert: state.advert };
    const { crypto, identity } = context;
    const secrets = { encryption: random(32), mask: random(32) };
    const advert = {
      ...bindingOf(state),
      member: identity.id,
      encryptionKey: toBase64(crypto.x25519PublicKey(secrets.encryption)),
      maskKey: toBase64(crypto.x25519PublicKey(secrets.mask)),
    };
    const signed = { advert, signature: sign(crypto, identity, 'advert', advert) };
    return {
      kind: 'answered',
      state: { ...state, phase: 'advertised', advert: signed, secrets },
      advert: signed,
    };
  });
}

/** U1. Deals this node's secrets to its members; in plain mode there is nothing to deal. */
export function receiveRoster(
  state: ClientAttempt,
  context: ClientContext,
  roster: Roster,
  signature: string,
  random: Random,
): Step<{ deals: readonly SignedDeal[] }> {
  return step(state, () => {
    if (state.phase === 'left' || state.phase === 'announced') return wrongPhase(state, 'U1');
    const { crypto, identity } = context;
    const binding = bindingOf(state);
    requireFromCoordinator(crypto, binding, 'roster', roster, signature);
    const hash = rosterHash(crypto, roster);
    if (state.phase !== 'advertised') {
      requireLatched('U1', state.roster.hash, hash);
      return { kind: 'answered', state, deals: state.deals };
    }
    const { advert, announcement, attempt, secrets } = state;
    const latched = checkRoster(context, announcement.aggregation.collusion, advert, roster, hash);
    const peers = agreeWithPeers(context, secrets, roster);
    const seed = random(32);
    const { deals, commitment, own } = isSecure(state)
      ? dealShares(crypto, identity, binding, latched, peers, secrets.mask, seed, random)
      : { deals: [], commitment: NO_COMMITMENT, own: { of: identity.id, mask: NOTHING, seed: NOTHING } };
    // The private halves live on in the pair secrets and in the shares.
    forget(secrets);
    return {
      kind: 'answered',
      state: {
        phase: 'dealt',
        ...{ announcement, attempt, advert, roster: latched, deals, peers, seed },
        seedCommitment: commitment,
        ownShares: own,
      },
      deals,
    };
  });
}

/** What to do about U2: mask over it now, or send again what was masked before. */
export type CohortAnswer =
  | {
      readonly todo: 'mask';
      /** Add all of them to the quantised vector; empty in plain mode only. */
      readonly terms: readonly MaskTerm[];
      /** |U2|, which the quantisation depends on. */
      readonly members: number;
    }
  | { readonly todo: 'resend'; readonly sha256: string };

/** U2, with the deals for this node. Bad shares come back as `convict`, for the `leave` message. */
export function receiveCohort(
  state: ClientAttempt,
  context: ClientContext,
  cohort: Cohort,
  signature: string,
  deals: readonly SignedDeal[],
): Step<CohortAnswer> {
  return step(state, () => {
    if (state.phase === 'left' || state.phase === 'announced' || state.phase === 'advertised')
      return wrongPhase(state, 'U2');
    const { crypto, identity } = context;
    const binding = { ...bindingOf(state), roster: state.roster.hash };
    requireFromCoordinator(crypto, binding, 'cohort', cohort, signature);
    const hash = cohortHash(crypto, cohort);
    if (state.phase !== 'dealt') {
      requireLatched('U2', state.cohort.hash, hash);
      if (state.phase !== 'masking') return { kind: 'answered', state, todo: 'resend', sha256: state.sha256 };
      const { terms, cohort: latched } = state;
      return { kind: 'answered', state, todo: 'mask', terms, members: latched.members.length };
    }
    const { announcement, attempt, advert, roster, peers, seed, ownShares } = state;
    const { collusion } = announcement.aggregation;
    const members = checkCohort(context, collusion, roster, state.seedCommitment, cohort);
    const secure = isSecure(state);
    const others = secure ? openDeals(context, binding, roster, cohort, peers, deals) : [];
    const within = peers
      .filter(({ member }) => members.includes(member))
      .map(({ member, mask }) => ({ member, shared: mask }));
    const masks = { announcement: attempt, roster: roster.hash, cohort: hash };
    const terms = secure ? memberMaskTerms(crypto, masks, identity.id, seed, within) : [];
    forget(peers, seed);
    return {
      kind: 'answered',
      state: {
        phase: 'masking',
        ...{ announcement, attempt, advert, roster, deals: state.deals, terms },
        cohort: { hash, members },
        shares: secure ? [...others, ownShares] : [],
      },
      ...{ todo: 'mask', terms, members: members.length },
    };
  });
}

/** @throws equivocation */
export function requireLatched(list: string, latched: string, shown: string): void {
  if (latched !== shown)
    throw new TributaryError('equivocation', `${list} was ${latched} first, now it is ${shown}.`);
}

export function bindingOf(state: ClientAttempt): Binding {
  return { coordinator: state.announcement.coordinator, announcement: state.attempt };
}

export function isSecure(state: ClientAttempt): boolean {
  return state.announcement.aggregation.mode === 'secure';
}

const NOTHING = new Uint8Array(0);
