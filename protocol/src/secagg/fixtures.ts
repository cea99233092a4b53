/** Whole attempts in memory, for tests: real machines, real masks, one seed for everything. */

import { nodeCrypto } from '../crypto/node.ts';
import type { Crypto, Random } from '../crypto/port.ts';
import { seededRandom } from '../crypto/random.ts';
import { concat, toBase64, toHex, utf8 } from '../encoding.ts';
import { type Identity, identityFromSeed } from '../identity.ts';
import { createAccumulator, gridOf, type Layout, layoutOf, quantise, writeSentinels } from '../ring/index.ts';
import { advertise, openAttempt, receiveCohort, receiveRoster } from './client-machine.ts';
import type { ClientAttempt, ClientContext, Step } from './client-state.ts';
import { receiveAgreement, receiveSurvivors, vectorMasked } from './client-unmask.ts';
import { type MaskTerm, survivorMaskTerms } from './masks.ts';
import { freezeRoster, openServerAttempt, receiveAdvert } from './server-machine.ts';
import { dealsFor, freezeCohort, freezeSurvivors, receiveDeals, receiveUpdate } from './server-share.ts';
import type { ServerAttempt, ServerContext } from './server-state.ts';
import { agreement, receiveAgreementSignature, receiveUnmaskShares, reconstruct } from './server-unmask.ts';
import type { Announcement } from './statements.ts';

export interface Partner {
  readonly id: string;
  readonly context: ClientContext;
  readonly random: Random;
  /** The plain update. */
  readonly delta: Float32Array;
  state: ClientAttempt;
  /** Quantised, not masked: what nobody may ever see. */
  quantised?: Uint32Array;
  /** What travels. */
  masked?: Uint8Array;
}

export interface Options {
  readonly n: number;
  readonly c?: number;
  readonly floors?: Partial<ClientContext['floors']>;
  readonly seed?: string;
  readonly crypto?: (index: number) => Crypto;
  readonly serverCrypto?: Crypto;
  readonly parameters?: number;
  readonly fields?: Partial<Omit<Announcement, 'aggregation'>>;
  readonly mode?: 'secure' | 'plain';
}

export interface Attempt {
  readonly server: ServerContext;
  state: ServerAttempt;
  readonly announcement: Announcement;
  readonly signature: string;
  /** In ascending order of id. */
  readonly partners: Partner[];
  readonly layout: Layout;
}

const COORDINATOR_SEED = new Uint8Array(32).fill(200);
const hash = (text: string) => toHex(nodeCrypto.sha256(utf8(text)));

/** An announcement's fields, any of which may be replaced. */
export function announcementFields({ c = 1, fields, mode = 'secure', parameters = 20 }: Omit<Options, 'n'>) {
  return {
    epoch: 1,
    run: 'run-1',
    round: 1,
    attempt: 1,
    nonce: toBase64(new Uint8Array(16).fill(7)),
    plan: hash('plan'),
    model: hash('model'),
    weights: hash('weights'),
    layout: { parameters, scalars: 1 },
    previousTranscript: null,
    ...fields,
    aggregation: {
      mode,
      clip: 1,
      coordinateBound: 1,
      weightCap: 1000,
      weights: 'exact' as const,
      collusion: c,
    },
  };
}

const known = new Map<string, Identity[]>();

/** Sorted by id. */
export function identities(n: number, seed = ''): Identity[] {
  const key = `${n} ${seed}`;
  const members = known.get(key) ?? makeIdentities(n, seed);
  known.set(key, members);
  return members;
}

