/** The second half of a node's attempt: its vector is fixed, U3 is agreed, shares are revealed (PROTOCOL.md 6.6, 6.7). */
import type { Crypto } from '../crypto/port.ts';
import { toBase64 } from '../encoding.ts';
import { TributaryError } from '../errors.ts';
import { sign, verify } from '../identity.ts';
import { agreementOf, requireFromCoordinator, survivorsHash } from './binding.ts';
import { checkSurvivors } from './client-checks.ts';
import { bindingOf, isSecure, requireLatched } from './client-machine.ts';
import {
  type Agreed,
  type ClientAttempt,
  type ClientContext,
  forget,
  type Step,
  step,
  type Unmasked,
  wrongPhase,
} from './client-state.ts';
import type { Survivors, UnmaskShares } from './statements.ts';

/**
 * Fixes the masked vector by its hash, before its first byte leaves. From here on this node masks nothing more in this
 * attempt, and the mask keys are gone.
 */
export function vectorMasked(state: ClientAttempt, sha256: string): Step<object> {
  if (state.phase !== 'masking') {
    const same = state.phase !== 'left' && 'sha256' in state && state.sha256 === sha256;
    return same ? { kind: 'answered', state } : wrongPhase(state, 'A masked vector');
  }
  const { terms, ...rest } = state;
  forget(terms);
  return { kind: 'answered', state: { ...rest, phase: 'masked', sha256 } };
}

/** U3. @returns the signature to send on; null in plain mode, where this is the end. */
export function receiveSurvivors(
  state: ClientAttempt,
  context: ClientContext,
  survivors: Survivors,
  signature: string,
): Step<{ signature: string | null }> {
  return step(state, () => {
    if (state.phase !== 'masked' && state.phase !== 'agreed' && state.phase !== 'unmasked')
      return wrongPhase(state, 'U3');
    const { crypto, identity } = context;
    const binding = cohortBinding(state);
    requireFromCoordinator(crypto, binding, 'survivors', survivors, signature);
    const hash = survivorsHash(crypto, survivors);
    if (state.phase !== 'masked') {
      requireLatched('U3', state.survivors.hash, hash);
      return { kind: 'answered', state, signature: state.signature };
    }
    const { collusion } = state.announcement.aggregation;
    const members = checkSurvivors(context, collusion, state, survivors);
    const agreement = agreementOf(binding, hash, identity.id);
    const signed = isSecure(state) ? sign(crypto, identity, 'survivor-agreement', agreement) : null;
    return {
      kind: 'answered',
      state: { ...state, phase: 'agreed', survivors: { hash, members }, signature: signed },
      signature: signed,
    };
  });
}

/** One member's signature on U3, as the coordinator passes it on. */
export interface AgreementSignature {
  readonly member: string;
  readonly signature: string;
}

/**
 * At least t members of U3 saw the same U3: reveals, once, one share of each member of U2. Extra signatures that do not
 * count (strangers, repetitions, other statements) are ignored, too few end the attempt.
 */
export function receiveAgreement(
  state: ClientAttempt,
  context: ClientContext,
  signatures: readonly AgreementSignature[],
): Step<{ shares: UnmaskShares }> {
  return step(state, () => {
    if ((state.phase !== 'agreed' && state.phase !== 'unmasked') || !isSecure(state))
      return wrongPhase(state, 'Agreement on U3');
    const valid = countSignatures(context.crypto, state, signatures);
    const { threshold } = state.roster;
    if (valid < threshold)
      throw new TributaryError(
        'below-threshold',
        `${valid} members of U3 validly signed it, t = ${threshold} must (of ${signatures.length} signatures shown).`,
      );
    if (state.phase === 'unmasked') return { kind: 'answered', state, shares: state.answer };
    const { shares: held, ...rest } = state;
    const answer = reveal(state);
    forget(held);
    return { kind: 'answered', state: { ...rest, phase: 'unmasked', answer }, shares: answer };
  });
}

function cohortBinding(
  state: Exclude<ClientAttempt, { phase: 'left' | 'announced' | 'advertised' | 'dealt' }>,
) {
  return { ...bindingOf(state), roster: state.roster.hash, cohort: state.cohort.hash };
}

function countSignatures(
  crypto: Crypto,
  state: Agreed | Unmasked,
  signatures: readonly AgreementSignature[],
): number {
  const { members, hash } = state.survivors;
  const binding = cohortBinding(state);
  const valid = new Set<string>();
  for (const { member, signature } of signatures) {
    if (!members.includes(member) || valid.has(member)) continue;
    if (verify(crypto, member, 'survivor-agreement', agreementOf(binding, hash, member), signature))
      valid.add(member);
  }
  return valid.size;
}

/** For each member of U2 exactly one of its two shares, in the order of U2. */
function reveal({ cohort, survivors, shares }: Agreed): UnmaskShares {
  const alive = new Set(survivors.members);
  const held = new Map(shares.map((share) => [share.of, share]));
  const seeds: UnmaskShares['seeds'] = [];
  const maskKeys: UnmaskShares['maskKeys'] = [];
  for (const of of cohort.members) {
    const share = held.get(of)!;
    if (alive.has(of)) seeds.push({ of, share: toBase64(share.seed) });
    else maskKeys.push({ of, share: toBase64(share.mask) });
  }
  return { seeds, maskKeys };
}
