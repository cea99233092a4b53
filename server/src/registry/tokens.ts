/** API tokens of people. Stored hashed: 256 random bits need no slow hash, and a stolen database opens nothing. */
import { createHash, randomBytes } from 'node:crypto';
import { type PersonRole, type TokenSummary, TributaryError } from '@tributary/protocol';
import { crashPoint } from '@tributary/protocol/node';
import type { Store, TokenRow } from '../storage/ports.ts';

const PREFIX = 'trib_';
/** Name of the first one. */
export const FIRST_ADMIN = 'admin';
const TOKEN = /^trib_[A-Za-z0-9_-]{43}$/;

export interface Tokens {
  /** @returns the token's text, the only time that it is known. @throws conflict when the name is taken. */
  create(name: string, role: PersonRole): Promise<string>;
  list(): Promise<TokenSummary[]>;
  /** @throws not-found; conflict for the last admin token. */
  remove(name: string): Promise<void>;
  /** Whose token this is. */
  find(token: string): Promise<TokenRow | undefined>;
}

export function createTokens(store: Store, now: () => number = Date.now): Tokens {
  return {
    async create(name, role) {
      const token = PREFIX + randomBytes(32).toString('base64url');
      await store.addToken({ name, role, hash: hashToken(token), created: now() });
      crashPoint('coordinator.token.committed');
      return token;
    },
    list: async () => (await store.tokens()).map(({ name, role, created }) => ({ name, role, created })),
    async remove(name) {
      const tokens = await store.tokens();
      const token = tokens.find((row) => row.name === name);
      if (token?.role === 'admin' && tokens.filter((row) => row.role === 'admin').length === 1)
        throw new TributaryError('conflict', `Token ${name} is the last one of an administrator.`, {
          remedy: 'Make another admin token first, or nobody can make any.',
        });
      if (!token || !(await store.removeToken(name)))
        throw new TributaryError('not-found', `There is no token named ${name}.`, {
          remedy: 'Check the name: `tributary tokens list`.',
        });
      crashPoint('coordinator.token-revoked.committed');
    },
    find: async (token) => (TOKEN.test(token) ? store.tokenByHash(hashToken(token)) : undefined),
  };
}

/**
 * At the first start makes the token `admin` and returns it; null once an administrator has one. A crash between its row
 * and its print, like a slip of paper that got lost, leaves a token that nobody knows: `renew` puts another in its place.
 */
export async function ensureAdminToken(
  store: Store,
  { renew = false, now = Date.now }: { renew?: boolean; now?: () => number } = {},
): Promise<string | null> {
  if (renew) await store.removeToken(FIRST_ADMIN);
  if ((await store.tokens()).some((token) => token.role === 'admin') && !renew) return null;
  const token = await createTokens(store, now).create(FIRST_ADMIN, 'admin');
  crashPoint('coordinator.admin-token.committed');
  return token;
}

/** SHA-256, hex. */
function hashToken(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}
