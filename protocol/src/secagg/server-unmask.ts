/** The coordinator's attempt after U3: agreement, shares, reconstruction (PROTOCOL.md 6.6, 6.7). */
import type { Crypto } from '../crypto/port.ts';
import { canonicalJson, fromBase64, toBase64 } from '../encoding.ts';
import { TributaryError } from '../errors.ts';
import { requireSignature } from '../identity.ts';
import { agreementOf } from './binding.ts';
import type { AgreementSignature } from './client-unmask.ts';
import { SHARE_BYTES, type ShareKind, seedCommitment, shareHash } from './keys.ts';
import type { UnmaskingOrder } from './masks.ts';
import { bindingOf } from './server-machine.ts';
import {
  cohortMembers,
  isSecure,
  outOfPhase,
  refusal,
  requirePresent,
  rosterMembers,
  type ServerAttempt,
  type ServerContext,
  survivorMembers,
  type Unmasking,
} from './server-state.ts';
import { combine } from './shamir.ts';
import type { UnmaskShares } from './statements.ts';

/** The t-th signature opens `unmask`; those that come later change nothing. @throws wrong-phase, wrong-attempt, conflict, bad-signature */
export function receiveAgreementSignature(
  state: ServerAttempt,
  { crypto }: ServerContext,
  member: string,
  signature: string,
): ServerAttempt {
  if (state.phase !== 'agree' && !(state.phase === 'unmask' && isSecure(state)))
    throw outOfPhase(state, member, 'agree', 'A signature on U3');
  requirePresent(state, member, 'A signature on U3');
  const known = state.signatures.find((signed) => signed.member === member);
  if (known?.signature === signature) return state;
  if (known) throw refusal('conflict', state, member, 'a member signs U3 once');
  const binding = { ...bindingOf(state), roster: state.roster.hash, cohort: state.cohort.hash };
  const statement = agreementOf(binding, state.survivors.hash, member);
  requireSignature(crypto, member, 'survivor-agreement', statement, signature, `U3 from ${member}`);
  if (state.phase === 'unmask') return state;
  const signatures = [...state.signatures, { member, signature }];
  return signatures.length < state.threshold
    ? { ...state, signatures }
    : { ...state, phase: 'unmask', signatures, answers: {} };
}

/** What `agreed` carries; null until t members of U3 have signed, and in plain mode. */
export function agreement(state: ServerAttempt): readonly AgreementSignature[] | null {
  return state.phase === 'unmask' && isSecure(state) ? state.signatures : null;
}

/**
 * One member's shares: of all U3 seeds, of all others in U2 mask keys, each fitting the hash that its dealer signed.
 * @throws wrong-phase, wrong-attempt, conflict, malformed; bad-share blaming the sender, whose answer is refused whole
 */
export function receiveUnmaskShares(
  state: ServerAttempt,
  { crypto }: ServerContext,
  member: string,
  shares: UnmaskShares,
): ServerAttempt {
  if (state.phase !== 'unmask' || !isSecure(state)) throw outOfPhase(state, member, 'unmask', 'A share');
  requirePresent(state, member, 'A share');
  const known = state.answers[member];
  if (known && canonicalJson(known) === canonicalJson(shares)) return state;
  if (known) throw refusal('conflict', state, member, 'a member reveals its shares once');
  checkShares(state, crypto, member, 'seed', shares.seeds, survivorMembers(state));
  checkShares(state, crypto, member, 'mask', shares.maskKeys, droppedMembers(state));
  return { ...state, answers: { ...state.answers, [member]: shares } };
}

function checkShares(
  state: Unmasking,
  crypto: Crypto,
  sender: string,
  kind: ShareKind,
  shares: UnmaskShares['seeds'],
  expected: readonly string[],
): void {
  const of = shares.map((share) => share.of);
  if (canonicalJson(of) !== canonicalJson(expected))
    throw refusal(
      'malformed',
      state,
      sender,
      `${kind} shares are due of ${expected.join(', ') || 'nobody'}, in order`,
    );
  const x = rosterMembers(state).indexOf(sender) + 1;
  for (const { of: dealer, share } of shares) {
    const bytes = fromBase64(share);
    const fits =
      bytes.length === SHARE_BYTES &&
      bytes[SHARE_BYTES - 1] === x &&
      // Nobody deals to itself, so nothing was signed: a wrong own share falls back on its dealer in `reconstruct`.
      (dealer === sender ||
        shareHash(crypto, kind, passage(state, dealer, sender), bytes) ===
          signedHash(state, kind, dealer, sender));
    if (!fits)
      throw refusal(
        'bad-share',
        state,
        sender,
        `its ${kind} share of ${dealer} is not the one that ${dealer} dealt`,
      );
  }
}

