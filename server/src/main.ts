/** The server process: arguments, listening, signals, a graceful end. */
import { resolve } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { asTributaryError, fingerprint, SOFTWARE_VERSION } from '@tributary/protocol';
import { nodeCrypto } from '@tributary/protocol/node';
import { type ArgsDef, defineCommand, renderUsage, runCommand } from 'citty';
import closeWithGrace from 'close-with-grace';
import { createApp } from './app.ts';
import { DOCTOR_ARGS, runDoctor } from './doctor/command.ts';
import { createLog } from './log.ts';

const LOOPBACK = new Set(['127.0.0.1', '::1', 'localhost']);

const start = defineCommand({
  meta: { name: 'start', description: 'Start the coordinator. Everything it keeps is in one folder.' },
  args: {
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
  },
  async run({ args, rawArgs }) {
    refuseUnknown(rawArgs, start.args as ArgsDef);
    const port = portOf(args.port);
    if (!LOOPBACK.has(args.host) && !args['allow-insecure'])
      usage(
        `--host ${args.host} is reachable by others, and this version speaks plain HTTP: add --allow-insecure and put a TLS-ending proxy in front.`,
      );
    const log = createLog(args['log-level']);
    const app = await createApp({ folder: resolve(args.data), log });
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
      pid: process.pid,
    };
    process.stdout.write(args.json ? `${JSON.stringify(facts)}\n` : describe(facts));
  },
});

const doctor = defineCommand({
  meta: { name: 'doctor', description: 'Check machine and data folder; each finding has a remedy.' },
  args: DOCTOR_ARGS,
  async run({ args, rawArgs }) {
    refuseUnknown(rawArgs, DOCTOR_ARGS);
    process.exitCode = await runDoctor({ ...args, data: args.data, port: portOf(args.port) });
  },
});

function portOf(text: string): number {
  const port = Number(text);
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port;
  return usage(`--port is a number from 0 to 65535, not ${text}.`);
}

function describe(facts: { url: string; fingerprint: string; adminToken: string | null }): string {
  const lines = [
    `Tributary coordinator ${SOFTWARE_VERSION}, listening on ${facts.url}`,
    `Key fingerprint: ${facts.fingerprint}`,
  ];
  if (facts.adminToken)
    lines.push(
      '',
      'First start. The admin token is shown this once; keep it like a password:',
      `  ${facts.adminToken}`,
      `Next: tributary login ${facts.url}`,
    );
  return `${lines.join('\n')}\n`;
}

/** citty takes any option; a mistyped one must not leave its default in force unnoticed. */
function refuseUnknown(rawArgs: readonly string[], args: ArgsDef): void {
  const known = Object.keys(args);
  for (const arg of rawArgs) {
    const name = /^--(?:no-)?([^=]+)/.exec(arg)?.[1];
    if (name !== undefined && !known.includes(name))
      usage(`There is no option --${name}; there are --${known.join(', --')}.`);
  }
}

class UsageError extends Error {}

function usage(message: string): never {
  throw new UsageError(message);
}

const main = defineCommand({
  meta: { name: 'tributary-server', version: SOFTWARE_VERSION, description: 'The Tributary coordinator.' },
  subCommands: { start, doctor },
});

const EXAMPLES = `
EXAMPLES

  tributary-server start --data ./coordinator --port 8080
  tributary-server start --data /var/lib/tributary --host 0.0.0.0 --allow-insecure --public-url https://fl.example.org
  tributary-server doctor --data ./coordinator

EXIT CODES

  0 ok   1 failed, or doctor found a failure   2 wrong usage
`;

function usageOf(command: string | undefined): Promise<string> {
  if (command === 'start') return renderUsage(start);
  return command === 'doctor' ? renderUsage(doctor) : renderUsage(main);
}

async function run(argv: string[]): Promise<void> {
  if (argv.includes('--help') || argv.includes('-h') || argv.length === 0) {
    const text = await usageOf(argv[0]);
    process.stdout.write(`${text}\n${EXAMPLES}`);
    return;
  }
  if (argv[0] === '--version') {
    process.stdout.write(`${SOFTWARE_VERSION}\n`);
    return;
  }
  await runCommand(main, { rawArgs: argv });
}

try {
  await run(process.argv.slice(2));
} catch (error) {
  const wrongUsage = error instanceof UsageError || (error as { name?: string }).name === 'CLIError';
  const known = asTributaryError(error);
  if (wrongUsage)
    process.stderr.write(
      `${stripVTControlCharacters((error as Error).message)}\nSee: tributary-server --help\n`,
    );
  else process.stderr.write(`${known.code}: ${known.message}\n${known.remedy}\n`);
  if (!wrongUsage && known.code === 'internal' && process.env.TRIBUTARY_DEBUG) console.error(error);
  process.exit(wrongUsage ? 2 : 1);
}