function makeIdentities(n: number, seed: string): Identity[] {
  return Array.from({ length: n }, (_, i) =>
    identityFromSeed(nodeCrypto, nodeCrypto.sha256(utf8(`partner ${i} ${seed}`))),
  ).sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** Announced and opened by every partner. All pin all. */
export function createAttempt(options: Options): Attempt {
  const { n, c = 1, seed = '', parameters = 20, floors, mode = 'secure' } = options;
  const members = identities(n, seed);
  const serverCrypto = options.serverCrypto ?? nodeCrypto;
  const server = { crypto: serverCrypto, identity: identityFromSeed(serverCrypto, COORDINATOR_SEED) };
  const ids = members.map(({ id }) => id);
  const { state, announcement, signature } = openServerAttempt(server, announcementFields(options), ids);
  const partners = members.map((identity, i): Partner => {
    const crypto = options.crypto?.(i) ?? nodeCrypto;
    const random = seededRandom(nodeCrypto, utf8(`${identity.id} ${seed}`));
    const context: ClientContext = {
      crypto,
      identity,
      floors: { minRoster: 3, minSum: 3, collusion: c, ...floors },
      pinned: new Set(ids),
      allowPlain: mode === 'plain',
    };
    return {
      id: identity.id,
      context,
      random,
      delta: uniform(random, parameters),
      state: openAttempt(context, announcement, signature, server.identity.id),
    };
  });
  return { server, state, announcement, signature, partners, layout: layoutOf(parameters, 1) };
}

/**
 * The same adapter, remembering: all members of a test live in one process and check, sign and derive the same things over
 * and over. Everything is really computed once.
 */
export function withMemory(crypto: Crypto): Crypto {
  const remember = <A extends Uint8Array[], R>(compute: (...args: A) => R): ((...args: A) => R) => {
    const known = new Map<string, R>();
    return (...args) => {
      const key = toHex(
        crypto.sha256(concat(...args.flatMap((arg) => [Uint8Array.of(arg.length & 255), arg]))),
      );
      const result = known.get(key) ?? compute(...args);
      known.set(key, result);
      return result;
    };
  };
  const x25519 = remember(crypto.x25519);
  return {
    ...crypto,
    ed25519Verify: remember(crypto.ed25519Verify),
    ed25519Sign: remember(crypto.ed25519Sign),
    x25519PublicKey: remember(crypto.x25519PublicKey),
    // Callers wipe what they get.
    x25519: (secret, peer) => x25519(secret, peer).slice(),
  };
}

/** Values in [-1, 1). */
function uniform(random: Random, length: number): Float32Array {
  const words = new Int32Array(random(4 * length).buffer);
  return Float32Array.from(words, (word) => word / 2 ** 31);
}

/** Takes a step and demands an answer. */
export function take<A extends object>(partner: { state: ClientAttempt }, step: Step<A>): A {
  partner.state = step.state;
  if (step.kind === 'refused') throw step.error;
  return step;
}

export function advertAll(attempt: Attempt, partners = attempt.partners): void {
  for (const partner of partners) {
    const { advert } = take(partner, advertise(partner.state, partner.context, partner.random));
    attempt.state = receiveAdvert(attempt.state, attempt.server, partner.id, advert);
  }
}

export function frozenRoster(attempt: Attempt) {
  const result = freezeRoster(attempt.state, attempt.server, { minimum: 3 });
  if (result.kind === 'failed') throw result.error;
  attempt.state = result.state;
  return result;
}

/** U1 is frozen and shown to these partners, who deal. */
export function dealAll(attempt: Attempt, partners = attempt.partners): void {
  const { roster, signature } = frozenRoster(attempt);
  for (const partner of partners) {
    const { deals } = take(
      partner,
      receiveRoster(partner.state, partner.context, roster, signature, partner.random),
    );
    attempt.state = receiveDeals(attempt.state, attempt.server, partner.id, deals);
  }
}

export function frozenCohort(attempt: Attempt) {
  const result = freezeCohort(attempt.state, attempt.server);
  if (result.kind === 'failed') throw result.error;
  attempt.state = result.state;
  return result;
}

/** Quantises and masks as a client does; weight is the cap. @returns the masked vector's hash. */
export function maskVector(
  attempt: Attempt,
  partner: Partner,
  terms: readonly MaskTerm[],
  members: number,
): string {
  const { crypto } = partner.context;
  const vector = createAccumulator(attempt.layout.length);
  quantise(partner.delta, 1, gridOf(members, 1), attempt.layout, vector.words);
  writeSentinels(vector.words);
  partner.quantised = vector.words.slice();
  applyTerms(crypto, vector, terms);
  partner.masked = vector.bytes.slice();
  return toHex(crypto.sha256(partner.masked));
}

export function applyTerms(
  crypto: Crypto,
  vector: ReturnType<typeof createAccumulator>,
  terms: Iterable<MaskTerm>,
): void {
  for (const { key, sign } of terms) vector.addKeystream(crypto.keystream(key), sign);
}

/** U2 is frozen and shown to these partners, who mask. */
export function maskAll(attempt: Attempt, partners = attempt.partners): void {
  const { cohort, signature } = frozenCohort(attempt);
  for (const partner of partners) {
    const deals = dealsFor(attempt.state, partner.id);
    const answer = take(partner, receiveCohort(partner.state, partner.context, cohort, signature, deals));
    if (answer.todo !== 'mask') throw new Error('masked before');
    take(partner, vectorMasked(partner.state, maskVector(attempt, partner, answer.terms, answer.members)));
  }
}

export function uploadAll(attempt: Attempt, partners = attempt.partners): void {
  for (const partner of partners) {
    const sha256 = toHex(nodeCrypto.sha256(partner.masked!));
    attempt.state = receiveUpdate(attempt.state, partner.id, sha256);
  }
}

export function frozenSurvivors(attempt: Attempt) {
  const result = freezeSurvivors(attempt.state, attempt.server, { minSum: 3 });
  if (result.kind === 'failed') throw result.error;
  attempt.state = result.state;
  return result;
}

/** U3 is frozen and shown to these partners, who sign. */
export function agreeAll(attempt: Attempt, partners = attempt.partners): void {
  const { survivors, signature } = frozenSurvivors(attempt);
  for (const partner of partners) {
    const answer = take(partner, receiveSurvivors(partner.state, partner.context, survivors, signature));
    attempt.state = receiveAgreementSignature(attempt.state, attempt.server, partner.id, answer.signature!);
  }
}

export function unmaskAll(attempt: Attempt, partners = attempt.partners): void {
  const signatures = agreement(attempt.state) ?? [];
  for (const partner of partners) {
    const { shares } = take(partner, receiveAgreement(partner.state, partner.context, signatures));
    attempt.state = receiveUnmaskShares(attempt.state, attempt.server, partner.id, shares);
  }
}

/** The sum over U3 without masks, from masked vectors and the unmasking order alone. */
export function unmaskedSum(attempt: Attempt): Uint32Array {
  const { crypto } = attempt.server;
  const result = reconstruct(attempt.state, attempt.server);
  if (result.kind === 'convicted') throw new Error(`convicted: ${result.dealers.join(', ')}`);
  const sum = createAccumulator(attempt.layout.length);
  for (const partner of survivorsOf(attempt)) sum.add(partner.masked!, 0);
  applyTerms(crypto, sum, survivorMaskTerms(crypto, result.order));
  return sum.words;
}

export function survivorsOf(attempt: Attempt): Partner[] {
  if (!('survivors' in attempt.state)) return [];
  const alive = new Set(attempt.state.survivors.statement.updates.map(({ member }) => member));
  return attempt.partners.filter(({ id }) => alive.has(id));
}

/** The sum over U3 in plain integer arithmetic. */
export function plainSum(attempt: Attempt): Uint32Array {
  const sum = new Uint32Array(attempt.layout.length);
  for (const { quantised } of survivorsOf(attempt))
    for (let i = 0; i < sum.length; i++) sum[i] = (sum[i]! + quantised![i]!) >>> 0;
  return sum;
}
