/** Trains partners alone, one after the other: a process started by baseline.ts, spoken to over its channel. */
import './leash.ts';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import {
  createTfjsTrainer,
  type DataSource,
  loadIdentity,
  type TfjsTrainerOptions,
} from '@tributary/client-sdk';
import { type Identity, type ModelWeights, type Plan, utf8 } from '@tributary/protocol';
import { nodeCrypto } from '@tributary/protocol/node';

export interface AloneTask {
  readonly plan: Plan;
  readonly initial: ModelWeights;
  readonly name: string;
  /** Of the partner: rows and state. */
  readonly folder: string;
  readonly passphrase: string;
  readonly data: DataSource;
  readonly engine: TfjsTrainerOptions['engine'];
}

export type AloneWord =
  /** `done` from 0 to 1. */
  | { readonly kind: 'progress'; readonly done: number }
  /** Sent after the first and after the last round. */
  | { readonly kind: 'trained'; readonly round: number; readonly values: Float32Array };

async function work({ plan, initial, name, folder, passphrase, data, engine }: AloneTask): Promise<void> {
  const splitSeed = holdoutSeed(await loadIdentity(join(folder, 'state'), passphrase));
  const trainer = await createTfjsTrainer({ data, folder, engine: engine ?? 'auto' });
  let { values } = initial;
  for (let round = 1; round <= plan.rounds; round++) {
    const trained = await trainer.train({
      plan,
      weights: { tensors: initial.tensors, values },
      seed: createHash('sha256').update(`alone ${plan.seed} ${name} ${round}`).digest(),
      splitSeed,
      onProgress: (done) => say({ kind: 'progress', done: (round - 1 + done) / plan.rounds }),
    });
    values = trained.values;
    if (round === 1 || round === plan.rounds) say({ kind: 'trained', round, values });
  }
  await trainer.close();
}

/** As the node's session derives it, so that the same rows are held out here. */
function holdoutSeed(identity: Identity): Uint8Array {
  return nodeCrypto.hkdf(identity.seed, new Uint8Array(32), utf8('tributary/1/hold-out'), 32);
}

function say(word: AloneWord): void {
  process.send!(word);
}

process.channel!.ref();
process.on('message', (task) => {
  work(task as AloneTask).catch((error: Error) => {
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  });
});
