/** The long work of attempts and evaluations: model down, training, masking, vector up. Each can be stopped at any instant. */
import { asTributaryError, type ModelWeights, TributaryError } from '@tributary/protocol';
import { crashPoint } from '@tributary/protocol/node';
import type { MaskedVector } from '../masking/mask.ts';
import type { Masker } from '../masking/masker.ts';
import type { Effect, SessionInput } from '../session/index.ts';
import type { Trainer, TrainingResult } from '../trainer/port.ts';
import type { Bulk } from './bulk.ts';

export interface JobDeps {
  readonly bulk: Bulk;
  readonly trainer: Trainer;
  readonly masker: Pick<Masker, 'mask'>;
  readonly submit: (input: SessionInput) => void;
}

/** What is kept of an attempt until it is forgotten. */
interface Work {
  readonly controller: AbortController;
  base?: ModelWeights;
  result?: TrainingResult;
  vector?: MaskedVector;
}

type EffectOf<T extends Effect['type']> = Extract<Effect, { type: T }>;

export interface Jobs {
  train(effect: EffectOf<'train'>): void;
  mask(effect: EffectOf<'mask'>): void;
  upload(effect: EffectOf<'upload'>): void;
  evaluate(effect: EffectOf<'evaluate'>): void;
  forget(attempt: string): void;
  /** Forgets everything. */
  close(): void;
}

export function createJobs({ bulk, trainer, masker, submit }: JobDeps): Jobs {
  const works = new Map<string, Work>();
  const all = new AbortController();
  let evaluated: Promise<void> = Promise.resolve();

  /** Nothing is reported of an attempt that was forgotten meanwhile. A job that cannot tell gives null. */
  function run(attempt: string, work: Work, job: () => Promise<SessionInput | null>): void {
    job().then(
      (input) => {
        if (input && works.get(attempt) === work) submit(input);
      },
      (thrown) => {
        if (works.get(attempt) === work) submit({ type: 'failed', attempt, error: failure(thrown) });
      },
    );
  }

  /** Every part has been put there by the effect before. */
  function partOf<K extends 'base' | 'result' | 'vector'>(work: Work, part: K): NonNullable<Work[K]> {
    const found = work[part];
    if (found) return found as NonNullable<Work[K]>;
    throw new TributaryError('internal', `An attempt came to its ${part} too early.`);
  }

  function workOf(attempt: string): Work {
    const known = works.get(attempt);
    if (known) return known;
    const work = { controller: new AbortController() };
    works.set(attempt, work);
    return work;
  }

  return {
    train({ attempt, announcement, plan, seed, splitSeed }) {
      const work = workOf(attempt);
      const { signal } = work.controller;
      run(attempt, work, async () => {
        const { model, weights, layout } = announcement;
        const expected = { model, weights, parameters: layout.parameters };
        work.base = await bulk.download(expected, signal);
        const onProgress = (done: number) => {
          if (works.get(attempt) === work) submit({ type: 'progress', attempt, done });
        };
        const task = { plan, weights: work.base, seed, splitSeed, signal, onProgress };
        work.result = await trainer.train(task);
        crashPoint('node.trained');
        return { type: 'trained', attempt };
      });
    },
    mask({ attempt, plan, terms, members }) {
      const work = workOf(attempt);
      run(attempt, work, async () => {
        const { values: base } = partOf(work, 'base');
        const result = partOf(work, 'result');
        const masking = masker.mask({ plan, base, result, terms, members });
        // The update lives on in the masking thread only.
        delete work.base;
        delete work.result;
        work.vector = await masking;
        crashPoint('node.masked');
        return { type: 'masked', attempt, sha256: work.vector.sha256 };
      });
    },
    upload({ attempt }) {
      const work = workOf(attempt);
      run(attempt, work, async () => {
        const { bytes, sha256 } = partOf(work, 'vector');
        crashPoint('node.upload.latched');
        const { signal } = work.controller;
        if (!(await bulk.upload(attempt, bytes, sha256, signal))) return null;
        crashPoint('node.upload.acknowledged');
        return { type: 'uploaded', attempt };
      });
    },
    evaluate({ run, round, model, plan }) {
      const { signal } = all;
      const evaluate = async (): Promise<SessionInput> => {
        const weights = await bulk.download({ model }, signal);
        const { count, loss, metrics } = await trainer.evaluate({ plan, weights, signal });
        crashPoint('node.evaluated');
        return { type: 'evaluated', run, round, model, result: { count, loss, metrics } };
      };
      // One after the other: a run of many rounds asks for all of its models at once, and each is held in memory.
      evaluated = evaluated.then(async () => {
        if (signal.aborted) return;
        await evaluate().then(submit, (thrown) => {
          if (!signal.aborted)
            submit({ type: 'evaluation-failed', run, round, model, error: failure(thrown) });
        });
      });
    },
    forget(attempt) {
      works.get(attempt)?.controller.abort();
      works.delete(attempt);
    },
    close() {
      all.abort();
      for (const attempt of [...works.keys()]) this.forget(attempt);
    },
  };
}

/** A partner's own trainer may throw anything; its words are for the owner. */
function failure(thrown: unknown): TributaryError {
  if (thrown instanceof TributaryError) return thrown;
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  return new TributaryError('training-failed', text, { cause: asTributaryError(thrown) });
}
