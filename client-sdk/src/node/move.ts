/** The coordinator has moved to another address; its key stays, so ledger and accepted members do. */
import { fingerprint, TributaryError } from '@tributary/protocol';
import { nodeCrypto } from '@tributary/protocol/node';
import { getCoordinator } from '../connection/requests.ts';
import { findSuccessor } from '../connection/successor.ts';
import { requireSecureUrl } from '../connection/url.ts';
import { type Enrolment, loadEnrolment, saveAddress } from './enrolment.ts';

export interface MoveOptions {
  /** State folder; a node that runs on it keeps the old address until it is started again. */
  readonly folder: string;
  readonly url: string;
  readonly allowInsecure?: boolean;
}

/**
 * Against typing errors: what answers there says that it has the pinned key, or one that the pinned key signed for. Each
 * session proves it (PROTOCOL.md 4.1).
 * @throws malformed, policy-refused (plain HTTP), unavailable, wrong-coordinator
 */
export async function moveCoordinator({
  folder,
  url,
  allowInsecure = false,
}: MoveOptions): Promise<Enrolment> {
  const { key } = await loadEnrolment(folder);
  const base = requireSecureUrl(url, allowInsecure);
  const shown = (await getCoordinator(base)).key;
  if (shown !== key && (await findSuccessor(base, key))?.key !== shown)
    throw new TributaryError(
      'wrong-coordinator',
      `${base.origin} has key ${fingerprint(nodeCrypto, shown)}; this node is enrolled with ${fingerprint(nodeCrypto, key)}.`,
      {
        remedy:
          'Ask the operator for the right address. A coordinator that was set up anew needs a new invite, and `tributary node init INVITE` in a new folder.',
      },
    );
  return saveAddress(folder, base.origin);
}
