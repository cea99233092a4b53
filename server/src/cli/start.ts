/** `tributary-server start`: listening, signals, a graceful end. */
import { resolve } from 'node:path';
import { fingerprint, SOFTWARE_VERSION } from '@tributary/protocol';
import { nodeCrypto } from '@tributary/protocol/node';
import { defineCommand } from 'citty';
import closeWithGrace from 'close-with-grace';
import { createApp } from '../app.ts';
import { createLog } from '../log.ts';
import { portOf, refuseUnknown, usage } from './usage.ts';

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
  'allow-insecure': {
    type: 'boolean',
    default: false,
    description: 'Listen off loopback without TLS: put a TLS-ending proxy in front',
  },
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
    refuseUnknown(rawArgs, ARGS);
    const port = portOf(args.port);
    if (!LOOPBACK.has(args.host) && !args['allow-insecure'])
      usage(
        `--host ${args.host} is reachable by others, and this version speaks plain HTTP: add --allow-insecure and put a TLS-ending proxy in front.`,
      );
    const log = createLog(args['log-level']);
    const app = await createApp({
      folder: resolve(args.data),
      log,
      renewAdminToken: args['new-admin-token'],
    });
    closeWithGrace({ delay: 10_000, logger: false }, async ({ err }) => {
      if (err) log.fatal({ err }, 'unexpected fault');
      await app.close();
    });
    const listening = await app.listen({ host: args.host, port, publicUrl: args['public-url'] });
    const facts = {
      url: listening.url,
      key: app.identity.id,
      fingerprint: fingerprint(nodeCrypto, app.identity.id),
      adminToken: app.adminToken,
      startUp: app.startUp,
      pid: process.pid,
    };
    process.stdout.write(args.json ? `${JSON.stringify(facts)}\n` : describe(facts));
  },
});

interface Facts {
  readonly url: string;
  readonly fingerprint: string;
  readonly adminToken: string | null;
  readonly startUp: readonly string[];
}

function describe(facts: Facts): string {
  const lines = [
    `Tributary coordinator ${SOFTWARE_VERSION}, listening on ${facts.url}`,
    `Key fingerprint: ${facts.fingerprint}`,
    ...facts.startUp,
  ];
  if (facts.adminToken)
    lines.push(
      '',
      'The admin token is new, and shown this once; keep it like a password:',
      `  ${facts.adminToken}`,
      `Next: tributary login ${facts.url}`,
    );
  return `${lines.join('\n')}\n`;
}
