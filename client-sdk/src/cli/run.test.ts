import { ERRORS, type ErrorCode } from '@tributary/protocol';
import { describe, expect, it } from 'vitest';
import type { Command, Group } from './command.ts';
import { EXIT, EXIT_MEANINGS, exitCodeOf } from './exit-codes.ts';
import { root } from './root.ts';
import { runInTest } from './test-io.ts';

interface Place {
  readonly path: string[];
  readonly target: Command | Group;
}

function everyPlace(target: Command | Group = root, path: string[] = []): Place[] {
  const here = { path, target };
  if (target.kind === 'command') return [here];
  return [here, ...target.commands.flatMap((each) => everyPlace(each, [...path, each.name]))];
}

function commandAt(words: readonly string[]): { command: Command; rest: string[] } {
  let target: Command | Group = root;
  const rest = [...words];
  while (target.kind === 'group') {
    const word = rest.shift();
    const next: Command | Group | undefined = target.commands.find(({ name }) => name === word);
    if (!next) throw new Error(`no command in ${words.join(' ')}`);
    target = next;
  }
  return { command: target, rest };
}

describe('help', () => {
  it.each(everyPlace().map((place) => [place.path.join(' ') || 'tributary', place] as const))(
    'of %s has a description, 1 to 3 examples and every option',
    async (_, { path, target }) => {
      const { code, out, err } = await runInTest([...path, '--help']);
      expect({ code, err }).toEqual({ code: EXIT.ok, err: '' });
      expect(out).toContain(target.description);
      expect(target.examples.length).toBeGreaterThanOrEqual(1);
      expect(target.examples.length).toBeLessThanOrEqual(3);
      for (const { line, does } of target.examples) expect(out).toContain(`# ${does}\n  tributary ${line}\n`);
      if (target.kind === 'group') return;
      for (const [name, definition] of Object.entries(target.args))
        if (definition.type !== 'positional') expect(out).toContain(`--${name}`);
    },
  );

  it.each(everyPlace().flatMap(({ target }) => target.examples.map(({ line }) => [line] as const)))(
    'gives an example that is accepted: %s',
    (line) => {
      const { command, rest } = commandAt(line.replace(/ < .*/, '').split(' '));
      expect(() => command.check(rest, 'tributary')).not.toThrow();
    },
  );

  it('explains every exit code at the root', async () => {
    const { out } = await runInTest(['--help']);
    const lines = out.split('\n').map((line) => line.trim().replace(/ +/, ' '));
    for (const [code, meaning] of EXIT_MEANINGS) expect(lines).toContain(`${code} ${meaning}`);
  });

  it('has no colours without a terminal', async () => {
    const { out } = await runInTest(['runs', '--help']);
    expect(out).not.toContain('\u001b');
  });
});

describe('exit codes', () => {
  it('name every error of the protocol, and every one is explained', () => {
    const explained = new Set(EXIT_MEANINGS.map(([code]) => code));
    for (const code of Object.keys(ERRORS) as ErrorCode[]) {
      expect(exitCodeOf(code)).not.toBe(EXIT.ok);
      expect(explained).toContain(exitCodeOf(code));
    }
    expect(new Set(Object.values(EXIT))).toEqual(explained);
  });

  it('tell what kind of trouble it was', () => {
    expect(exitCodeOf('unauthenticated')).toBe(3);
    expect(exitCodeOf('not-found')).toBe(4);
    expect(exitCodeOf('conflict')).toBe(5);
    expect(exitCodeOf('policy-refused')).toBe(6);
    expect(exitCodeOf('unavailable')).toBe(7);
    expect(exitCodeOf('plan-invalid')).toBe(9);
  });
});

describe('a wrong command line', () => {
  const cases: [string, string, RegExp][] = [
    ['an unknown command', 'runz', /no command "runz".*\n.*`tributary runs`/],
    ['an unknown subcommand', 'runs strat', /no command "strat".*\n.*`tributary runs start`/],
    ['an unknown subcommand that asks for help', 'runs strat --help', /no command "strat"/],
    ['an unknown option', 'runs list --jsno', /no option --jsno.*\n.*--json/],
    ['an unknown option with a value', 'partners invite a --rol=partner', /no option --rol\..*\n.*--role/],
    ['an option of another command', 'runs list --force', /no option --force/],
    ['an option before the command', '--url http://127.0.0.1:1 runs list', /no option "--url"/],
    ['a missing word', 'partners invite', /NAME is missing/],
    ['a missing option', 'data split digits --partners 3', /--out is missing/],
    ['a word too many', 'runs cancel a b', /"b" is one word too many/],
    ['an option without its value', 'runs list --url', /--url needs a value/],
    ['an option that swallows another', 'runs list --url --json', /--url needs a value/],
    ['an empty value', 'runs list --url=', /--url needs a value/],
    ['a value for a switch', 'models pull --force=yes', /--force takes no value/],
    ['a word outside the choices', 'partners invite a --role partnr', /"partnr".*\n.*partner\?/],
    ['a number outside its range', 'models pull --round 0', /--round is "0"/],
    ['a time without sense', 'partners invite a --ttl 5w', /--ttl is "5w"/],
  ];

  it.each(cases)('with %s is refused with exit code 2: %s', async (_, line, message) => {
    const words = line.split(' ');
    const { code, out, err } = await runInTest(words);
    expect(code).toBe(EXIT.usage);
    if (!words.includes('--json')) expect(err).toMatch(message);
    expect(out).toBe('');
    expect(err).not.toMatch(/\n\s+at /);
  });

  it('is a Problem on standard error with --json, and standard output stays empty', async () => {
    const { code, out, err } = await runInTest(['runs', 'lst', '--json']);
    expect({ code, out }).toEqual({ code: EXIT.usage, out: '' });
    expect(JSON.parse(err)).toEqual({
      code: 'malformed',
      message: 'tributary runs has no command "lst".',
      remedy: expect.stringContaining('`tributary runs list`'),
      retryable: false,
    });
  });

  it('shows the help of a group without a command', async () => {
    const { code, out } = await runInTest(['runs']);
    expect(code).toBe(EXIT.usage);
    expect(out).toContain('tributary runs COMMAND');
  });
});

describe('--version', () => {
  it('prints the version, as JSON too', async () => {
    expect((await runInTest(['--version'])).out).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});
