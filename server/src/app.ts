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
import { settleEncryption } from './at-rest/marker.ts';
import { onceFree } from './backup/once-free.ts';
import { isServed, offerSnapshots } from './backup/snapshot-socket.ts';
import { createCoordinator } from './coordinator/coordinator.ts';
import { createEngines } from './coordinator/engines.ts';
import { createPeople } from './coordinator/people.ts';
import { resumeAll } from './coordinator/resume-all.ts';
import { createStartUp } from './coordinator/start-up.ts';
import { openToOthers } from './doctor/data-folder.ts';
import { installAuth } from './plugins/auth.ts';
import { limitConnections } from './plugins/connections.ts';
import { installSurfaces } from './plugins/surfaces.ts';
import { openIdentity } from './registry/identity-file.ts';
import { createInstances } from './registry/instances.ts';
import { finishOwnRotation, ownRotations, requireKeyOf, requireOwnKey } from './registry/own-keys.ts';
import { createPartners } from './registry/partners.ts';
import { createTokens, ensureAdminToken, FIRST_ADMIN } from './registry/tokens.ts';
import { createBlobCache } from './storage/blob-cache.ts';
import { openBlobFolder } from './storage/blobs.ts';
import { collectBlobs, GRACE_MS } from './storage/collect.ts';
import { openSpoolFolder } from './storage/spool.ts';
import { openSqliteStore, type SqliteStore } from './storage/sqlite/store.ts';
import { httpOptions, registerBasics, registerRoutes } from './transport/http/index.ts';
import { type Address, createListeners, listenError, urlOf } from './transport/listen/listeners.ts';
import { type IsProxy, senderOf } from './transport/listen/proxies.ts';
import { loadTls, type TlsFiles, watchTls } from './transport/listen/tls-files.ts';
import { createSessions } from './transport/ws/sessions.ts';

/** Models kept in memory for downloads: at least the newest, whatever its size. */
const CACHE_BYTES = 64 * 1024 * 1024;

export interface AppOptions {
  /** Database, models, spool and identity; made if missing. */
  readonly folder: string;
  readonly log: Logger;
  /** Puts a new token in the place of `admin`: the old one got lost. */
  readonly renewAdminToken?: boolean;
  /** TLS 1.2 or 1.3 on every socket; the files are read again when they change. */
  readonly tls?: TlsFiles | undefined;
  /** Models and updates are encrypted on disk under the key in this file; left out, they are not. */
  readonly encryptBlobs?: string | undefined;
  /** People are served on a socket of their own, and nodes on the other: `listen` is given its address. */
  readonly split?: boolean;
  /** Proxies whose X-Forwarded-For is believed. */
  readonly isProxy?: IsProxy | undefined;
}

export interface ListenOptions {
  readonly host: string;
  readonly port: number;
  /** Where partners reach the coordinator, if not at the listening address. */
  readonly publicUrl?: string | undefined;
  /** Of people, where the surfaces are split. */
  readonly admin?: Address | undefined;
}

export interface App {
  readonly identity: Identity;
  /** Made at the first start, or renewed at this one, and known only then. */
  readonly adminToken: string | null;
  /** What the start found half-done and did about it, in sentences. */
  readonly startUp: readonly string[];
  readonly http: FastifyInstance;
  listen(options: ListenOptions): Promise<{ url: string; adminUrl: string | null }>;
  /** Reads certificate and key again, where there are some. */
  reloadTls(): Promise<void>;
  close(): Promise<void>;
}

/** @throws already-running, storage-failed, unsupported-version */
export async function createApp(options: AppOptions): Promise<App> {
  const { folder } = options;
  const store = await onceFree(() => openSqliteStore(folder), { hopeless: () => isServed(folder) });
  try {
    return await assemble(options, store);
  } catch (error) {
    await store.close();
    throw error;
  }
}

