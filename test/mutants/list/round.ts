/** Attempts and rounds: each acknowledged update once, one survivor set, no attempt for those who are out. */
import type { Mutant } from '../mutant.ts';

const SECAGG = 'protocol/src/secagg';
const ROOM = 'server/src/round';

export const ROUND: readonly Mutant[] = [
  {
    name: 'second-vector',
    invariant: 'The first vector of a member counts; another one is refused.',
    file: `${SECAGG}/server-share.ts`,
    find: "if (known !== undefined) throw refusal('conflict'",
    replace: "if (false) throw refusal('conflict'",
    test: {
      file: `${SECAGG}/partner.attack.test.ts`,
      name: 'sent twice differently is a conflict: the first write wins',
    },
  },
  {
    name: 'late-vector',
    invariant: 'Nothing is taken into an attempt after its survivors are frozen.',
    file: `${SECAGG}/server-share.ts`,
    find: "if (state.phase !== 'upload') throw outOfPhase(state, member, 'upload', 'A vector');",
    replace: '',
    test: {
      file: `${SECAGG}/partner.attack.test.ts`,
      name: 'from outside U2, before U2 or after U3 is refused',
    },
  },
  {
    name: 'older-epoch',
    invariant: 'A node follows no coordinator back into an older epoch.',
    file: `${SECAGG}/client-machine.ts`,
    find: 'if (epoch < previous.epoch)',
    replace: 'if (false)',
    test: { file: `${SECAGG}/announcement.attack.test.ts`, name: 'an older epoch in another run' },
  },
  {
    name: 'announcement-signature',
    invariant: 'An announcement counts only with the signature of the pinned coordinator.',
    file: `${SECAGG}/client-machine.ts`,
    find: "requireSignature(crypto, coordinatorKey, 'announcement',",
    replace: "if (false) requireSignature(crypto, coordinatorKey, 'announcement',",
    test: {
      file: `${SECAGG}/announcement.attack.test.ts`,
      name: 'signed by another key than the pinned one',
    },
  },
  {
    name: 'fewer-colluders-announced',
    invariant: 'No attempt assumes fewer colluders than the owner of a node does.',
    file: `${SECAGG}/client-machine.ts`,
    find: 'if (collusion < ownC)',
    replace: 'if (false)',
    test: { file: `${SECAGG}/announcement.attack.test.ts`, name: 'lowers t by a c below the client’s own' },
  },
  {
    name: 'plain-without-leave',
    invariant: 'No vector leaves without masks unless the owner of the node allowed it.',
    file: `${SECAGG}/client-machine.ts`,
    find: "if (mode === 'plain' && context.allowPlain !== true)",
    replace: 'if (false)',
    test: { file: `${SECAGG}/attempt.test.ts`, name: 'is refused unless the node allows it' },
  },
  {
    name: 'revoked-in-fixed-set',
    invariant: 'A partner that is suspended in a fixed survivor set makes the attempt void.',
    file: `${ROOM}/revocation.ts`,
    find: 'if (survivorsOf(open.secagg).includes(member)) {',
    replace: 'if (false) {',
    test: { file: `${ROOM}/revocation.test.ts`, name: 'while the sum is worked out makes the attempt void' },
  },
  {
    name: 'revoked-in-open-attempt',
    invariant: 'A partner that is suspended leaves the attempt that is open, with its vector.',
    file: `${ROOM}/revocation.ts`,
    find: 'const left = secagg.leave(open.secagg, member);',
    replace: 'const left = open.secagg;',
    test: {
      file: `${ROOM}/revocation.test.ts`,
      name: 'after its vector arrived, but before the survivors are fixed, is not in the sum',
    },
  },
  {
    name: 'certificate-by-fewer',
    invariant: 'Who sent a vector in a void attempt is not invited before enough others have abandoned it.',
    file: `${ROOM}/abandonment.ts`,
    find: 'length >= quorum;',
    replace: 'length >= quorum - 1;',
    test: { file: `${ROOM}/abandonment.test.ts`, name: 'rests who sent one until enough have abandoned it' },
  },
  {
    name: 'abandonment-signature',
    invariant: 'The coordinator takes an abandonment only with the signature of the member.',
    file: `${ROOM}/abandonment.ts`,
    find: 'if (!verifyAbandonment(',
    replace: 'if (false && !verifyAbandonment(',
    test: {
      file: `${ROOM}/abandonment.test.ts`,
      name: 'takes a signature once, and only of a member of U1 on this attempt',
    },
  },
  {
    name: 'silence-without-end',
    invariant: 'A phase without progress ends after its patience.',
    file: `${ROOM}/patience.ts`,
    find: 'if (now >= silence)',
    replace: 'if (false)',
    test: { file: `${ROOM}/patience.test.ts`, name: 'waits without progress for its time, not longer' },
  },
  {
    name: 'beyond-the-clip',
    invariant: 'A mean update beyond the clip is not published.',
    file: `${ROOM}/outcome.ts`,
    find: 'if (!(result.norm <= plan.aggregation.clip',
    replace: 'if (false && !(result.norm <= plan.aggregation.clip',
    test: { file: `${ROOM}/machine.test.ts`, name: 'a mean update beyond the clip is not published' },
  },
  {
    name: 'survivor-left-out',
    invariant: 'A sum is over exactly the survivors, whatever was folded before they were known.',
    file: 'server/src/aggregation/fold.ts',
    find: 'if ([...members].some((member) => !wanted.has(member)))',
    replace: 'if (false)',
    test: {
      file: 'server/src/aggregation/sum.test.ts',
      name: 'a fold that holds somebody who is not among the survivors is made anew from the spool',
    },
  },
];
