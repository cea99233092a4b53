/** What a partner's own node insists on, whatever the coordinator says. */
import type { Mutant } from '../mutant.ts';

const SESSION = 'client-sdk/src/session';

export const NODE: readonly Mutant[] = [
  {
    name: 'ledger-ignored',
    invariant: 'A node sends no second vector on the same weights: it sits out.',
    file: `${SESSION}/ledger.ts`,
    find: 'if (spent.has(weights) || vectors.some((vector) => vector.weights === weights))',
    replace: 'if (false)',
    test: {
      file: `${SESSION}/refusals.test.ts`,
      name: 'sits out every further attempt on the base that it sent a vector on, in any run',
    },
  },
  {
    name: 'vector-not-in-ledger',
    invariant: 'The ledger holds a vector before its first byte leaves.',
    file: `${SESSION}/attempt.ts`,
    find: "{ type: 'append', record },\n      emit({ type: 'uploading',",
    replace: "emit({ type: 'uploading',",
    test: {
      file: `${SESSION}/machine.test.ts`,
      name: 'nothing leaves before it holds the vector',
    },
  },
  {
    name: 'ledger-not-awaited',
    invariant: 'Nothing follows a ledger record before the record is durable.',
    file: 'client-sdk/src/runtime/loop.ts',
    find: 'await deps.ledger.append(effect.record)',
    replace: 'void deps.ledger.append(effect.record)',
    test: {
      file: 'client-sdk/src/runtime/loop.test.ts',
      name: 'begins no effect before the record ahead of it is durable',
    },
  },
  {
    name: 'ledger-not-synced',
    invariant: 'A ledger record is on the disk, not only in its cache, when it counts as written.',
    file: 'client-sdk/src/node/ledger/file.ts',
    find: '.written`);\n            await file.sync();',
    replace: '.written`);',
    test: {
      file: 'client-sdk/src/node/ledger/fsync.test.ts',
      name: 'syncs every record before it is acknowledged',
    },
  },
  {
    name: 'announcement-of-ledger',
    invariant: 'A node takes no announcement that its ledger knows to be old.',
    file: `${SESSION}/announcement.ts`,
    find: 'requireNewer(state.ledger, announcement);\n  const known',
    replace: 'const known',
    test: { file: `${SESSION}/refusals.test.ts`, name: 'a lower epoch, in whatever run' },
  },
  {
    name: 'another-plan',
    invariant: 'What is announced is the plan that the node consented to, by its hash.',
    file: `${SESSION}/announcement.ts`,
    find: "['plan', announced.plan, hashes.plan],",
    replace: '',
    test: { file: `${SESSION}/refusals.test.ts`, name: 'than the plan that was consented to' },
  },
  {
    name: 'base-changed-in-one-bit',
    invariant: 'All attempts of a round start from the same weights.',
    file: `${SESSION}/announcement.ts`,
    find: 'if (earlier?.round === round && earlier.weights !== weights)\n    throw',
    replace: 'if (false)\n    throw',
    test: {
      file: `${SESSION}/refusals.test.ts`,
      name: 'a base changed in one bit, so that a node that sent its vector would not sit out',
    },
  },
  {
    name: 'rolled-back-coordinator',
    invariant: 'A node does not train rounds again that a restored coordinator has lost.',
    file: `${SESSION}/announcement.ts`,
    find: 'requireNotRolledBack(state.ledger, announcement);',
    replace: '',
    test: { file: `${SESSION}/rolled-back.test.ts`, name: 'and lost rounds:' },
  },
  {
    name: 'metrics-in-the-clear',
    invariant: 'The metrics of a partner ride in its masked vector only.',
    file: `${SESSION}/evaluation.ts`,
    find: "if (policy.role !== 'evaluator')",
    replace: 'if (false)',
    test: {
      file: `${SESSION}/evaluation.test.ts`,
      name: 'a coordinator asks a partner for its metrics in the clear, and gets nothing',
    },
  },
  {
    name: 'failure-in-full',
    invariant: 'What fails at a partner may quote its data: the coordinator gets a code and a fixed text.',
    file: `${SESSION}/attempt.ts`,
    find: 'leave(state, live, error.code, fixed,',
    replace: 'leave(state, live, error.code, error.message,',
    test: {
      file: `${SESSION}/machine.test.ts`,
      name: 'local failures reach the coordinator as a code and a fixed text',
    },
  },
  {
    name: 'same-randomness',
    invariant: 'Two attempts never train with the same randomness.',
    file: `${SESSION}/announcement.ts`,
    find: 'identity.seed, fromHex(id),',
    replace: 'identity.seed, new Uint8Array(32),',
    test: { file: `${SESSION}/machine.test.ts`, name: 'two attempts never train with the same randomness' },
  },
  {
    name: 'certificate-not-checked',
    invariant: 'A node believes a certificate only when enough members of its own roster signed it.',
    file: `${SESSION}/abandonment.ts`,
    find: '{ members, quorum: needed }',
    replace: '{ members, quorum: 0 }',
    test: { file: `${SESSION}/abandonment.test.ts`, name: 'sits out with' },
  },
  {
    name: 'approval-of-any-plan',
    invariant: 'The approval of an owner is for one plan, by its hash.',
    file: 'client-sdk/src/policy/judge.ts',
    find: 'const decision = approvals.get(plan);',
    replace: 'const decision = [...approvals.values()][0];',
    test: {
      file: 'client-sdk/src/policy/policy.test.ts',
      name: 'asks until the owner has decided, and an approval is for one plan hash only',
    },
  },
  {
    name: 'allowed-by-default',
    invariant: 'A policy denies what it does not name.',
    file: 'client-sdk/src/policy/judge.ts',
    find: 'if (plans.some(listed))',
    replace: 'if (plans.length === 0 || plans.some(listed))',
    test: {
      file: 'client-sdk/src/policy/policy.test.ts',
      name: 'default deny: a policy without plans allows nothing',
    },
  },
  {
    name: 'swapped-member-key',
    invariant: 'The owner accepts the key that was compared, not one that came since.',
    file: 'client-sdk/src/node/members.ts',
    find: 'if (key !== undefined && key !== member.key)',
    replace: 'if (false)',
    test: {
      file: 'client-sdk/src/node/state.test.ts',
      name: 'a key that changed between listing and accepting is not accepted',
    },
  },
  {
    name: 'another-model',
    invariant: 'A node trains on the model that was announced, by its hash.',
    file: 'client-sdk/src/connection/bulk.ts',
    find: 'if (sha256 === expected.model) return buffer.bytes();',
    replace: 'return buffer.bytes();',
    test: {
      file: 'client-sdk/src/connection/bulk.test.ts',
      name: 'another model than announced is refused after a few tries',
    },
  },
  {
    name: 'plain-http',
    invariant: 'A node speaks plain HTTP to its own machine only, unless it is told otherwise.',
    file: 'client-sdk/src/connection/url.ts',
    find: '!isLoopback(url.hostname))',
    replace: 'false)',
    test: { file: 'client-sdk/src/connection/url.test.ts', name: 'plain HTTP' },
  },
  {
    name: 'update-not-clipped',
    invariant: 'No update is longer than the clip.',
    file: 'client-sdk/src/masking/mask.ts',
    find: 'clipToNorm(values, clip);',
    replace: '{ clipped: false };',
    test: { file: 'client-sdk/src/masking/mask.test.ts', name: 'is scaled down to the clip, and says so' },
  },
];
