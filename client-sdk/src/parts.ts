/** The parts of FederatedClient, for the simulator: it puts them together on a clock, a disk and a network of its own. */
export type { Wire } from './connection/bulk.ts';
export { maskUpdate } from './masking/mask.ts';
export { createBulk } from './runtime/bulk.ts';
export { createJobs, type Jobs } from './runtime/jobs.ts';
export { createLoop } from './runtime/loop.ts';
export { createSession, noted, readLedger, type SessionContext } from './session/index.ts';
