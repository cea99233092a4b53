/** The composition root: the only file that knows every part. Built here, it can listen, or be used in a test. */
import { join } from 'node:path';
import {
  fingerprint,
  type Identity,
  PROTOCOL_VERSION,
  SOFTWARE_VERSION,
  TributaryError,
} from '@tributary/protocol';
import { crashPoint, nodeCrypto } from '@tributary/protocol/node';
import fastify, { type FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { startAggregation } from './aggregation/index.ts';
import { offerSnapshots } from './backup/snapshot-socket.ts';
import { createCoordinator } from './coordinator/coordinator.ts';
import { createEngines } from './coordinator/engines.ts';
import { createPeople } from './coordinator/people.ts';
import { resumeAll } from './coordinator/resume-all.ts';
import { createStartUp } from './coordinator/start-up.ts';
import { installAuth } from './plugins/auth.ts';
import { openIdentity } from './registry/identity-file.ts';
import { createInstances } from './registry/instances.ts';
import { createPartners } from './registry/partners.ts';
import { createTokens, ensureAdminToken } from './registry/tokens.ts';
import { createBlobCache } from './storage/blob-cache.ts';
import { openBlobFolder } from './storage/blobs.ts';
import { collectBlobs, GRACE_MS } from './storage/collect.ts';
import { openSpoolFolder } from './storage/spool.ts';
import { openSqliteStore, type SqliteStore } from './storage/sqlite/store.ts';
import { httpOptions, registerBasics, registerRoutes } from './transport/http/index.ts';
import { createSessions } from './transport/ws/sessions.ts';

/** Models kept in memory for downloads: at least the newest, whatever its size. */
const CACHE_BYTES = 64 * 1024 * 1024;

export interface AppOptions {
  /** Database, models, spool and identity; made if missing. */
  readonly folder: string;
  readonly log: Logger;
  /** Puts a new token in the place of `admin`: the old one got lost. */
  readonly renewAdminToken?: boolean;
}

export interface ListenOptions {
  readonly host: string;
  readonly port: number;
  /** Where partners reach the coordinator, if not at the listening address. */
  readonly publicUrl?: string | undefined;
}

export interface App {
  readonly identity: Identity;
  /** Made at the first start, or renewed at this one, and known only then. */
  readonly adminToken: string | null;
  /** What the start found half-done and did about it, in sentences. */
  readonly startUp: readonly string[];
  readonly http: FastifyInstance;
  listen(options: ListenOptions): Promise<{ url: string }>;
  close(): Promise<void>;
}

/** @throws already-running, storage-failed, unsupported-version */
export async function createApp(options: AppOptions): Promise<App> {
  const store = await openSqliteStore(options.folder);
  try {
    return await assemble(options, store);
  } catch (error) {
    await store.close();
    throw error;
  }
}

async function assemble(
  { folder, log, renewAdminToken = false }: AppOptions,
  store: SqliteStore,
): Promise<App> {
  const identity = await openIdentity(folder);
  const blobs = await openBlobFolder(join(folder, 'blobs'));
  const spool = await openSpoolFolder(join(folder, 'spool'));
  const epoch = await store.epoch();
  const adminToken = await ensureAdminToken(store, { renew: renewAdminToken });
  const modelCache = createBlobCache(blobs, CACHE_BYTES);
  const aggregation = startAggregation();
  const startUp = createStartUp();
  let publicUrl = '';
  let ready = false;

  const instances = createInstances(store, log);
  const engines = createEngines();
  const coordinator = createCoordinator({
    ...{ store, blobs, spool, aggregation, identity, epoch, engines, log },
    blobPath: blobs.path,
    note: startUp.note,
    onModel: modelCache.put,
  });
  const sessions = createSessions(
    identity,
    () => epoch,
    {
      async admit(member) {
        const partner = await store.partnerByKey(member);
        if (!partner) throw new TributaryError('unauthenticated', 'This key is not enrolled here.');
        if (partner.status !== 'active')
          throw new TributaryError('forbidden', `${partner.name} is suspended.`);
      },
      connected: async (session) => {
        instances.began(session);
        const partner = await store.partnerByKey(session.member);
        if (!partner) throw new TributaryError('unauthenticated', 'This key is not enrolled here.');
        await store.touchPartner(session.member, Date.now());
        crashPoint('coordinator.session.touched');
        const { name, role } = partner;
        sessions.send(session.member, { type: 'ready', name, role, members: await partners.members() });
        await coordinator.connected(partner);
      },
      async message(member, message) {
        if (message.type !== 'instance') return coordinator.message(member, message);
        await instances.report(member, message.instance).catch((error) => {
          sessions.close(member, error);
          throw error;
        });
      },
      disconnected: coordinator.disconnected,
      ended: instances.ended,
    },
    log,
  );
  coordinator.useSessions(sessions);
  const tokens = createTokens(store);
  const partners = createPartners({
    ...{ store, identity },
    publicUrl: () => publicUrl,
    connected: sessions.has,
    engineOf: engines.of,
    onSuspended: (key) => sessions.close(key, new TributaryError('forbidden', 'This partner was suspended.')),
  });
  const people = createPeople({ store, models: modelCache, epoch, coordinator });

  const http = fastify(httpOptions(log));
  registerBasics(http);
  const auth = installAuth(http, { coordinator: identity.id, tokens, partners, sessions });
  registerRoutes(http, {
    ready: () => ready,
    info: () => ({
      key: identity.id,
      fingerprint: fingerprint(nodeCrypto, identity.id),
      protocol: PROTOCOL_VERSION,
      software: SOFTWARE_VERSION,
      epoch,
    }),
    ...{ auth, tokens, partners, blobs, modelCache, spool, runs: people },
    onBytesDown: (hash, member, bytes) => {
      if (member !== null) coordinator.modelSent(hash, bytes);
    },
    uploads: {
      expect: coordinator.expectUpdate,
      received: coordinator.updateReceived,
      progress: coordinator.updateProgress,
    },
  });
  sessions.attach(http.server);

  const collect = () => collectBlobs({ store, blobs, isHeld: modelCache.has });
  await resumeAll({ store, blobs, spool, crypto: nodeCrypto, identity, log, coordinator, startUp, collect });
  const collecting = setInterval(() => {
    collect().catch((err) => log.warn({ err }, 'models that nothing names were not deleted'));
  }, GRACE_MS).unref();
  const snapshots = await offerSnapshots({ folder, copyTo: store.copyTo, log });

  return {
    identity,
    adminToken,
    startUp: startUp.lines(),
    http,
    async listen({ host, port, publicUrl: given }) {
      const url = await http.listen({ host, port }).catch((cause) => {
        throw listenError(cause, host, port);
      });
      publicUrl = given ?? url;
      ready = true;
      log.info({ url, publicUrl, epoch }, 'listening');
      return { url };
    },
    async close() {
      ready = false;
      clearInterval(collecting);
      await snapshots.close();
      await sessions.closeAll();
      await coordinator.stop();
      await http.close();
      await aggregation.close();
      await store.close();
    },
  };
}

function listenError(cause: unknown, host: string, port: number): TributaryError {
  const { code = 'unknown' } = cause as { code?: string };
  const known: Record<string, string> = {
    EADDRINUSE: 'another process listens there',
    EACCES: 'this user may not',
    EADDRNOTAVAIL: 'this machine has no such address',
  };
  return new TributaryError('unavailable', `Cannot listen on ${host}:${port}: ${known[code] ?? code}.`, {
    remedy: 'Choose another --port (0 takes a free one) or --host.',
    cause,
  });
}
