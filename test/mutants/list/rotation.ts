/** Keys that replace others. */
import type { Mutant } from '../mutant.ts';

const ROTATION = 'protocol/src/rotation';
const RULES = 'server/src/storage/rules.ts';
const STORES = {
  file: 'server/src/storage/memory.test.ts',
  suite: 'server/src/storage/acceptance-rotations.ts',
};
const HTTP = 'server/src/transport/http/rotations.test.ts';
const NODE = 'client-sdk/src/node';

export const KEYS: readonly Mutant[] = [
  {
    name: 'rotation-by-one-key',
    invariant: 'Both keys sign a rotation.',
    file: `${ROTATION}.ts`,
    find: "of ['old', 'new'] as const",
    replace: "of ['old'] as const",
    test: { file: `${ROTATION}.test.ts`, name: 'that only the old key signed' },
  },
  {
    name: 'rotation-elsewhere',
    invariant: 'A rotation is for one coordinator.',
    file: `${ROTATION}.ts`,
    find: 'if (!known.includes(rotation.coordinator))',
    replace: 'if (false)',
    test: { file: `${ROTATION}.test.ts`, name: 'for another coordinator' },
  },
  {
    name: 'rotation-to-a-taken-key',
    invariant: 'No key is given twice, and none comes back.',
    file: RULES,
    find: 'if (taken) throw refusals.keyTaken();',
    replace: '',
    test: { ...STORES, name: 'are refused to a key that is somebody’s, or was' },
  },
  {
    name: 'rotation-of-a-suspended-partner',
    invariant: 'Only an active partner changes its key.',
    file: RULES,
    find: "if (owner.status !== 'active')",
    replace: 'if (false)',
    test: { ...STORES, name: 'are refused: of an unknown key, of a suspended or removed partner' },
  },
  {
    name: 'rotation-from-long-ago',
    invariant: 'A rotation is taken when it is signed, not later.',
    file: 'server/src/registry/partners.ts',
    find: 'if (Math.abs(now() - time) > LIMITS.clockSkewMs)',
    replace: 'if (false)',
    test: { file: HTTP, name: 'from long ago' },
  },
  {
    name: 'rotated-session-goes-on',
    invariant: 'What the old key had under way ends.',
    file: 'server/src/registry/partners.ts',
    find: "await deps.onRevoked?.(old, 'rotated');",
    replace: '',
    test: { file: HTTP, name: 'ends what the old one had' },
  },
  {
    name: 'rotation-half-done',
    invariant: 'A rotation of the coordinator’s key that a crash cut off is finished.',
    file: 'server/src/registry/own-keys.ts',
    find: 'await adoptNextIdentity(folder);',
    replace: '',
    test: {
      file: 'server/src/rotate-key.test.ts',
      name: 'after that is finished by rotate-key, which makes no third key',
    },
  },
  {
    name: 'two-pins-for-one-partner',
    invariant: 'Two accepted keys never become one partner’s.',
    file: `${NODE}/moves.ts`,
    find: ' || accepted.has(last.new)',
    replace: '',
    test: { file: `${NODE}/rotate.test.ts`, name: 'never become one' },
  },
  {
    name: 'hold-out-follows-the-key',
    invariant: 'The rows that are held out stay the same under a new key.',
    file: `${NODE}/identity-file.ts`,
    find: 'const splitSeed = splitSeedOf(nodeCrypto, before);',
    replace: 'const splitSeed = nodeRandom(32);',
    test: { file: `${NODE}/rotate.test.ts`, name: 'keeps what the hold-out is drawn from' },
  },
  {
    name: 'former-coordinator-forgotten',
    invariant: 'Certificates of attempts under a former key of the coordinator count.',
    file: 'client-sdk/src/session/abandonment.ts',
    find: '[...former, coordinator]',
    replace: '[coordinator]',
    test: {
      file: 'client-sdk/src/session/abandonment.test.ts',
      name: 'believes those who abandoned it under the key that the coordinator had then',
    },
  },
];
