/** Secure aggregation, both sides, as pure state machines (PROTOCOL.md 6). */

export type { Abandonment, AbandonSignature } from './abandon.ts';
export { abandonmentOf, requireAbandoned, signAbandonment, verifyAbandonment } from './abandon.ts';
// A partner's node.
export type { CohortAnswer, SeenAttempt } from './client-machine.ts';
export { advertise, checkOrder, openAttempt, receiveCohort, receiveRoster } from './client-machine.ts';
export type { ClientAttempt, ClientContext, Left, Refused, Step } from './client-state.ts';
export { leaveAttempt } from './client-state.ts';
export type { AgreementSignature } from './client-unmask.ts';
export { receiveAgreement, receiveSurvivors, vectorMasked } from './client-unmask.ts';
export type { MaskTerm, UnmaskingOrder } from './masks.ts';
export { survivorMaskTerms } from './masks.ts';
// The coordinator.
export type { Failed, Freeze } from './server-machine.ts';
export { freezeRoster, leave, openServerAttempt, receiveAdvert } from './server-machine.ts';
export { awaited, resend } from './server-outlook.ts';
export { dealsFor, freezeCohort, freezeSurvivors, receiveDeals, receiveUpdate } from './server-share.ts';
export type { Frozen, ServerAttempt, ServerContext } from './server-state.ts';
export type { Reconstruction } from './server-unmask.ts';
export {
  agreement,
  receiveAgreementSignature,
  receiveUnmaskShares,
  reconstruct,
  unmaskReady,
} from './server-unmask.ts';
export * from './statements.ts';
export * from './thresholds.ts';
