/** What the commands of the proofs have in common: their options, what is wrong with them, and how a command ends. */
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { TributaryError } from '@tributary/protocol';
import { UsageError } from './usage-error.ts';

type Options = NonNullable<ParseArgsConfig['options']>;
type Values<T extends Options> = ReturnType<typeof parseArgs<{ args: string[]; options: T }>>['values'];

/** @param command as in `npm run COMMAND` */
export function commandLine(command: string) {
  const help = `npm run ${command} -- --help`;
  return {
    /** @throws UsageError */
    parse<T extends Options>(argv: readonly string[], options: T): Values<T> {
      try {
        return parseArgs({ args: [...argv], options }).values;
      } catch (thrown) {
        throw new UsageError((thrown as Error).message, help);
      }
    },
    /** @throws UsageError */
    whole(name: string, text: string | undefined, otherwise: number, least: number, most: number): number {
      const value = text === undefined ? otherwise : Number(text);
      if (Number.isSafeInteger(value) && value >= least && value <= most) return value;
      const rule = `--${name} is ${text}; it must be a whole number from ${least} to ${most}.`;
      throw new UsageError(rule, help);
    },
  };
}

/** @returns the exit code: that of `main`, 2 for a wrong command line, 1 for a fault, which keeps its stack when nobody expected it */
export async function codeOf(main: (argv: readonly string[]) => Promise<number>): Promise<number> {
  try {
    return await main(process.argv.slice(2));
  } catch (thrown) {
    const usage = thrown instanceof UsageError;
    if (thrown instanceof TributaryError)
      process.stderr.write(`${thrown.message}\n${usage ? 'See: ' : ''}${thrown.remedy}\n`);
    else process.stderr.write(`${thrown instanceof Error ? thrown.stack : String(thrown)}\n`);
    return usage ? 2 : 1;
  }
}
