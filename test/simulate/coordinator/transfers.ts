/** As `transport/http/blobs.ts` and `transport/http/updates.ts`, whose routes are one with Fastify. */
import type { Readable } from 'node:stream';
import { TributaryError } from '@tributary/protocol';
import { type Coordinator, createUploads } from '@tributary/server/parts';
import type { DiskPorts } from '../disk/ports.ts';
import type { Oracle } from '../oracle/oracle.ts';
import type { Sessions } from './sessions.ts';

export interface Update {
  readonly attempt: string;
  readonly member: string;
  readonly sha256: string;
}

/** Each throws as its route does. */
export interface Transfers {
  blob(member: string, hash: string): Promise<Buffer>;
  status(update: Update): Promise<{ offset: number; bytes: number }>;
  put(update: Update, offset: number, length: number, body: Readable): Promise<void>;
}

export function createTransfers(
  sessions: Sessions,
  ondisk: DiskPorts,
  coordinator: Coordinator,
  oracle: Oracle,
): Transfers {
  const begun = createUploads();
  const requireSession = (member: string): void => {
    if (!sessions.has(member)) throw new TributaryError('unauthenticated', 'No session.');
  };
  return {
    async blob(member, hash) {
      requireSession(member);
      const bytes = await ondisk.readBlob(hash);
      coordinator.modelSent(hash, bytes.length);
      return bytes;
    },
    async status({ attempt, member, sha256 }) {
      requireSession(member);
      const { bytes } = coordinator.expectUpdate(attempt, member);
      begun.cut(member, attempt);
      const held = await ondisk.spool.held(attempt, member, sha256);
      return { offset: held === 'all' ? bytes : held, bytes };
    },
    async put({ attempt, member, sha256 }, offset, length, body) {
      requireSession(member);
      const { bytes } = coordinator.expectUpdate(attempt, member);
      if (offset > bytes || length !== bytes - offset)
        throw new TributaryError('malformed', 'The update has another length.');
      const done = begun.begin(member, attempt, body);
      try {
        await ondisk.spool.receive(attempt, member, body, { sha256, bytes, offset });
      } finally {
        done();
      }
      await coordinator.updateReceived({ attempt, member, sha256, bytes });
      if (offset > 0) oracle.resumed();
      oracle.acknowledged(attempt, member, sha256);
    },
  };
}
