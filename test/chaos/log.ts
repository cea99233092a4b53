/** What a node's process writes down while it lives: one JSON line per event, whole or not at all when it is killed. */
import { existsSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** Attempts by the hash of their announcement. */
export type NodeEvent =
  | {
      readonly type: 'announced';
      readonly id: string;
      readonly run: string;
      readonly round: number;
      readonly attempt: number;
    }
  /** The quantised, unmasked vector lies in the vectors folder; `members` = |U2|. */
  | { readonly type: 'vector'; readonly id: string; readonly members: number; readonly weights: string }
  | { readonly type: 'uploading' | 'uploaded'; readonly id: string; readonly sha256: string }
  | {
      readonly type: 'published';
      readonly run: string;
      readonly round: number;
      readonly model: string;
      readonly transcript: string;
    }
  /** The node left, or the coordinator gave up. */
  | {
      readonly type: 'left' | 'abandoned';
      readonly id: string;
      readonly code: string;
      readonly message: string;
    };

export const vectorPath = (folder: string, id: string): string => join(folder, 'vectors', id);
const logPath = (folder: string): string => join(folder, 'events.ndjson');

export function openNodeLog(folder: string): (event: NodeEvent) => void {
  const file = openSync(logPath(folder), 'a', 0o600);
  return (event) => void writeSync(file, `${JSON.stringify(event)}\n`);
}

/** Reads what was added since the last call. */
export function followNodeLog(folder: string): () => NodeEvent[] {
  let read = 0;
  return () => {
    if (!existsSync(logPath(folder))) return [];
    const bytes = readFileSync(logPath(folder));
    const end = bytes.lastIndexOf(0x0a) + 1;
    const lines = bytes.subarray(read, end).toString('utf8').split('\n').filter(Boolean);
    read = end;
    return lines.map((line) => JSON.parse(line) as NodeEvent);
  };
}
