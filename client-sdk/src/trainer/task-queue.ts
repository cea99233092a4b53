/** One task at a time, in the order in which they came. */

export type TaskQueue = <T>(signal: AbortSignal | undefined, job: () => Promise<T>) => Promise<T>;

/** A job waits for the one before, whatever became of it; an abort while waiting is not kept waiting. */
export function createTaskQueue(): TaskQueue {
  let last: Promise<unknown> = Promise.resolve();
  return (signal, job) => {
    const result = last.then(job);
    last = result.catch(() => {});
    return signal ? Promise.race([result, aborted(signal, result)]) : result;
  };
}

/** Rejects when the signal fires, and never before `result` is settled otherwise. */
function aborted(signal: AbortSignal, result: Promise<unknown>): Promise<never> {
  return new Promise((_, reject) => {
    const onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    result.then(
      () => signal.removeEventListener('abort', onAbort),
      () => signal.removeEventListener('abort', onAbort),
    );
  });
}