function passage(state: Unmasking, dealer: string, receiver: string) {
  return { announcement: state.attempt, dealer, receiver };
}

function signedHash(state: Unmasking, kind: ShareKind, dealer: string, receiver: string): string {
  const { deal } = state.deals[dealer]!.find((signed) => signed.deal.receiver === receiver)!;
  return kind === 'mask' ? deal.maskShareHash : deal.seedShareHash;
}

function droppedMembers(state: Unmasking): string[] {
  const alive = new Set(survivorMembers(state));
  return cohortMembers(state).filter((member) => !alive.has(member));
}

/** t answers are here; more only cost time. */
export function unmaskReady(state: ServerAttempt): boolean {
  if (state.phase !== 'unmask') return false;
  return !isSecure(state) || Object.keys(state.answers).length >= state.threshold;
}

export type Reconstruction =
  | { readonly kind: 'order'; readonly order: UnmaskingOrder }
  /** These dealt shares of something else than they committed to; they are excluded from the next attempt. */
  | { readonly kind: 'convicted'; readonly dealers: readonly string[] };

/** Seeds of U3 and mask keys of who dropped out, checked against commitments and adverts. @throws wrong-phase, below-threshold unless unmaskReady */
export function reconstruct(state: ServerAttempt, { crypto }: ServerContext): Reconstruction {
  if (state.phase !== 'unmask') throw outOfPhase(state, 'the coordinator', 'unmask', 'Reconstruction');
  if (!unmaskReady(state))
    throw new TributaryError(
      'below-threshold',
      `${Object.keys(state.answers).length} members revealed shares, t = ${state.threshold} must.`,
    );
  const hashes = { announcement: state.attempt, roster: state.roster.hash, cohort: state.cohort.hash };
  if (!isSecure(state)) return { kind: 'order', order: { ...hashes, survivors: [], dropped: [] } };
  const maskKeys = new Map(
    state.roster.statement.adverts.map(({ advert }) => [advert.member, advert.maskKey]),
  );
  const commitments = new Map(
    state.cohort.statement.members.map((entry) => [entry.member, entry.seedCommitment]),
  );
  const convicted: string[] = [];
  const survivors = survivorMembers(state).map((member) => {
    const seed = combine(sharesOf(state, 'seeds', member));
    if (seedCommitment(crypto, state.attempt, member, seed) !== commitments.get(member))
      convicted.push(member);
    return { member, maskKey: maskKeys.get(member)!, seed: toBase64(seed) };
  });
  const dropped = droppedMembers(state).map((member) => {
    const secret = combine(sharesOf(state, 'maskKeys', member));
    if (toBase64(crypto.x25519PublicKey(secret)) !== maskKeys.get(member)) convicted.push(member);
    return { member, maskSecret: toBase64(secret) };
  });
  if (convicted.length > 0) return { kind: 'convicted', dealers: convicted };
  return { kind: 'order', order: { ...hashes, survivors, dropped } };
}

/**
 * t shares of one secret. Those of other members carry the dealer's signature, so a secret that does not fit convicts
 * the dealer; its own share comes last, and if that is wrong the liar is the dealer again.
 */
function sharesOf(state: Unmasking, kind: keyof UnmaskShares, dealer: string): Uint8Array[] {
  const senders = survivorMembers(state).filter((member) => state.answers[member]);
  const ordered = [...senders.filter((member) => member !== dealer), ...senders.filter((m) => m === dealer)];
  return ordered
    .slice(0, state.threshold)
    .map((sender) => fromBase64(state.answers[sender]![kind].find(({ of }) => of === dealer)!.share));
}
