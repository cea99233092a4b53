/** The masking thread from outside: started by the first job, kept for the next rounds. */
import { Worker } from 'node:worker_threads';
import { TributaryError } from '@tributary/protocol';
import type { MaskedVector, MaskJob } from './mask.ts';
import type { MaskReply, MaskRequest } from './worker.ts';

export interface Masker {
  /** Takes `job.base` over; everything else is copied before it returns. @throws as `maskUpdate`; internal when the thread dies */
  mask(job: MaskJob): Promise<MaskedVector>;
  close(): Promise<void>;
}

interface Pending {
  readonly resolve: (vector: MaskedVector) => void;
  readonly reject: (error: TributaryError) => void;
}

export function createMasker(): Masker {
  const pending = new Map<number, Pending>();
  let worker: Worker | null = null;
  let last = 0;

  function start(): Worker {
    const started = new Worker(new URL('./worker.js', import.meta.url));
    const die = (why: string) => {
      if (worker === started) worker = null;
      for (const { reject } of pending.values())
        reject(new TributaryError('internal', `The masking thread ${why}.`));
      pending.clear();
    };
    started.on('message', (reply: MaskReply) => {
      const waiting = pending.get(reply.id);
      pending.delete(reply.id);
      // An idle masking thread must not keep the process alive; a working one must.
      if (pending.size === 0) started.unref();
      if ('vector' in reply) waiting?.resolve(reply.vector);
      else waiting?.reject(new TributaryError(reply.code, reply.message));
    });
    started.on('error', (error) => die(`failed: ${error.message}`));
    started.on('exit', (code) => die(`ended with code ${code}`));
    return started;
  }

  return {
    mask: (job) =>
      new Promise((resolve, reject) => {
        worker ??= start();
        worker.ref();
        const id = ++last;
        pending.set(id, { resolve, reject });
        worker.postMessage({ id, job } satisfies MaskRequest, [job.base.buffer as ArrayBuffer]);
      }),
    async close() {
      const ended = worker;
      worker = null;
      await ended?.terminate();
    },
  };
}
