export type { DataSource } from './data/dataset.ts';
export type { Evaluation, EvaluationTask, Trainer, TrainingResult, TrainingTask } from './trainer/port.ts';
export { createTfjsTrainer, type TfjsTrainerOptions } from './trainer/tfjs-trainer.ts';
export { buildModel, initialWeights, prepareTopology } from './trainer/topology.ts';
