/**
 * Every plan of the library (client-sdk/plans) trains under secure aggregation, on the data set that it is made for: the
 * real coordinator, three real clients with the built-in trainer, data read from the files that `data split` writes.
 */
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import {
  createTfjsTrainer,
  type DataSource,
  initialWeights,
  LIBRARY,
  type LibraryPlan,
  libraryPath,
  type SplitOptions,
  splitCancer,
  splitDigits,
  splitEmoji,
  splitSpeeches,
  splitWeather,
  type Trainer,
} from '@tributary/client-sdk';
import { readPlanFile } from '@tributary/client-sdk/training';
import { encodeSafetensors, type Plan, parsePlan, type RunDetail, toHex } from '@tributary/protocol';
import { nodeCrypto } from '@tributary/protocol/node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createClients, ended, type TestClients } from './support/clients.ts';
import { startTestCoordinator, type TestCoordinator } from './support/coordinator.ts';

/** CI trains them on native TensorFlow too. */
const ENGINE = process.env.TRIBUTARY_REQUIRE_NATIVE === '1' ? 'native' : 'wasm';

const PARTNERS = 3;
const SPLITS = {
  digits: splitDigits,
  cancer: splitCancer,
  weather: splitWeather,
  speeches: splitSpeeches,
  emoji: splitEmoji,
};

interface Trial {
  readonly plan: LibraryPlan;
  /** Partners that the data is dealt to; three of them take part, so that few rows train. */
  readonly dealt: number;
  readonly rounds: number;
  readonly training?: Partial<Plan['training']>;
  /**
   * The loss on the hold-outs falls to this share of what it was before the first round. Seeds differ from call to call:
   * the bars leave room for the worst of twenty.
   */
  readonly loss: number;
  /** The accuracy on the hold-outs rises at least by so much. */
  readonly accuracy?: number;
}

const README = readFileSync(join(dirname(libraryPath('cnn-32')), 'README.md'), 'utf8');
/** 3937409 as 3,937,409. */
const toWords = (count: number) => count.toLocaleString('en-US');

