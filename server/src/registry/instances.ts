/**
 * Which process uses an identity. One key, one ledger, one process: a second one would send a second vector on the same
 * weights, and the two together tell what was masked. Signs of a copy are kept as an incident of the partner.
 */
import { type Instance, TributaryError } from '@tributary/protocol';
import { crashPoint } from '@tributary/protocol/node';
import type { Logger } from 'pino';
import type { Store } from '../storage/ports.ts';

interface SessionOf {
  readonly id: string;
  readonly member: string;
}

export interface Instances {
  began(session: SessionOf): void;
  /** What the member of the current session says of its process. @throws identity-cloned: its state is older than what was seen. */
  report(member: string, instance: Instance): Promise<void>;
  /** `outlived`: a newer session took its place although this one's process was alive. */
  ended(session: SessionOf, outlived: boolean): Promise<void>;
}

/** More starts than a node can have: from an incident on, only the process that was there before goes on. */
const NEVER = Number.MAX_SAFE_INTEGER;

/** The current session of a member, its process, and a process that was alive when it was replaced. */
interface Use {
  readonly session: string;
  readonly process: string | null;
  readonly before: string | null;
  readonly outlived: string | null;
}

export function createInstances(store: Store, log: Logger, now: () => number = Date.now): Instances {
  const uses = new Map<string, Use>();

  async function incident(member: string, reason: string): Promise<void> {
    const partner = await store.partnerByKey(member);
    log.warn({ audit: 'identity.cloned', partner: partner?.name, reason }, 'two nodes use one identity');
    await store.notePartner(member, { incident: { time: now(), reason } });
  }

  /** Once both processes are known. */
  async function compare(member: string): Promise<void> {
    const use = uses.get(member);
    if (!use?.outlived || !use.process) return;
    uses.set(member, { ...use, outlived: null });
    if (use.outlived !== use.process)
      await incident(member, 'Two processes used this identity at the same time: the key was copied.');
  }

  return {
    began({ id, member }) {
      const previous = uses.get(member);
      // A session that never said its process hides none of the one before it.
      const before = previous?.process ?? previous?.before ?? null;
      uses.set(member, { session: id, process: null, before, outlived: null });
    },
    async report(member, instance) {
      const known = (await store.partnerByKey(member))?.instance;
      if (known && known.id !== instance.id && instance.starts <= known.starts) {
        // Short: it is the reason that a WebSocket is closed with.
        const reason =
          known.starts === NEVER
            ? 'A copy or an old backup of the state folder ran before, and no operator has said `resume` since.'
            : `Start ${instance.starts} of a node came after start ${known.starts}: a copy or an old backup of its state folder.`;
        await incident(member, reason);
        // Whoever restarts a copy often enough would get past what it is behind.
        await store.notePartner(member, { instance: { ...known, starts: NEVER } });
        throw new TributaryError('identity-cloned', reason);
      }
      if (known?.id !== instance.id) {
        await store.notePartner(member, { instance });
        crashPoint('coordinator.instance.committed');
      }
      const use = uses.get(member);
      if (use) uses.set(member, { ...use, process: instance.id });
      await compare(member);
    },
    async ended({ id, member }, outlived) {
      const use = uses.get(member);
      if (use?.session === id) uses.delete(member);
      else if (use && outlived) {
        uses.set(member, { ...use, outlived: use.before });
        await compare(member);
      }
    },
  };
}
