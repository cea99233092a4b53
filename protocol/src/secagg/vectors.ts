/**
 * Known-answer vectors of a whole attempt: 4 members, t = 3, the last one drops out after U2, everything from fixed seeds.
 * `protocol/scripts/make-vectors.js` writes them to vectors/secagg.json, for other implementations; a test holds both
 * adapters to that file.
 */
import { type Crypto, seededRandom } from '../crypto/index.ts';
import { fromUtf8, toBase64, toHex, utf8 } from '../encoding.ts';
import { identityFromSeed } from '../identity.ts';
import { createAccumulator, gridOf, layoutOf, quantise, writeSentinels } from '../ring/index.ts';
import { advertise, openAttempt, receiveCohort, receiveRoster } from './client-machine.ts';
import type { ClientAttempt, ClientContext, Step } from './client-state.ts';
import { receiveAgreement, receiveSurvivors, vectorMasked } from './client-unmask.ts';
import { type MaskTerm, survivorMaskTerms } from './masks.ts';
import { freezeRoster, openServerAttempt, receiveAdvert } from './server-machine.ts';
import { dealsFor, freezeCohort, freezeSurvivors, receiveDeals, receiveUpdate } from './server-share.ts';
import type { ServerAttempt } from './server-state.ts';
import { agreement, receiveAgreementSignature, receiveUnmaskShares, reconstruct } from './server-unmask.ts';

const PARAMETERS = 6;
const LAYOUT = layoutOf(PARAMETERS, 1);
const MEMBERS = 4;
const seedOf = (text: string) => utf8(text.padEnd(32, '.'));

