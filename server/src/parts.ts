/** The parts behind the composition root, for the simulator: it puts them together on a clock, a disk and a network of its own. */
export type { Aggregation } from './aggregation/index.ts';
export { createRunner } from './aggregation/runner.ts';
export type { Clock } from './coordinator/clock.ts';
export { type Coordinator, createCoordinator } from './coordinator/coordinator.ts';
export { createEngines } from './coordinator/engines.ts';
export { createPeople, type People } from './coordinator/people.ts';
export { replayRun } from './coordinator/recover.ts';
export { resumeAll } from './coordinator/resume-all.ts';
export { createStartUp } from './coordinator/start-up.ts';
export { createInstances } from './registry/instances.ts';
export { createPartners, type Partners } from './registry/partners.ts';
export { type RoundInput, type RunState, stateHash, type Transcript } from './round/index.ts';
export { createMemoryStore } from './storage/memory.ts';
export type * from './storage/ports.ts';
export { appendEntry, type JournalHead, refusals, replaceSnapshot, requireEpoch } from './storage/rules.ts';
export { createUploads } from './transport/http/uploads.ts';
