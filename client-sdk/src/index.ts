export { type ApiClient, createApiClient } from './api-client.ts';
export { FederatedClient, type FederatedClientOptions } from './client.ts';
export { type CancerPlanOptions, cancerPlan } from './data/cancer-plan.ts';
export { splitCancer } from './data/cancer-split.ts';
export type { DataSource } from './data/dataset.ts';
export { type DigitsPlanOptions, digitsPlan } from './data/digits-plan.ts';
export { formatPartition, type PartitionScheme, parsePartition } from './data/partition/partition.ts';
export type { SplitOptions } from './data/samples/deal.ts';
export { LIBRARY, type LibraryPlan, libraryPath, type SampleName } from './data/samples/plan-library.ts';
export { splitEmoji, splitSpeeches, splitWeather } from './data/samples/split.ts';
export { splitDigits } from './data/split.ts';
export { fetchMoments } from './moments/fetch.ts';
export { type MomentsPlanOptions, momentsPlan } from './moments/plan.ts';
export { type ColumnMoments, type Moments, type MomentsRun, readMoments } from './moments/read.ts';
export { standardise } from './moments/standardise.ts';
export * from './node/index.ts';
export {
  type Approvals,
  type Decision,
  judge,
  type Policy,
  parsePolicy,
  policyRemarks,
  type Verdict,
} from './policy/index.ts';
export type { ClientEvents } from './runtime/listeners.ts';
export type { LedgerRecord, LedgerStore, Place, SessionEvent } from './session/index.ts';
export {
  createExternalTrainer,
  type ExternalTrainer,
  type ExternalTrainerOptions,
} from './trainer/external/external-trainer.ts';
export { buildModel, initialWeights, prepareTopology } from './trainer/model/topology.ts';
export type { Evaluation, EvaluationTask, Trainer, TrainingResult, TrainingTask } from './trainer/port.ts';
export { createTfjsTrainer, type TfjsTrainerOptions } from './trainer/tfjs/tfjs-trainer.ts';
