/** How models come and vectors go: over HTTP, or as the simulator has it. */
import type { ModelWeights } from '@tributary/protocol';
import type { Backoff } from '../connection/backoff.ts';
import { downloadModel, type ExpectedModel, uploadVector } from '../connection/bulk.ts';
import type { Connection } from '../connection/connection.ts';

export interface Bulk {
  /** As `downloadModel`. */
  download(expected: ExpectedModel, signal: AbortSignal): Promise<ModelWeights>;
  /** As `uploadVector`. */
  upload(attempt: string, bytes: Uint8Array, sha256: string, signal: AbortSignal): Promise<boolean>;
}

export function createBulk(connection: Connection, backoff?: Backoff): Bulk {
  return {
    download: (expected, signal) => downloadModel(connection, expected, signal, backoff),
    upload: (attempt, bytes, sha256, signal) =>
      uploadVector(connection, attempt, bytes, sha256, signal, backoff),
  };
}
