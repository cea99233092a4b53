/** Another key at the coordinator's address: does the pinned one lead to it (PROTOCOL.md 4.8)? */
import { chainFrom, fingerprint, TributaryError } from '@tributary/protocol';
import { nodeCrypto } from '@tributary/protocol/node';
import { getOwnRotations } from './requests.ts';

export interface Successor {
  /** The last key of the chain. */
  readonly key: string;
  /** Those before it, the pinned one first. */
  readonly former: readonly string[];
  /** Of the last rotation, as the signers say: milliseconds since 1970. */
  readonly time: number;
}

/** @returns null where the pinned key was not replaced. @throws bad-signature, equivocation, unavailable, malformed */
export async function findSuccessor(base: URL, pinned: string): Promise<Successor | null> {
  const chain = chainFrom(nodeCrypto, pinned, await getOwnRotations(base), { subject: 'coordinator' });
  const last = chain.at(-1)?.rotation;
  if (!last) return null;
  return { key: last.new, former: chain.map(({ rotation }) => rotation.old), time: last.time };
}

/** What an owner is told who is to decide. */
export function askedFor({ key, former, time }: Successor): TributaryError {
  const [before, after] = [former[0] ?? '', key].map((each) => fingerprint(nodeCrypto, each));
  return new TributaryError(
    'wrong-coordinator',
    `The coordinator has key ${after} since ${new Date(time).toISOString()}, signed by the pinned key ${before}. ` +
      `A thief could have signed too: ask its operator by telephone, then: \`tributary node trust ${after}\`.`,
    { remedy: `Ask its operator for the fingerprint by telephone, then: \`tributary node trust ${after}\`.` },
  );
}
