/** What nodes said they train with: shown to operators, recorded with each round. Nothing depends on it. */
import type { EngineReport } from '@tributary/protocol';

export interface Engines {
  report(member: string, engine: EngineReport): void;
  /** Null for who has not said so since the coordinator started. */
  of(member: string): EngineReport | null;
  /** Of those who have said so, by key. */
  ofAll(members: readonly string[]): Record<string, EngineReport>;
}

/** Kept after a node has left: its update may still count. At most one entry for each enrolled key. */
export function createEngines(): Engines {
  const engines = new Map<string, EngineReport>();
  return {
    report(member, engine) {
      engines.set(member, engine);
    },
    of: (member) => engines.get(member) ?? null,
    ofAll: (members) =>
      Object.fromEntries(
        members.flatMap((member) => {
          const engine = engines.get(member);
          return engine ? [[member, engine]] : [];
        }),
      ),
  };
}
