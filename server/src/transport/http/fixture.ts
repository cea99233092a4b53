/** The HTTP API over real storage and a real registry, for tests; the coordinator behind it is a few lines. */
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  authorizeRequest,
  decodeInvite,
  type EnrolRequest,
  emptyDigest,
  type Identity,
  identityFromSeed,
  type PersonRole,
  type RunAction,
  type RunDetail,
  type RunEvent,
  type RunSummary,
  SOFTWARE_VERSION,
  sign,
  signRequest,
  TributaryError,
  toBase64,
} from '@tributary/protocol';
import { nodeCrypto } from '@tributary/protocol/node';
import { fastify as createFastify, type FastifyInstance } from 'fastify';
import { type Logger, pino } from 'pino';
import { installAuth, type SessionClaimant } from '../../plugins/auth.ts';
import { createPartners } from '../../registry/partners.ts';
import { createTokens, ensureAdminToken } from '../../registry/tokens.ts';
import { createBlobCache } from '../../storage/blob-cache.ts';
import { type BlobFolder, openBlobFolder } from '../../storage/blobs.ts';
import type { ResumableSpool, Store } from '../../storage/ports.ts';
import { openSpoolFolder } from '../../storage/spool.ts';
import { createReplayWindow } from '../ws/replay-window.ts';
import { httpOptions, registerBasics, registerRoutes } from './index.ts';

export const sha = (bytes: Uint8Array | string) => createHash('sha256').update(bytes).digest('hex');
export const ATTEMPT = sha('attempt');
export const UPDATE_BYTES = 1_200_000;

export interface Node {
  readonly identity: Identity;
  readonly name: string;
  /** Authorization of a request under the node's session. `body` or its digest; the counter goes on by itself. */
  session(method: string, path: string, body?: Uint8Array | string, counter?: number): string;
  signed(
    method: string,
    path: string,
    change?: { time?: number; coordinator?: string; nonce?: Uint8Array },
  ): string;
}

export interface Fixture {
  readonly fastify: FastifyInstance;
  readonly store: Store;
  readonly blobs: BlobFolder;
  readonly spool: ResumableSpool;
  readonly coordinator: Identity;
  readonly admin: string;
  /** Everything that was logged, at level trace. */
  readonly logged: () => string;
  readonly sent: { hash: string; member: string | null; bytes: number }[];
  readonly received: Map<string, string>;
  readonly suspended: string[];
  /** `late`: the survivors are fixed. */
  readonly state: { ready: boolean; now: number; aborted: number; late: boolean };
  token(role: PersonRole): Promise<string>;
  invite(name: string): Promise<string>;
  enrolment(invite: string, identity?: Identity, change?: Partial<EnrolRequest>): EnrolRequest;
  enrol(name: string): Promise<Node>;
  close(): Promise<void>;
}

