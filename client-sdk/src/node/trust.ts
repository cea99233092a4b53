/** The owner accepts the key that the coordinator's pinned one signed for (PROTOCOL.md 4.8). */
import { fingerprint, TributaryError } from '@tributary/protocol';
import { nodeCrypto } from '@tributary/protocol/node';
import { findSuccessor, type Successor } from '../connection/successor.ts';
import { requireSecureUrl } from '../connection/url.ts';
import { loadEnrolment, replaceCoordinator } from './enrolment.ts';

export interface TrustOptions {
  /** State folder; a node that runs on it goes on with the new key by itself. */
  readonly folder: string;
  /** Of the new key, as the operator told it by telephone. */
  readonly fingerprint: string;
  readonly allowInsecure?: boolean;
}

/** @throws conflict (another fingerprint), not-found (the key has not changed), bad-signature, equivocation, unavailable */
export async function trustCoordinator(options: TrustOptions): Promise<Successor> {
  const { folder, allowInsecure = false } = options;
  const { url, key } = await loadEnrolment(folder);
  const successor = await findSuccessor(requireSecureUrl(url, allowInsecure), key);
  if (!successor)
    throw new TributaryError('not-found', `The coordinator shows nothing that ${key} signed for.`, {
      remedy: '`tributary doctor` shows which key it has; one that was set up anew needs a new invite.',
    });
  const shown = fingerprint(nodeCrypto, successor.key);
  if (shown !== options.fingerprint.trim().toLowerCase())
    throw new TributaryError(
      'conflict',
      `The new key has fingerprint ${shown}, not ${options.fingerprint}.`,
      {
        remedy: 'Do not go on: ask the operator by telephone which one is right.',
      },
    );
  await replaceCoordinator(folder, successor);
  return successor;
}
