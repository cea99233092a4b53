/**
 * Accepted keys that were replaced by others (PROTOCOL.md 4.8). A chain of rotations proves that the accepted key signed
 * for the new one; a thief with the old key can sign too, so whether the pin moves is the owner's policy.
 */
import { chainFrom, type Identity, type SignedRotation } from '@tributary/protocol';
import { nodeCrypto } from '@tributary/protocol/node';
import { getRotations } from '../connection/requests.ts';
import { requireSecureUrl } from '../connection/url.ts';
import { coordinatorKeys, loadEnrolment } from './enrolment.ts';
import { changeMembers, type MembersFile } from './members-file.ts';

export interface Move {
  /** Under which the old key was accepted. */
  readonly name: string;
  readonly old: string;
  readonly key: string;
  /** Of the last rotation, as the signers say: milliseconds since 1970. */
  readonly time: number;
}

/** By accepted key: those that are no longer listed, and whose last successor is. */
export function movesOf(file: MembersFile, coordinators: readonly string[]): ReadonlyMap<string, Move> {
  const { pinned, seen, rotations = [] } = file;
  const partners = new Set(seen.filter(({ role }) => role === 'partner').map(({ key }) => key));
  const accepted = new Set(pinned.map(({ key }) => key));
  const moves = new Map<string, Move>();
  for (const { name, key: old } of pinned) {
    if (partners.has(old)) continue;
    const last = lastOf(old, rotations, coordinators)?.rotation;
    // Two accepted keys never become one, nor a key that was accepted already.
    if (!last || !partners.has(last.new) || accepted.has(last.new)) continue;
    accepted.add(last.new);
    moves.set(old, { name, old, key: last.new, time: last.time });
  }
  return moves;
}

/** What does not verify leads nowhere: the new key is a stranger then, as any other. */
function lastOf(
  from: string,
  rotations: readonly SignedRotation[],
  coordinators: readonly string[],
): SignedRotation | undefined {
  try {
    return chainFrom(nodeCrypto, from, rotations, { subject: 'member', coordinators }).at(-1);
  } catch {
    return undefined;
  }
}

export function withRotations(file: MembersFile, rotations: readonly SignedRotation[]): MembersFile {
  return rotations.length > 0 || file.rotations ? { ...file, rotations: [...rotations] } : file;
}

export interface FollowOptions {
  readonly folder: string;
  readonly identity: Identity;
  readonly allowInsecure: boolean;
  /** `rotation: follow`: the pins move; else they stay, and the moves are only told. */
  readonly follow: boolean;
}

/** Asks the coordinator, if an accepted key is no longer listed. @throws unavailable, storage-failed */
export async function checkMoves(options: FollowOptions): Promise<Move[]> {
  const { folder, identity, allowInsecure, follow } = options;
  const enrolment = await loadEnrolment(folder);
  const base = requireSecureUrl(enrolment.url, allowInsecure);
  const rotations = await getRotations(base, enrolment.key, identity);
  let found: Move[] = [];
  await changeMembers(folder, (file) => {
    const known = withRotations(file, rotations);
    const moves = movesOf(known, coordinatorKeys(enrolment));
    found = [...moves.values()];
    if (!follow) return known;
    const acceptedAt = Date.now();
    const pinned = known.pinned.map((member) => {
      const move = moves.get(member.key);
      return move ? { name: member.name, key: move.key, acceptedAt } : member;
    });
    return { ...known, pinned };
  });
  return found;
}