export async function createFixture(openStore: (folder: string) => Promise<Store>): Promise<Fixture> {
  const folder = mkdtempSync(join(tmpdir(), 'tributary-http-'));
  const lines: string[] = [];
  const log: Logger = pino({ level: 'trace' }, { write: (line: string) => void lines.push(line) });
  const coordinator = newIdentity();
  const store = await openStore(join(folder, 'store'));
  const blobs = await openBlobFolder(join(folder, 'blobs'));
  const spool = await openSpoolFolder(join(folder, 'spool'));
  const sessions = new Map<string, SessionClaimant>();
  const state = { ready: true, now: Date.now(), aborted: 0, late: false };
  const sent: Fixture['sent'] = [];
  const received = new Map<string, string>();
  const suspended: string[] = [];
  const now = () => state.now;

  const tokens = createTokens(store, now);
  const partners = createPartners({
    store,
    identity: coordinator,
    publicUrl: () => 'http://coordinator.example',
    connected: () => false,
    onRevoked: async (key) => void suspended.push(key),
    now,
  });
  const fastify = createFastify(httpOptions(log)) as unknown as FastifyInstance;
  registerBasics(fastify);
  const auth = installAuth(fastify, {
    coordinator: coordinator.id,
    tokens,
    partners,
    sessions: { byId: (id) => sessions.get(id) },
    now,
  });
  registerRoutes(fastify, {
    auth,
    tokens,
    partners,
    blobs,
    spool,
    modelCache: createBlobCache(blobs, 10_000_000),
    onBytesDown: (hash, member, bytes) => sent.push({ hash, member, bytes }),
    ready: () => state.ready,
    info: () => ({
      key: coordinator.id,
      fingerprint: 'f',
      protocol: 1,
      software: SOFTWARE_VERSION,
      epoch: 1,
    }),
    ownRotations: () => [],
    uploads: {
      expect(attempt) {
        if (attempt !== ATTEMPT) throw new TributaryError('wrong-attempt', 'No such attempt.');
        if (state.late) throw new TributaryError('late', 'The survivors are fixed.');
        return { bytes: UPDATE_BYTES };
      },
      async received({ member, sha256 }) {
        if ((received.get(member) ?? sha256) !== sha256) throw new TributaryError('conflict', 'Another one.');
        received.set(member, sha256);
      },
    },
    runs: standInRuns(state),
  });
  const admin = (await ensureAdminToken(store, { now }))!;

  const enrolment: Fixture['enrolment'] = (text, identity = newIdentity(), change = {}) => {
    const invite = decodeInvite(text);
    const payload = { coordinator: invite.key, secret: invite.secret, key: identity.id };
    const signature = sign(nodeCrypto, identity, 'enrol', payload);
    return { secret: invite.secret, key: identity.id, signature, ...change };
  };
  const invite = async (name: string) => (await partners.invite({ name })).invite;

  return {
    fastify,
    store,
    blobs,
    spool,
    coordinator,
    admin,
    logged: () => lines.join(''),
    sent,
    received,
    suspended,
    state,
    token: (role) => tokens.create(`${role}-${randomBytes(4).toString('hex')}`, role),
    invite,
    enrolment,
    async enrol(name) {
      const identity = newIdentity();
      await partners.enrol(enrolment(await invite(name), identity));
      const keys = newSessionKeys();
      sessions.set(keys.session, { member: identity.id, keys, acceptCounter: createReplayWindow() });
      let next = 0;
      return {
        identity,
        name,
        session(method, path, body = '', counter = next++) {
          const digest = typeof body === 'string' && body !== '' ? body : sha(body);
          return authorizeRequest(nodeCrypto, keys, { method, path, digest }, counter);
        },
        signed(
          method,
          path,
          { time = state.now, coordinator: other = coordinator.id, nonce = randomBytes(16) } = {},
        ) {
          const line = { method, path, digest: emptyDigest(nodeCrypto) };
          return signRequest(nodeCrypto, identity, other, line, time, nonce);
        },
      };
    },
    async close() {
      await fastify.close();
      await store.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export function newIdentity(): Identity {
  return identityFromSeed(nodeCrypto, randomBytes(32));
}

function newSessionKeys() {
  const [clientToServer, serverToClient, http] = [randomBytes(32), randomBytes(32), randomBytes(32)];
  return { session: toBase64(randomBytes(16)), clientToServer, serverToClient, http };
}

function standInRuns(state: { aborted: number }) {
  const runs = new Map<string, RunSummary>();
  const find = (id: string) => {
    const run = runs.get(id);
    if (!run) throw new TributaryError('not-found', `No run ${id}.`);
    return run;
  };
  const event = (seq: number): RunEvent => ({
    seq,
    time: seq,
    kind: 'phase',
    round: 1,
    attempt: 1,
    data: {},
  });
  return {
    list: async () => [...runs.values()],
    show: async (id: string) => find(id) as RunDetail,
    async start(plan: unknown, _model: string, by: string): Promise<RunSummary> {
      if ((plan as { fault?: boolean }).fault) throw new Error('the secret internals of a fault');
      const run = { id: 'r1', name: by, plan: sha(JSON.stringify(plan)), status: 'running' as const };
      runs.set('r1', { ...run, round: 0, rounds: 1, aggregation: 'secure', created: 1, reason: null });
      return find('r1');
    },
    control: async (id: string, action: RunAction) => ({
      ...find(id),
      status: ({ cancel: 'cancelled', pause: 'paused', resume: 'running' } as const)[action],
    }),
    async *events(_id: string, after: number, signal: AbortSignal) {
      for (let seq = after + 1; seq <= 3; seq++) yield event(seq);
      if (after < 10) return;
      // Quiet until the reader is gone.
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
      state.aborted++;
    },
    models: async () => [],
  };
}
