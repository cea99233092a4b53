/** The training thread: it loads the data itself, so that the session's thread never waits for it. */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { canonicalJson, type Plan, TributaryError } from '@tributary/protocol';
import type { Dataset } from '../../data/dataset.ts';
import { loadDataset } from '../../data/load.ts';
import { loadEngine } from '../engine/engine.ts';
import type { Engine } from '../engine/port.ts';
import { measureGflops, speedClassOf } from '../engine/speed.ts';
import { createLocalModel, type LocalModel } from '../model/local-model.ts';
import { momentsLayerOf } from '../model/moments-checks.ts';
import { allFinite } from '../model/weights.ts';
import { checkDataset } from '../training/batches.ts';
import { addMoments } from '../training/moments-pass.ts';
import { splitRows } from '../training/random.ts';
import { evaluateRows, trainRows } from '../training/training.ts';
import type { WorkerReply, WorkerRequest, WorkerSetup } from './messages.ts';

/** Made once for a plan (or its features) and used again while the plan stays the same, round after round. */
interface Kept<T> {
  readonly key: string;
  readonly value: T;
}

async function serve(port: MessagePort, setup: WorkerSetup): Promise<void> {
  const send = (reply: WorkerReply, transfer: ArrayBuffer[] = []) => port.postMessage(reply, transfer);
  let keptModel: Kept<LocalModel> | undefined;
  let keptData: Kept<Dataset> | undefined;
  const engine = await loadEngine(setup.engine);

  async function modelOf(plan: Plan): Promise<LocalModel> {
    const key = canonicalJson(plan);
    if (keptModel?.key === key) return keptModel.value;
    keptModel?.value.dispose();
    keptModel = undefined;
    keptModel = { key, value: await createLocalModel(engine, plan) };
    return keptModel.value;
  }

  async function dataOf(plan: Plan): Promise<Dataset> {
    const key = canonicalJson(plan.features);
    if (keptData?.key !== key) {
      keptData = undefined;
      const value = await loadDataset(setup.data, plan.features, setup.folder);
      checkDataset(plan, value);
      keptData = { key, value };
    }
    return keptData.value;
  }

  async function handle(request: WorkerRequest): Promise<void> {
    const model = await modelOf(request.plan);
    const dataset = await dataOf(request.plan);
    model.load(request.weights);
    if (request.kind === 'evaluate') {
      const { train } = splitRows(dataset, 0, new Uint8Array(0));
      send({ kind: 'evaluated', evaluation: evaluateRows(engine, model, request.plan, dataset, train) });
      return;
    }
    train(engine, model, dataset, request, send);
  }

  port.on('message', (request: WorkerRequest) => {
    handle(request).catch((error: unknown) => send({ kind: 'failed', ...describe(error) }));
  });
  const speed = speedClassOf(measureGflops(engine));
  send({ kind: 'ready', engine: { name: engine.name, speed }, passedOver: engine.passedOver });
}

function train(
  engine: Engine,
  model: LocalModel,
  dataset: Dataset,
  { plan, weights, seed, splitSeed }: Extract<WorkerRequest, { kind: 'train' }>,
  send: (reply: WorkerReply, transfer?: ArrayBuffer[]) => void,
): void {
  const split = splitRows(dataset, plan.holdout, splitSeed);
  const samples = split.train.length;
  if (samples === 0)
    throw new TributaryError(
      'data-invalid',
      `${dataset.rows} rows leave none to train on after a hold-out of ${split.holdout.length}.`,
    );
  const holdout = evaluateRows(engine, model, plan, dataset, split.holdout);
  const onProgress = (done: number) => send({ kind: 'progress', done });
  const moments = momentsLayerOf(plan);
  const loss = moments ? 0 : trainRows(engine, model, plan, dataset, split.train, seed, onProgress);
  const values = moments ? addMoments(moments, weights, dataset, split.train) : model.values();
  if (!allFinite(values))
    throw new TributaryError('not-finite', 'A weight is not finite after local training.');
  send({ kind: 'trained', values, samples, loss, holdout }, [values.buffer as ArrayBuffer]);
}

/** Errors cross the thread as code and text. Faults of tfjs or the runtime name their cause: the log is the partner's. */
function describe(error: unknown): { code: TributaryError['code']; message: string; remedy?: string } {
  if (error instanceof TributaryError) {
    const { code, message, remedy } = error;
    return { code, message, remedy };
  }
  return { code: 'training-failed', message: error instanceof Error ? error.message : String(error) };
}

if (parentPort) {
  const port = parentPort;
  await serve(port, workerData as WorkerSetup).catch((error: unknown) =>
    port.postMessage({ kind: 'failed', ...describe(error) } satisfies WorkerReply),
  );
}
