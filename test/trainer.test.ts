import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { createTfjsTrainer, initialWeights, type Trainer, type TrainingTask } from '@tributary/client-sdk';
import { type ModelWeights, type Plan, parsePlan, TributaryError } from '@tributary/protocol';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';

const PIXELS = 784;
let folder: string;
let weights: ModelWeights;
const open: Trainer[] = [];

function digitsPlan(training: object = {}, changes: object = {}): Plan {
  const dense = (units: number, activation: string) => ({
    class_name: 'Dense',
    config: { units, activation },
  });
  return parsePlan({
    name: 'digits',
    model: {
      topology: {
        class_name: 'Sequential',
        config: {
          layers: [
            { class_name: 'Flatten', config: { batch_input_shape: [null, 28, 28, 1] } },
            dense(200, 'relu'),
            dense(200, 'relu'),
            dense(10, 'softmax'),
          ],
        },
      },
    },
    features: { kind: 'image', height: 28, width: 28, channels: 1, classes: [...'0123456789'] },
    training: {
      optimizer: { name: 'sgd', learningRate: 0.1 },
      loss: 'sparseCategoricalCrossentropy',
      metrics: ['accuracy'],
      batchSize: 10,
      ...training,
    },
    aggregation: { clip: 100 },
    cohort: { min: 3 },
    rounds: 1,
    ...changes,
  });
}

/** IDX files (big-endian header, then bytes) of `perDigit` real digits of each class, from position `start` of 0..1. */
async function writeDigits(name: string, start: number, perDigit: number): Promise<void> {
  const require = createRequire(createRequire(import.meta.url).resolve('@tributary/client-sdk'));
  const images: number[] = [];
  const labels: number[] = [];
  for (let digit = 0; digit < 10; digit += 1) {
    const path = join(require.resolve('mnist'), '..', 'digits', `${digit}.json`);
    const { data } = JSON.parse(readFileSync(path, 'utf8')) as { data: number[] };
    const first = Math.floor((data.length / PIXELS) * start) * PIXELS;
    for (const value of data.slice(first, first + perDigit * PIXELS)) images.push(Math.round(value * 255));
    for (let row = 0; row < perDigit; row += 1) labels.push(digit);
  }
  const count = 10 * perDigit;
  const idx = (magic: number, sizes: number[], bytes: number[]) => {
    const header = Buffer.alloc(4 + 4 * sizes.length);
    header.writeUInt32BE(magic);
    for (const [axis, size] of sizes.entries()) header.writeUInt32BE(size, 4 + 4 * axis);
    return Buffer.concat([header, Buffer.from(bytes)]);
  };
  await writeFile(join(folder, `${name}-images.idx`), idx(0x803, [count, 28, 28], images));
  await writeFile(join(folder, `${name}-labels.idx`), idx(0x801, [count], labels));
}

async function trainerOn(name: string): Promise<Trainer> {
  const data = { kind: 'idx', images: `${name}-images.idx`, labels: `${name}-labels.idx` } as const;
  const trainer = await createTfjsTrainer({ data, folder, engine: 'wasm' });
  open.push(trainer);
  return trainer;
}

const taskOf = (plan: Plan, changes: Partial<TrainingTask> = {}): TrainingTask => ({
  plan,
  weights,
  seed: new Uint8Array(32).fill(1),
  splitSeed: new Uint8Array(32).fill(2),
  ...changes,
});

