/** The program `tributary-server`: its commands, their help, and how they fail. */
import { stripVTControlCharacters } from 'node:util';
import { asTributaryError, SOFTWARE_VERSION, TributaryError } from '@tributary/protocol';
import { type CommandDef, defineCommand, runCommand } from 'citty';
import { COMMANDS } from './cli/commands.ts';
import { helpOf } from './cli/help.ts';
import { UsageError } from './cli/usage.ts';

const main = defineCommand({
  meta: { name: 'tributary-server', version: SOFTWARE_VERSION, description: 'The Tributary coordinator.' },
  subCommands: COMMANDS,
});

const PROGRAM = main as CommandDef;

function commandOf(name = ''): CommandDef {
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name as keyof typeof COMMANDS] : main;
  return command as CommandDef;
}

async function run(argv: string[]): Promise<void> {
  if (argv.includes('--help') || argv.includes('-h') || argv.length === 0) {
    const colours = process.stdout.isTTY === true && !process.env.NO_COLOR;
    process.stdout.write(await helpOf(PROGRAM, commandOf(argv[0]), argv[0], colours));
    if (argv.length === 0) process.exitCode = 2;
    return;
  }
  if (argv[0] === '--version' || argv[0] === '-v') {
    process.stdout.write(`${SOFTWARE_VERSION}\n`);
    return;
  }
  await runCommand(main, { rawArgs: argv });
}

// Each file is made for its owner only; this is for those that other code makes, such as sockets before their chmod.
process.umask(0o077);
const argv = process.argv.slice(2);
try {
  await run(argv);
} catch (error) {
  process.exitCode = fail(error);
  // What a command had opened may keep the process alive.
  process.exit();
}

/** As `tributary` does it: a sentence and what to do next, or with `--json` the Problem of PROTOCOL.md 9. */
function fail(error: unknown): 1 | 2 {
  const wrongUsage = error instanceof UsageError || (error as { name?: string }).name === 'CLIError';
  const known = wrongUsage
    ? new TributaryError('malformed', stripVTControlCharacters((error as Error).message), {
        remedy: `See \`tributary-server ${commandOf(argv[0]) === PROGRAM ? '' : `${argv[0]} `}--help\`.`,
      })
    : asTributaryError(error);
  process.stderr.write(
    argv.includes('--json')
      ? `${JSON.stringify(known.toProblem())}\n`
      : `error: ${known.message}${wrongUsage ? '' : ` (${known.code})`}\nnext:  ${known.remedy}\n`,
  );
  if (known.code === 'internal' && process.env.TRIBUTARY_DEBUG) console.error(error);
  return wrongUsage ? 2 : 1;
}