const folder = mkdtempSync(join(tmpdir(), 'tributary-plans-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const IMAGES: readonly Trial[] = [
  {
    plan: 'digits-2nn',
    dealt: 12,
    rounds: 2,
    training: { epochs: 4, batchSize: 32 },
    loss: 0.6,
    accuracy: 0.4,
  },
  { plan: 'autoencoder', dealt: 12, rounds: 2, training: { epochs: 1 }, loss: 0.6 },
  { plan: 'cnn-32', dealt: 4, rounds: 3, training: { batchSize: 8 }, loss: 0.95 },
  { plan: 'cnn-64', dealt: 3, rounds: 2, training: { epochs: 1 }, loss: 0.6, accuracy: 0.2 },
];
const TABLES: readonly Trial[] = [
  { plan: 'logistic-regression', dealt: 3, rounds: 4, training: { epochs: 5 }, loss: 0.9 },
  { plan: 'lstm-forecaster', dealt: 8, rounds: 2, training: { epochs: 1 }, loss: 0.7 },
  { plan: 'gru-forecaster', dealt: 8, rounds: 2, training: { epochs: 1 }, loss: 0.7 },
  { plan: 'embedding-classifier', dealt: 4, rounds: 3, loss: 0.95, accuracy: 0.1 },
  { plan: 'transformer-encoder', dealt: 5, rounds: 2, loss: 0.85, accuracy: 0.1 },
];

it('all of them are here, each in its file, with the comments that a newcomer needs', () => {
  expect([...IMAGES, ...TABLES].map(({ plan }) => plan).sort()).toEqual(Object.keys(LIBRARY).sort());
  const files = readdirSync(dirname(libraryPath('cnn-32'))).filter((name) => name.endsWith('.yaml'));
  expect(files.sort()).toEqual(
    Object.keys(LIBRARY)
      .sort()
      .map((name) => `${name}.yaml`),
  );
  for (const plan of Object.keys(LIBRARY) as LibraryPlan[]) {
    const text = readFileSync(libraryPath(plan), 'utf8');
    for (const word of ['# Data:', `data split ${LIBRARY[plan]} `, `--plan ${plan}`, '# Change:'])
      expect(text).toContain(word);
  }
});

describe.each<[string, DataSource, readonly Trial[]]>([
  ['images', { kind: 'idx', images: 'images', labels: 'labels' }, IMAGES],
  ['tables, series and texts', { kind: 'csv', path: 'rows.csv' }, TABLES],
])('on %s', (_, data, trials) => {
  let coordinator: TestCoordinator;
  let clients: TestClients;
  let trainers: Trainer[];
  const home = (partner: number) => join(folder, data.kind, String(partner));

  beforeAll(async () => {
    coordinator = await startTestCoordinator();
    clients = createClients(coordinator);
    trainers = await Promise.all(
      Array.from({ length: PARTNERS }, (_, partner) =>
        createTfjsTrainer({ data, folder: home(partner), engine: ENGINE }),
      ),
    );
    await clients.gather(PARTNERS, (partner) => ({ trainer: trainers[partner]! }));
  });
  afterAll(async () => {
    await clients.close();
    await Promise.all(trainers.map((trainer) => trainer.close()));
    await coordinator.close();
  });

  it.each(trials)(
    '$plan learns',
    { timeout: 240_000 },
    async ({ plan: name, dealt, rounds, training, loss, accuracy = 0 }) => {
      const out = join(folder, name);
      const options: SplitOptions = { partners: dealt, out, plan: name };
      await SPLITS[LIBRARY[name]](options);
      for (let partner = 0; partner < PARTNERS; partner += 1) takeFiles(out, partner);
      const library = await readPlanFile(join(out, 'plan.yaml'));
      expect(library.aggregation.mode).toBe('secure');
      const run = await trainHere(
        parsePlan({
          ...library,
          rounds,
          // A quarter of few rows: with less, chance would decide.
          holdout: 0.25,
          cohort: { min: PARTNERS },
          training: { ...library.training, ...training },
        }),
      );
      const [before, after] = [run.history[0]!.metrics.holdout!, run.history.at(-1)!.metrics.holdout!];
      expect(run.history.map(({ metrics }) => metrics.clipped)).toEqual(Array(rounds).fill(0));
      expect(after.loss).toBeLessThan(loss * before.loss);
      if (accuracy > 0) expect(after.metrics.accuracy).toBeGreaterThan(before.metrics.accuracy! + accuracy);
    },
  );

  /** Each round's hold-out sums are of the model that it began with: the last ones of what all before it achieved. */
  async function trainHere(plan: Plan): Promise<RunDetail> {
    const weights = await initialWeights(plan);
    expect(README).toMatch(
      new RegExp(`\\(${plan.name}\\.yaml\\).*\\| ${toWords(weights.values.length)} \\|`),
    );
    const file = encodeSafetensors(weights);
    const model = toHex(nodeCrypto.sha256(file));
    await coordinator.call('PUT', `/v1/blobs/${model}`, file);
    const started = await coordinator.call('POST', '/v1/runs', { plan, model });
    const run = await coordinator.until((started.body as { id: string }).id, ended);
    expect(run).toMatchObject({ status: 'done' });
    return run;
  }

  /** The files of a partner of the split under the names that the trainers look for. */
  function takeFiles(out: string, partner: number): void {
    const from = join(out, `partner-${partner + 1}`);
    mkdirSync(home(partner), { recursive: true });
    const files = readdirSync(from)
      .filter((name) => name !== 'node.yaml')
      .sort();
    const wanted = data.kind === 'idx' ? [data.images, data.labels] : data.kind === 'csv' ? [data.path] : [];
    expect(files).toHaveLength(wanted.length);
    for (const [i, file] of files.entries()) copyFileSync(join(from, file), join(home(partner), wanted[i]!));
  }
});
