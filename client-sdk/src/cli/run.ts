/** From words to a command: finds it, helps, runs it, and turns what it throws into a message and an exit code. */
import { SOFTWARE_VERSION } from '@tributary/protocol';
import { nearest } from '../nearest.ts';
import { type Command, type Group, seeHelp, UsageError } from './command.ts';
import type { Context } from './context.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { renderHelp } from './help.ts';
import type { Io } from './io.ts';
import { printError, printResult } from './output.ts';
import { root } from './root.ts';

/** @param argv without the program's own name */
export async function runCli(argv: readonly string[], io: Io): Promise<ExitCode> {
  const before = argv.includes('--') ? argv.slice(0, argv.indexOf('--')) : argv;
  const context: Context = { io, json: before.includes('--json') };
  try {
    return await dispatch(context, argv, before);
  } catch (thrown) {
    return printError(context, thrown);
  }
}

async function dispatch(
  context: Context,
  argv: readonly string[],
  before: readonly string[],
): Promise<ExitCode> {
  if (argv[0] === '--version' || argv[0] === '-v') {
    printResult(context, { version: SOFTWARE_VERSION }, SOFTWARE_VERSION);
    return EXIT.ok;
  }
  const { target, path, rest } = find(argv);
  const words = [...path, target.name].join(' ');
  const helps = before.includes('--help') || before.includes('-h');
  const strange = target.kind === 'group' ? rest.find((word) => !COMMON.has(word)) : undefined;
  if (target.kind === 'group' && strange !== undefined) {
    const what = strange.startsWith('-') ? 'option' : 'command';
    const near = nearest(
      strange,
      target.commands.map(({ name }) => name),
    );
    throw new UsageError(
      `${words} has no ${what} "${strange}".`,
      near ? `Did you mean \`${words} ${near}\`? ${seeHelp(words)}` : seeHelp(words),
    );
  }
  if (target.kind === 'command' && !helps) return target.execute(context, rest, words);
  const text = renderHelp(target, path, context.io.colors.out);
  printResult(context, { help: text }, text);
  return helps ? EXIT.ok : EXIT.usage;
}

const COMMON = new Set(['--json', '--help', '-h']);

/** The deepest command that the first words name; `--json` and `--help` may stand before them. */
function find(argv: readonly string[]): { target: Command | Group; path: string[]; rest: string[] } {
  let target: Command | Group = root;
  const path: string[] = [];
  const rest = [...argv];
  while (target.kind === 'group') {
    const at = rest.findIndex((word) => !COMMON.has(word));
    const next: Command | Group | undefined = target.commands.find(({ name }) => name === rest[at]);
    if (!next) break;
    path.push(target.name);
    rest.splice(at, 1);
    target = next;
  }
  return { target, path, rest };
}
