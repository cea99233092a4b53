import { LIMITS } from '@tributary/protocol';

/** Of the handshakes under way, so many may be of one address: silent sockets there lock nobody else out. */
const PER_ADDRESS = LIMITS.handshakes / 4;

export interface HandshakeSlots {
  free(address: string): boolean;
  /** @returns gives the slot back. */
  take(address: string): () => void;
}

export function createHandshakeSlots(): HandshakeSlots {
  const taken = new Map<string, number>();
  let total = 0;
  return {
    free: (address) => total < LIMITS.handshakes && (taken.get(address) ?? 0) < PER_ADDRESS,
    take(address) {
      total++;
      taken.set(address, (taken.get(address) ?? 0) + 1);
      return () => {
        total--;
        const left = taken.get(address)! - 1;
        if (left === 0) taken.delete(address);
        else taken.set(address, left);
      };
    },
  };
}
