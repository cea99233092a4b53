/** Models on their way, by who asked for them: each is in memory until the last byte has left, however slowly it is read. */
import { TributaryError } from '@tributary/protocol';
import type { Caller } from '../../plugins/auth.ts';

/** A node downloads one in each run, and waits for its turn; however often it asks for the same one, it is there once. */
const MODELS = 4;

export interface Downloads {
  /** @returns what to call when it is over. @throws rate-limited */
  begin(caller: Caller | null, sha256: string): () => void;
}

export function createDownloads(): Downloads {
  /** Hashes of models, by caller. */
  const open = new Map<string, readonly string[]>();
  return {
    begin(caller, sha256) {
      const who = caller?.kind === 'node' ? `node ${caller.member}` : `token ${caller?.name}`;
      const before = open.get(who) ?? [];
      if (!before.includes(sha256) && new Set(before).size >= MODELS)
        throw new TributaryError(
          'rate-limited',
          `More than ${MODELS} models of one caller at the same time.`,
        );
      open.set(who, [...before, sha256]);
      return () => {
        const left = [...open.get(who)!];
        left.splice(left.indexOf(sha256), 1);
        if (left.length > 0) open.set(who, left);
        else open.delete(who);
      };
    },
  };
}
