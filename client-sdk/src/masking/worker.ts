/** The masking thread: arithmetic over all parameters that would hold up the session's heartbeats. */
import { type MessagePort, parentPort } from 'node:worker_threads';
import { asTributaryError, type ErrorCode } from '@tributary/protocol';
import { type MaskedVector, type MaskJob, maskUpdate } from './mask.ts';

export interface MaskRequest {
  readonly id: number;
  readonly job: MaskJob;
}

export type MaskReply =
  | { readonly id: number; readonly vector: MaskedVector }
  | { readonly id: number; readonly code: ErrorCode; readonly message: string };

function serve(port: MessagePort): void {
  port.on('message', ({ id, job }: MaskRequest) => {
    try {
      const vector = maskUpdate(job);
      port.postMessage({ id, vector } satisfies MaskReply, [vector.bytes.buffer as ArrayBuffer]);
    } catch (thrown) {
      const { code, message } = asTributaryError(thrown);
      port.postMessage({ id, code, message } satisfies MaskReply);
    } finally {
      // What would take the masks off again, and what they hide.
      for (const { key } of job.terms) key.fill(0);
      job.result.values.fill(0);
    }
  });
}

if (parentPort) serve(parentPort);
