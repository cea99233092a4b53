/** A node's state folder: its key, its coordinator, accepted members, approvals, ledger; and running it. */
export { type Approval, approve, listApprovals, listPending, refuse } from './approvals.ts';
export { loadNodeConfig, type NodeConfig } from './config.ts';
export { type EnrolOptions, enrol } from './enrol.ts';
export { type Enrolled, type Enrolment, loadEnrolment } from './enrolment.ts';
export { createIdentity, loadIdentity, readIdentityKey } from './identity-file.ts';
export { openFileLedger } from './ledger/file.ts';
export { createMemoryLedger } from './ledger/memory.ts';
export {
  acceptMember,
  type ListedMember,
  type ListMembersOptions,
  listMembers,
  type MemberStatus,
} from './members.ts';
export { loadPinned, type PinnedMember } from './members-file.ts';
export { type MoveOptions, moveCoordinator } from './move.ts';
export type { Move } from './moves.ts';
export { type RotatedKey, type RotateKeyOptions, rotateKey } from './rotate.ts';
export { type RunningNode, type StartNodeOptions, startNode } from './start.ts';
export { type TrustOptions, trustCoordinator } from './trust.ts';
