/** `tributary-server start`: listening, signals, a graceful end. */
import { resolve } from 'node:path';
import { fingerprint, SOFTWARE_VERSION } from '@tributary/protocol';
import { nodeCrypto } from '@tributary/protocol/node';
import { defineCommand } from 'citty';
import closeWithGrace from 'close-with-grace';
import { createApp } from '../app.ts';
import { createLog } from '../log.ts';
import { parseProxies } from '../transport/listen/proxies.ts';
import { encryptBlobsArg, keyFileOf } from './blob-key.ts';
import { levelOf, portOf, publicUrlOf, refuseUnknown, usage } from './usage.ts';

const LOOPBACK = new Set(['127.0.0.1', '::1', 'localhost']);

const ARGS = {
  data: {
    type: 'string',
    required: true,
    description: 'Folder for database, models and keys; made if missing',
  },
  port: { type: 'string', default: '8080', description: 'Port to listen on; 0 picks a free one' },
  host: { type: 'string', default: '127.0.0.1', description: 'Address to listen on' },
  'public-url': { type: 'string', description: 'URL that partners use, written into invites' },
  'tls-cert': { type: 'string', valueHint: 'FILE', description: 'Certificate chain (PEM): speak TLS' },
  'tls-key': { type: 'string', valueHint: 'FILE', description: 'Its private key (PEM), mode 600' },
  'admin-port': {
    type: 'string',
    description: 'Serve people (tokens, partners, runs, models) on this port only, and nodes on the other',
  },
  'admin-host': { type: 'string', description: 'Address of --admin-port; 127.0.0.1 unless said otherwise' },
  'trust-proxy': {
    type: 'string',
    valueHint: 'ADDRESSES',
    description: 'Proxies whose X-Forwarded-For is believed: 10.0.0.5,192.168.7.0/24',
  },
  'allow-insecure': {
    type: 'boolean',
    default: false,
    description: 'Listen off loopback without TLS: put a TLS-ending proxy in front',
  },
  'encrypt-blobs': encryptBlobsArg('Encrypt models and masked updates on disk under this key'),
  'new-admin-token': {
    type: 'boolean',
    default: false,
    description: 'The admin token got lost: print a new one, the old one is void',
  },
  'log-level': {
    type: 'string',
    default: 'info',
    description: 'trace, debug, info, warn, error or silent',
  },
  json: {
    type: 'boolean',
    default: false,
    description: 'Print one JSON object instead of text once it listens',
  },
} as const;

export const start = defineCommand({
  meta: { name: 'start', description: 'Start the coordinator. Everything it keeps is in one folder.' },
  args: ARGS,
  async run({ args, rawArgs }) {
    refuseUnknown(rawArgs, ARGS, args);
    const port = portOf(args.port);
    const admin = adminOf(args['admin-port'], args['admin-host']);
    const tls = tlsOf(args['tls-cert'], args['tls-key']);
    const trusted = args['trust-proxy'];
    for (const host of [args.host, admin?.host ?? '127.0.0.1'])
      if (!LOOPBACK.has(host) && !tls && !args['allow-insecure'])
        usage(
          `${host} is reachable by others: give --tls-cert and --tls-key, or add --allow-insecure and put a TLS-ending proxy in front.`,
        );
    const publicUrl = publicUrlOf(args['public-url']);
    const log = createLog(levelOf(args['log-level']));
    const app = await createApp({
      folder: resolve(args.data),
      log,
      renewAdminToken: args['new-admin-token'],
      encryptBlobs: keyFileOf(args['encrypt-blobs']),
      tls,
      split: admin !== undefined,
      isProxy: trusted === undefined ? undefined : parseProxies(trusted),
    });
    // Otherwise the signal ends the process: it is what tools that renew certificates send.
    if (tls) process.on('SIGHUP', () => void app.reloadTls());
    closeWithGrace({ delay: 10_000, logger: false, ...(tls && { skip: ['SIGHUP'] }) }, async ({ err }) => {
      if (err) log.fatal({ err }, 'unexpected fault');
      await app.close();
    });
    const listening = await app.listen({ host: args.host, port, publicUrl, admin });
    if (!publicUrl && !LOOPBACK.has(args.host) && LOOPBACK.has(new URL(listening.url).hostname))
      log.warn(
        { invites: listening.url },
        'invites name an address that other machines do not reach: give --public-url',
      );
    const facts = {
      url: listening.url,
      ...(listening.adminUrl && { adminUrl: listening.adminUrl }),
      key: app.identity.id,
      fingerprint: fingerprint(nodeCrypto, app.identity.id),
      adminToken: app.adminToken,
      startUp: app.startUp,
      pid: process.pid,
    };
    process.stdout.write(args.json ? `${JSON.stringify(facts)}\n` : describe(facts));
  },
});

function tlsOf(cert: string | undefined, key: string | undefined) {
  if (cert === undefined && key === undefined) return undefined;
  if (!cert || !key) return usage('--tls-cert and --tls-key go together: give both.');
  return { cert: resolve(cert), key: resolve(key) };
}

function adminOf(port: string | undefined, host: string | undefined) {
  if (port !== undefined) return { port: portOf(port, '--admin-port'), host: host ?? '127.0.0.1' };
  return host === undefined ? undefined : usage('--admin-host needs --admin-port.');
}

interface Facts {
  readonly url: string;
  readonly adminUrl?: string;
  readonly fingerprint: string;
  readonly adminToken: string | null;
  readonly startUp: readonly string[];
}

function describe(facts: Facts): string {
  const lines = [
    `Tributary coordinator ${SOFTWARE_VERSION}, listening on ${facts.url}`,
    ...(facts.adminUrl ? [`People are served on ${facts.adminUrl}`] : []),
    `Key fingerprint: ${facts.fingerprint}`,
    ...facts.startUp,
  ];
  if (facts.adminToken)
    lines.push(
      '',
      'The admin token is new, and shown this once; keep it like a password:',
      `  ${facts.adminToken}`,
      `Next: tributary login ${facts.adminUrl ?? facts.url}`,
    );
  return `${lines.join('\n')}\n`;
}