/** Everything that travels or is derived, in the order of the attempt. Hashes hex, keys and statements as on the wire. */
export function secaggVectors(crypto: Crypto) {
  const coordinator = { crypto, identity: identityFromSeed(crypto, seedOf('coordinator')) };
  const identities = Array.from({ length: MEMBERS }, (_, i) =>
    identityFromSeed(crypto, seedOf(`member ${i}`)),
  );
  identities.sort((a, b) => (a.id < b.id ? -1 : 1));
  const ids = identities.map(({ id }) => id);
  const hash = (text: string) => toHex(crypto.sha256(utf8(text)));
  const opened = openServerAttempt(
    coordinator,
    {
      ...{ epoch: 1, run: 'vectors', round: 1, attempt: 1, nonce: toBase64(utf8('0123456789abcdef')) },
      ...{ plan: hash('plan'), model: hash('model'), weights: hash('weights') },
      layout: { parameters: PARAMETERS, scalars: 1 },
      aggregation: {
        ...{ mode: 'secure', clip: 1, coordinateBound: 1, weightCap: 100, weights: 'exact', collusion: 1 },
      },
      previousTranscript: null,
    },
    ids,
  );
  let server: ServerAttempt = opened.state;
  const members = identities.map((identity, i) => {
    const context: ClientContext = {
      ...{ crypto, identity, floors: { minRoster: 3, minSum: 3, collusion: 1 }, pinned: new Set(ids) },
    };
    const seeds = { identity: fromUtf8(identity.seed), randomness: `randomness of ${i}` };
    const random = seededRandom(crypto, utf8(seeds.randomness));
    const state: ClientAttempt = openAttempt(
      context,
      opened.announcement,
      opened.signature,
      coordinator.identity.id,
    );
    return { id: identity.id, seeds, context, random, state };
  });
  const take = <A extends object>(member: { state: ClientAttempt }, step: Step<A>): A => {
    member.state = step.state;
    if (step.kind === 'refused') throw step.error;
    return step;
  };

  const adverts = members.map((member) => {
    const { advert } = take(member, advertise(member.state, member.context, member.random));
    server = receiveAdvert(server, coordinator, member.id, advert);
    return advert;
  });
  const u1 = freezeRoster(server, coordinator, { minimum: 3 });
  if (u1.kind === 'failed') throw u1.error;
  server = u1.state;
  const deals = members.map((member) => {
    const step = receiveRoster(member.state, member.context, u1.roster, u1.signature, member.random);
    const dealt = take(member, step).deals;
    server = receiveDeals(server, coordinator, member.id, dealt);
    return dealt;
  });
  const u2 = freezeCohort(server, coordinator);
  if (u2.kind === 'failed') throw u2.error;
  server = u2.state;
  const vectors = members.map((member, i) => {
    const own = dealsFor(server, member.id);
    const answer = take(member, receiveCohort(member.state, member.context, u2.cohort, u2.signature, own));
    if (answer.todo !== 'mask') throw new Error('unreachable');
    const vector = createAccumulator(LAYOUT.length);
    const delta = Float32Array.from({ length: PARAMETERS }, (_, k) => (i + 1) * 0.125 - k * 0.0625);
    quantise(delta, 0.5, gridOf(answer.members, 1), LAYOUT, vector.words);
    writeSentinels(vector.words);
    const quantised = [...vector.words];
    const masks = answer.terms.map((term) => describeMask(crypto, term));
    for (const { key, sign } of answer.terms) vector.addKeystream(crypto.keystream(key), sign);
    const sha256 = toHex(crypto.sha256(vector.bytes));
    take(member, vectorMasked(member.state, sha256));
    return { member: member.id, delta: [...delta], quantised, masks, masked: [...vector.words], sha256 };
  });
  const alive = members.slice(0, 3);
  for (const [i, { id }] of alive.entries()) server = receiveUpdate(server, id, vectors[i]!.sha256);
  const u3 = freezeSurvivors(server, coordinator, { minSum: 3 });
  if (u3.kind === 'failed') throw u3.error;
  server = u3.state;
  for (const member of alive) {
    const step = receiveSurvivors(member.state, member.context, u3.survivors, u3.signature);
    const { signature } = take(member, step);
    server = receiveAgreementSignature(server, coordinator, member.id, signature!);
  }
  const signatures = agreement(server)!;
  const shares = alive.map((member) => {
    const answer = take(member, receiveAgreement(member.state, member.context, signatures)).shares;
    server = receiveUnmaskShares(server, coordinator, member.id, answer);
    return { member: member.id, shares: answer };
  });
  const result = reconstruct(server, coordinator);
  if (result.kind === 'convicted' || server.phase !== 'unmask') throw new Error('unreachable');
  const sum = createAccumulator(LAYOUT.length);
  for (const { masked } of vectors.slice(0, 3)) sum.add(new Uint8Array(Uint32Array.from(masked).buffer), 0);
  for (const { key, sign } of survivorMaskTerms(crypto, result.order))
    sum.addKeystream(crypto.keystream(key), sign);

  return {
    note: 'Written by protocol/scripts/make-vectors.js; PROTOCOL.md 6. Seeds are ASCII. randomness is the AES-256-CTR stream (zero counter block) under SHA-256("tributary/seeded-random\\0" || seed); each member takes from it, in order: encryption secret 32, mask secret 32, self-mask seed 32, then (t - 1) x 32 coefficient bytes for the mask secret and as many for the seed. masks: self, then the others in order of id.',
    seeds: {
      coordinator: 'coordinator'.padEnd(32, '.'),
      members: members.map(({ id, seeds }) => ({ id, ...seeds })),
    },
    coordinator: coordinator.identity.id,
    announcement: opened.announcement,
    announcementHash: opened.state.attempt,
    announcementSignature: opened.signature,
    adverts,
    rosterHash: server.roster.hash,
    rosterSignature: u1.signature,
    threshold: server.threshold,
    deals,
    cohort: u2.cohort,
    cohortHash: server.cohort.hash,
    cohortSignature: u2.signature,
    vectors,
    survivors: u3.survivors,
    survivorsHash: server.survivors.hash,
    survivorsSignature: u3.signature,
    agreement: signatures,
    shares,
    order: result.order,
    sum: [...sum.words],
  };
}

/** A mask by its key and its first four words. */
function describeMask(crypto: Crypto, { key, sign }: MaskTerm) {
  const words = new Uint32Array(Uint8Array.from(crypto.keystream(key).next(16)).buffer);
  return { key: toBase64(key), sign, firstWords: [...words] };
}
