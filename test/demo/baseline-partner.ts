/** One partner alone, in a process of its own: started by baseline.ts, spoken to over its channel. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { createTfjsTrainer, loadIdentity } from '@tributary/client-sdk';
import { type Identity, type ModelWeights, type Plan, utf8 } from '@tributary/protocol';
import { nodeCrypto } from '@tributary/protocol/node';

export interface BaselineTask {
  readonly plan: Plan;
  readonly initial: ModelWeights;
  readonly name: string;
  /** Of the partner: rows and state. */
  readonly folder: string;
}

export type BaselineWord =
  /** `done` from 0 to 1. */
  | { readonly kind: 'progress'; readonly done: number }
  /** Sent after the first and after the last round. */
  | { readonly kind: 'trained'; readonly round: number; readonly values: Float32Array };

async function work({ plan, initial, name, folder }: BaselineTask): Promise<void> {
  const identity = await loadIdentity(join(folder, 'state'), process.env.TRIBUTARY_PASSPHRASE ?? '');
  const trainer = await createTfjsTrainer({
    data: { kind: 'idx', images: 'train-images.idx3-ubyte', labels: 'train-labels.idx1-ubyte' },
    folder,
  });
  const splitSeed = holdoutSeed(identity);
  let { values } = initial;
  for (let round = 1; round <= plan.rounds; round++) {
    const trained = await trainer.train({
      plan,
      weights: { tensors: initial.tensors, values },
      seed: createHash('sha256').update(`alone ${plan.seed} ${name} ${round}`).digest(),
      splitSeed,
      onProgress: (done) => void say({ kind: 'progress', done: (round - 1 + done) / plan.rounds }),
    });
    values = trained.values;
    if (round === 1 || round === plan.rounds) await say({ kind: 'trained', round, values });
  }
  await trainer.close();
}

/** As the node's session derives it, so that the same rows are held out here. */
function holdoutSeed(identity: Identity): Uint8Array {
  return nodeCrypto.hkdf(identity.seed, new Uint8Array(32), utf8('tributary/1/hold-out'), 32);
}

/** Resolves when the words have left. */
function say(word: BaselineWord): Promise<void> {
  return new Promise((resolve) => process.send!(word, () => resolve()));
}

// The demo is gone: so is everybody who wants to know.
process.once('disconnect', () => process.exit(0));
process.once('message', (task) => {
  work(task as BaselineTask).then(
    () => process.disconnect(),
    (error: Error) => {
      console.error(error.message);
      process.exit(1);
    },
  );
});
