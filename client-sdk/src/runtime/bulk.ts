/** How models come and vectors go: over HTTP, or as the simulator has it. */
import type { ModelWeights } from '@tributary/protocol';
import type { Backoff } from '../connection/backoff.ts';
import {
  type Authorized,
  downloadModel,
  type ExpectedModel,
  uploadVector,
  type Wire,
} from '../connection/bulk.ts';

export interface Bulk {
  /** As `downloadModel`. */
  download(expected: ExpectedModel, signal: AbortSignal): Promise<ModelWeights>;
  /** As `uploadVector`. */
  upload(attempt: string, bytes: Uint8Array, sha256: string, signal: AbortSignal): Promise<boolean>;
}

/** @param wire the simulator's */
export function createBulk(connection: Authorized, backoff?: Backoff, wire?: Wire): Bulk {
  return {
    download: (expected, signal) => downloadModel(connection, expected, signal, backoff, wire),
    upload: (attempt, bytes, sha256, signal) =>
      uploadVector(connection, attempt, bytes, sha256, signal, backoff, wire),
  };
}
