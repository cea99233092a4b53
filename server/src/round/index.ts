export { stateHash } from './digest.ts';
export { gather, select, waitingFor } from './gathering.ts';
export type { Effect, Invitee, RoundContext, RoundInput, SumResult, Transcript } from './io.ts';
export { step } from './machine.ts';
export { requireAwaitedUpdate } from './members.ts';
export { openAttemptOf, outstanding, updatesOf } from './outstanding.ts';
export { judgePatience, noteProgress, type Patience, startPatience } from './patience.ts';
export { answered, quorum } from './quorum.ts';
export { createRun, MACHINE_VERSION, type OpenAttempt, type RunState } from './state.ts';