const thrownBy = (promise: Promise<unknown>) =>
  promise.then(
    () => expect.unreachable('it should have been refused'),
    (error: unknown) => error,
  );

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tributary-trainer-'));
  await writeDigits('train', 0, 100);
  await writeDigits('test', 0.8, 50);
  weights = await initialWeights(digitsPlan());
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((trainer) => trainer.close()));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test('learns real digits it has never seen', async () => {
  const plan = digitsPlan({ epochs: 5 });
  const [trainer, evaluator] = [await trainerOn('train'), await trainerOn('test')];
  expect(trainer.engine).toBe('wasm');
  const { values, samples, loss, holdout } = await trainer.train(taskOf(plan));
  expect(samples).toBe(900);
  expect(loss).toBeLessThan(0.4);
  // The incoming model knows nothing: ten classes, chance.
  expect(holdout.count).toBe(100);
  expect(holdout.loss).toBeGreaterThan(2);
  const before = await evaluator.evaluate({ plan, weights });
  const after = await evaluator.evaluate({ plan, weights: { ...weights, values } });
  expect(before.metrics.accuracy).toBeLessThan(0.3);
  expect(after.count).toBe(500);
  expect(after.metrics.accuracy).toBeGreaterThan(0.84);
  expect(after.loss).toBeLessThan(0.6);
});

test('the same seeds give the same bits, in a used thread and in a fresh one; the weights given stay as they are', async () => {
  const plan = digitsPlan();
  const given = weights.values.slice();
  const trainer = await trainerOn('train');
  const first = await trainer.train(taskOf(plan));
  const again = await trainer.train(taskOf(plan));
  const fresh = await (await trainerOn('train')).train(taskOf(plan));
  expect(again).toEqual(first);
  expect(fresh).toEqual(first);
  expect(weights.values).toEqual(given);
  const other = await trainer.train(taskOf(plan, { seed: new Uint8Array(32).fill(9) }));
  expect(other.values).not.toEqual(first.values);
  expect(other.holdout).toEqual(first.holdout);
});

test('the hold-out follows the split seed, and with holdout 0 every row trains', async () => {
  const trainer = await trainerOn('train');
  const first = await trainer.train(taskOf(digitsPlan()));
  const other = await trainer.train(taskOf(digitsPlan(), { splitSeed: new Uint8Array(32).fill(7) }));
  expect(other.holdout.loss).not.toBe(first.holdout.loss);
  const all = await trainer.train(taskOf(digitsPlan({}, { holdout: 0 })));
  expect(all).toMatchObject({ samples: 1000, holdout: { count: 0, loss: 0 } });
});

test('progress rises to 1 in a few steps, while this thread stays free', async () => {
  const trainer = await trainerOn('train');
  const seen: number[] = [];
  let ticks = 0;
  const timer = setInterval(() => {
    ticks += 1;
  }, 5);
  const started = performance.now();
  await trainer.train(taskOf(digitsPlan({ epochs: 2 }), { onProgress: (done) => seen.push(done) }));
  clearInterval(timer);
  expect(ticks).toBeGreaterThan((performance.now() - started) / 50);
  expect(seen.length).toBeGreaterThan(10);
  expect(seen.length).toBeLessThanOrEqual(50);
  expect(seen).toEqual([...seen].sort((a, b) => a - b));
  expect(seen.at(-1)).toBe(1);
});

test('an abort ends a long training within a second, and the next task works', async () => {
  const trainer = await trainerOn('train');
  const long = digitsPlan({ epochs: 1000 });
  const abort = new AbortController();
  let abortedAt = Number.NaN;
  const onProgress = () => {
    abortedAt = performance.now();
    abort.abort();
  };
  const running = trainer.train(taskOf(long, { signal: abort.signal, onProgress }));
  setTimeout(onProgress, 800);
  expect(await thrownBy(running)).toMatchObject({ name: 'AbortError' });
  expect(performance.now() - abortedAt).toBeLessThan(1000);
  expect((await trainer.train(taskOf(digitsPlan()))).samples).toBe(900);
});

test('a signal that fired before costs nothing; one that fires in the queue leaves the running task alone', async () => {
  const trainer = await trainerOn('train');
  const signal = AbortSignal.abort();
  expect(await thrownBy(trainer.train(taskOf(digitsPlan(), { signal })))).toMatchObject({
    name: 'AbortError',
  });
  const abort = new AbortController();
  const running = trainer.train(taskOf(digitsPlan()));
  const waiting = trainer.evaluate({ plan: digitsPlan(), weights, signal: abort.signal });
  abort.abort();
  expect(await thrownBy(waiting)).toMatchObject({ name: 'AbortError' });
  expect((await running).samples).toBe(900);
});