async function assemble(
  { folder, log, renewAdminToken = false, tls: files, split = false, isProxy, encryptBlobs }: AppOptions,
  store: SqliteStore,
): Promise<App> {
  const tls = files ? await loadTls(files) : null;
  const listeners = createListeners({ tls, admin: split });
  const finished = await finishOwnRotation(folder, store);
  await requireOwnKey(folder, store);
  const identity = finished ?? (await openIdentity(folder));
  await requireKeyOf(store, identity.id);
  await store.noteOwnKey(identity.id);
  const rotations = await ownRotations(store, identity.id);
  const former = rotations.map(({ rotation }) => rotation.old);
  const blobKey = await settleEncryption(folder, encryptBlobs);
  const blobs = await openBlobFolder(join(folder, 'blobs'), blobKey);
  const spool = await openSpoolFolder(join(folder, 'spool'), blobKey);
  const epoch = await store.epoch();
  const adminToken = await ensureAdminToken(store, { renew: renewAdminToken });
  const modelCache = createBlobCache(blobs, CACHE_BYTES);
  const aggregation = startAggregation(blobKey);
  const startUp = createStartUp();
  if (finished) {
    startUp.rotated();
    log.info({ audit: 'coordinator.rotated', key: identity.id }, 'the coordinator has a new key');
  }
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
        const partner = await partners.find(member);
        if (!partner) throw new TributaryError('unauthenticated', 'This key is not enrolled here.');
        if (partner.status !== 'active')
          throw new TributaryError('forbidden', `${partner.name} is suspended.`);
      },
      connected: async (session) => {
        instances.began(session);
        const partner = await partners.find(session.member);
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
    former,
    publicUrl: () => publicUrl,
    connected: sessions.has,
    engineOf: engines.of,
    onMembers: (members) => sessions.broadcast({ type: 'members', members: [...members] }),
    async onRevoked(key, why) {
      const code = why === 'rotated' ? 'key-rotated' : 'forbidden';
      sessions.close(key, new TributaryError(code, `This partner was ${why}.`));
      await coordinator.revoked(key, why);
    },
  });
  const people = createPeople({ store, models: modelCache, epoch, coordinator });

  const http = fastify({
    ...httpOptions(log),
    serverFactory: listeners.factory,
    ...(isProxy && { trustProxy: isProxy }),
  });
  installSurfaces(http, { split, tls: tls !== null, isAdmin: listeners.isAdmin });
  registerBasics(http, isProxy);
  if (listeners.admin) limitConnections(listeners.admin, log, { isProxy });
  http.addHook('preClose', listeners.closeAdmin);
  const auth = installAuth(http, { coordinator: identity.id, former, tokens, partners, sessions });
  registerRoutes(http, {
    ready: () => ready,
    info: () => ({
      key: identity.id,
      fingerprint: fingerprint(nodeCrypto, identity.id),
      protocol: PROTOCOL_VERSION,
      software: SOFTWARE_VERSION,
      epoch,
    }),
    ownRotations: () => rotations,
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
  sessions.attach(http.server, isProxy && ((request) => senderOf(request, isProxy)));

  const collect = () => collectBlobs({ store, blobs, isHeld: modelCache.has });
  const { isSound } = blobs;
  await resumeAll({
    store,
    spool,
    crypto: nodeCrypto,
    identity,
    log,
    coordinator,
    startUp,
    collect,
    isSound,
  });
  const collecting = setInterval(() => {
    collect().catch((err) => log.warn({ err }, 'models that nothing names were not deleted'));
  }, GRACE_MS).unref();
  for (const finding of await openToOthers(folder)) log.warn({ finding }, finding.message);
  const snapshots = await offerSnapshots({ folder, copyTo: store.copyTo, log });
  const watch = files && tls ? watchTls(files, tls, listeners.useTls, log) : null;

  /** A start that does not come to listen prints no token: the next one makes another. */
  const forgetUnseen = async () => void (adminToken && (await store.removeToken(FIRST_ADMIN)));

  return {
    identity,
    adminToken,
    startUp: startUp.lines(),
    http,
    async listen({ host, port, publicUrl: given, admin }) {
      // Fastify does not know who speaks TLS.
      const listenTextResolver = (at: string) =>
        `bound to ${at.replace(/^https?:/, tls ? 'https:' : 'http:')}`;
      await http.listen({ host, port, listenTextResolver }).catch(async (cause) => {
        await forgetUnseen();
        throw listenError(cause, host, port);
      });
      const url = urlOf(http.server, host, tls !== null);
      const adminUrl = split
        ? await listeners.listenAdmin(admin ?? { host: '127.0.0.1', port: 0 }).catch(async (error) => {
            await forgetUnseen();
            throw error;
          })
        : null;
      publicUrl = given ?? url;
      ready = true;
      log.info({ url, adminUrl, publicUrl, epoch }, 'listening');
      return { url, adminUrl };
    },
    reloadTls: async () => watch?.reload(),
    async close() {
      ready = false;
      clearInterval(collecting);
      watch?.stop();
      await snapshots.close();
      await sessions.closeAll();
      await coordinator.stop();
      await http.close();
      await aggregation.close();
      await store.close();
    },
  };
}
