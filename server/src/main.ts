/** The program `tributary-server`: its commands, their help, and how they fail. */
import { stripVTControlCharacters } from 'node:util';
import { asTributaryError, SOFTWARE_VERSION } from '@tributary/protocol';
import { type CommandDef, defineCommand, renderUsage, runCommand } from 'citty';
import { backup, restore } from './cli/backup.ts';
import { newKey } from './cli/blob-key.ts';
import { check } from './cli/check.ts';
import { rotateKey } from './cli/rotate-key.ts';
import { start } from './cli/start.ts';
import { UsageError } from './cli/usage.ts';
import { doctor } from './doctor/command.ts';

const COMMANDS = { start, doctor, backup, restore, check, 'rotate-key': rotateKey, 'new-key': newKey };

const main = defineCommand({
  meta: { name: 'tributary-server', version: SOFTWARE_VERSION, description: 'The Tributary coordinator.' },
  subCommands: COMMANDS,
});

const EXAMPLES = `
EXAMPLES

  tributary-server start --data ./coordinator --port 8080
  tributary-server start --data /var/lib/tributary --host 0.0.0.0 --port 443 --tls-cert chain.pem --tls-key key.pem \
      --public-url https://fl.example.org --admin-port 8443
  tributary-server doctor --data ./coordinator
  tributary-server backup --data ./coordinator --out ./backups/monday
  tributary-server check --data ./backups/monday
  tributary-server restore --from ./backups/monday --data ./coordinator-2
  tributary-server rotate-key --data ./coordinator
  tributary-server new-key ./blobs.key
  tributary-server start --data ./coordinator --encrypt-blobs ./blobs.key
  tributary-server restore --from ./backups/plain --data ./encrypted --encrypt-blobs ./blobs.key

EXIT CODES

  0 ok   1 failed, or doctor or check found a failure   2 wrong usage
`;

function usageOf(name: string | undefined): Promise<string> {
  const command = Object.hasOwn(COMMANDS, name ?? '') ? COMMANDS[name as keyof typeof COMMANDS] : main;
  return renderUsage(command as CommandDef);
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

// Each file is made for its owner only; this is for those that other code makes, such as sockets before their chmod.
process.umask(0o077);
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
