/** `@tributary/client-sdk/training`: single steps on a chosen engine, for benches and diagnostics. No stable API. */
export { readPlanFile } from '../cli/plan-file.ts';
export { loadEngine } from './engine/engine.ts';
export { ENGINES, type EngineName } from './engine/names.ts';
export type { Engine } from './engine/port.ts';
export { measureGflops, speedClassOf } from './engine/speed.ts';
export { createLocalModel } from './model/local-model.ts';
export { rowShape } from './model/topology-checks.ts';
export { createStep } from './training/step.ts';
