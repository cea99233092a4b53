/** What the nodes' processes wrote down, put together: who was in which attempt, with which vector. */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { followNodeLog, type NodeEvent, vectorPath } from './log.ts';

/** What a node leaves with when it was killed or stopped: its vector stands (PROTOCOL.md 6.6). */
const PROCESS_ENDED: ReadonlySet<string> = new Set(['sits-out', 'unavailable']);

export interface AttemptRecord {
  readonly id: string;
  readonly run: string;
  readonly round: number;
  readonly attempt: number;
  /** By node. */
  readonly vectors: Map<string, { readonly members: number; readonly weights: string }>;
  /** Nodes whose first byte may have left. */
  readonly sent: Set<string>;
  /** Nodes that were told that their update is durable. */
  readonly acknowledged: Set<string>;
  /** Nodes that took their vector back, or were suspended meanwhile. One whose process ended takes nothing back. */
  readonly withdrawn: Set<string>;
  /** Why the coordinator gave it up. */
  void: string | null;
}

export interface Claim {
  readonly node: string;
  readonly run: string;
  readonly round: number;
  readonly model: string;
  readonly transcript: string;
}

export interface Records {
  readonly attempts: ReadonlyMap<string, AttemptRecord>;
  /** Rounds that nodes were told of. */
  readonly claims: readonly Claim[];
  /** The node was suspended: what it has in attempts that are open may not count. */
  revoked(node: string, open: { readonly run: string; readonly round: number }): void;
  /** Reads what is new. */
  read(): void;
  /** Null where the node wrote none. */
  vector(id: string, node: string): Uint32Array | null;
  /** Not needed any more: hundreds of rounds would fill the disk. */
  drop(id: string): void;
}

/** @param folders by node */
export function createRecords(
  folders: ReadonlyMap<string, string>,
  violation: (text: string) => void,
): Records {
  const attempts = new Map<string, AttemptRecord>();
  const claims: Claim[] = [];
  const follow = new Map([...folders].map(([node, folder]) => [node, followNodeLog(folder)]));
  function announced({ id, run, round, attempt }: Extract<NodeEvent, { type: 'announced' }>): void {
    const twin = [...attempts.values()].find(
      (other) => other.run === run && other.round === round && other.attempt === attempt && other.id !== id,
    );
    if (twin)
      violation(`two announcements of attempt ${attempt} of round ${round} in ${run}: ${id}, ${twin.id}`);
    if (attempts.has(id)) return;
    const sets = { sent: new Set<string>(), acknowledged: new Set<string>(), withdrawn: new Set<string>() };
    attempts.set(id, { id, run, round, attempt, vectors: new Map(), ...sets, void: null });
  }

  function take(node: string, event: NodeEvent): void {
    if (event.type === 'announced') announced(event);
    if (event.type === 'published') claims.push({ node, ...event });
    if (event.type === 'announced' || event.type === 'published') return;
    const record = attempts.get(event.id);
    // Left before it was announced here: refused at once.
    if (!record) return;
    switch (event.type) {
      case 'vector':
        if (record.vectors.has(node)) violation(`${node} fixed two vectors in attempt ${event.id}`);
        record.vectors.set(node, { members: event.members, weights: event.weights });
        return;
      case 'uploading':
        record.sent.add(node);
        return;
      case 'uploaded':
        record.acknowledged.add(node);
        return;
      case 'left':
        if (!PROCESS_ENDED.has(event.code)) record.withdrawn.add(node);
        return;
      case 'abandoned':
        record.void ??= event.code;
        return;
      default:
        event satisfies never;
    }
  }

  return {
    attempts,
    claims,
    revoked(node, { run, round }) {
      this.read();
      for (const attempt of attempts.values())
        if (attempt.run === run && attempt.round >= round) attempt.withdrawn.add(node);
    },
    read() {
      for (const [node, next] of follow) for (const event of next()) take(node, event);
    },
    vector(id, node) {
      const path = vectorPath(folders.get(node)!, id);
      if (!existsSync(path)) return null;
      const bytes = readFileSync(path);
      return new Uint32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
    },
    drop(id) {
      for (const folder of folders.values()) rmSync(vectorPath(folder, id), { force: true });
    },
  };
}