test('a training thread that dies is a typed failure, and the next task gets a new one', async () => {
  const threads: Worker[] = [];
  const onWorker = (worker: Worker) => threads.push(worker);
  process.on('worker', onWorker);
  const trainer = await trainerOn('train');
  const running = trainer.train(taskOf(digitsPlan({ epochs: 1000 })));
  setTimeout(() => threads[0]!.terminate(), 500);
  expect(await thrownBy(running)).toMatchObject({ code: 'training-failed' });
  expect((await trainer.train(taskOf(digitsPlan()))).samples).toBe(900);
  expect(threads.length).toBe(2);
  // Dying while idle is no failure of any task.
  await threads[1]!.terminate();
  expect((await trainer.evaluate({ plan: digitsPlan(), weights })).count).toBe(1000);
  process.off('worker', onWorker);
});

test('a model too large for the engine is a typed failure, and the next task works', async () => {
  const trainer = await trainerOn('train');
  const plan = digitsPlan();
  const layers = (plan.model.topology.config as { layers: { config: { units: number } }[] }).layers;
  layers[2]!.config.units = 30_000_000;
  expect(await thrownBy(trainer.train(taskOf(plan)))).toBeInstanceOf(TributaryError);
  expect((await trainer.train(taskOf(digitsPlan()))).samples).toBe(900);
});

test.each([
  ['a learning rate that diverges', 'not-finite', { optimizer: { name: 'sgd', learningRate: 1000 } }],
  ['a model that does not fit the classes', 'plan-invalid', { loss: 'binaryCrossentropy' }],
])('%s is refused: %s', async (_, code, training) => {
  const trainer = await trainerOn('train');
  const refusal = await thrownBy(trainer.train(taskOf(digitsPlan(training))));
  expect(refusal).toBeInstanceOf(TributaryError);
  expect(refusal).toMatchObject({ code });
});

test('weights that are not finite, or of another model, are refused', async () => {
  const trainer = await trainerOn('train');
  const broken = { ...weights, values: weights.values.slice().fill(Number.NaN, 5, 6) };
  expect(await thrownBy(trainer.evaluate({ plan: digitsPlan(), weights: broken }))).toMatchObject({
    code: 'model-invalid',
  });
  const renamed = weights.tensors.map((tensor) => ({ ...tensor, name: `x${tensor.name}` }));
  const foreign = { tensors: renamed, values: weights.values };
  expect(await thrownBy(trainer.evaluate({ plan: digitsPlan(), weights: foreign }))).toMatchObject({
    code: 'model-invalid',
    message: expect.stringContaining('xdense_1/kernel'),
  });
});

test('no rows left to train on, or no file: data-invalid', async () => {
  const image = Buffer.concat([
    Buffer.from([0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 28, 0, 0, 0, 28]),
    Buffer.alloc(PIXELS),
  ]);
  await writeFile(join(folder, 'one-images.idx'), image);
  await writeFile(join(folder, 'one-labels.idx'), Buffer.from([0, 0, 8, 1, 0, 0, 0, 1, 3]));
  const one = await trainerOn('one');
  expect(await thrownBy(one.train(taskOf(digitsPlan())))).toMatchObject({ code: 'data-invalid' });
  const none = await trainerOn('none');
  expect(await thrownBy(none.train(taskOf(digitsPlan())))).toMatchObject({ code: 'data-invalid' });
});

test('close ends a running task, can be called twice, and nothing starts afterwards', async () => {
  const trainer = await trainerOn('train');
  const running = trainer.train(taskOf(digitsPlan({ epochs: 1000 })));
  setTimeout(() => trainer.close(), 300);
  expect(await thrownBy(running)).toMatchObject({ code: 'training-failed' });
  await trainer.close();
  expect(await thrownBy(trainer.train(taskOf(digitsPlan())))).toMatchObject({ code: 'training-failed' });
});
