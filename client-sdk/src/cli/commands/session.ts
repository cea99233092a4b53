/** Logging in, out, and where one is. */
import { type CoordinatorInfo, fingerprint, isOver, TributaryError } from '@tributary/protocol';
import { nodeCrypto } from '@tributary/protocol/node';
import { createApiClient } from '../../api-client.ts';
import { command, UsageError } from '../command.ts';
import { connect, findTarget, normalizeUrl, requirePinned, requireSafeUrl, URL_ARGS } from '../connect.ts';
import { credentialsPath, readCredentials, removeLogin, saveLogin } from '../credentials.ts';
import { EXIT } from '../exit-codes.ts';
import { fields, note, plural, printResult } from '../output.ts';
import { readToken } from '../secrets.ts';

export const login = command({
  name: 'login',
  description: 'Log in to a coordinator: its key is pinned, your token is kept for you alone (mode 0600)',
  examples: [
    { line: 'login http://127.0.0.1:8080', does: 'asks for the token without showing it' },
    {
      line: 'login https://fl.example.org --fingerprint 3f2a-...',
      does: 'goes on only if the coordinator shows this key',
    },
    { line: 'login http://127.0.0.1:8080 < token.txt', does: 'reads the token from a file' },
  ],
  args: {
    url: { type: 'positional', description: 'Address of the coordinator', valueHint: 'URL' },
    token: {
      type: 'string',
      valueHint: 'TOKEN',
      description: 'Seen by other users in the process list: better leave it out',
    },
    fingerprint: {
      type: 'string',
      valueHint: 'FINGERPRINT',
      description: 'Refuse a coordinator with another key',
    },
    'allow-insecure': URL_ARGS['allow-insecure'],
  },
  async run(context, args) {
    const { io } = context;
    const url = normalizeUrl(args.url);
    requireSafeUrl(url, args['allow-insecure']);
    const info = await createApiClient({ url, signal: io.interrupted }).coordinator();
    const known = (await readCredentials(io.env)).coordinators[url];
    if (known) requirePinned(url, info.key, known.key);
    const shown = fingerprint(nodeCrypto, info.key);
    if (args.fingerprint !== undefined) requireFingerprint(url, shown, args.fingerprint);
    const token = await readToken(context, args.token);
    await createApiClient({ url, token, signal: io.interrupted }).runs();
    await saveLogin(io.env, url, { token, key: info.key, allowInsecure: args['allow-insecure'] });
    const result = { url, ...info, fingerprint: shown, credentials: credentialsPath(io.env) };
    printResult(context, result, `Logged in to ${url}.\n${describe(context, info, shown)}`);
    if (!known && args.fingerprint === undefined)
      note(
        context,
        'This key is pinned now: compare it with the one that the coordinator printed at its start.',
      );
    return EXIT.ok;
  },
});

export const logout = command({
  name: 'logout',
  description: 'Forget the token and the pinned key of a coordinator',
  examples: [
    { line: 'logout', does: 'forgets the coordinator in use' },
    { line: 'logout --url https://fl.example.org', does: 'forgets another one' },
  ],
  args: { url: URL_ARGS.url },
  async run(context, args) {
    const { env } = context.io;
    const given = args.url ?? env.TRIBUTARY_URL ?? (await readCredentials(env)).current;
    const url = given ? normalizeUrl(given) : undefined;
    if (url === undefined || !(await removeLogin(env, url)))
      throw new TributaryError('not-found', url ? `Not logged in to ${url}.` : 'Not logged in.', {
        remedy: 'Nothing to do; `tributary status` shows where you are logged in.',
      });
    const { current } = await readCredentials(env);
    printResult(context, { url, current }, `Logged out of ${url}.`);
    note(context, 'The token itself goes on working elsewhere; `tributary tokens revoke NAME` ends it.');
    return EXIT.ok;
  },
});

export const status = command({
  name: 'status',
  description: 'Show the coordinator in use, its key, and whether the token works',
  examples: [
    { line: 'status', does: 'the coordinator logged in to' },
    { line: 'status --json', does: 'the same for a script; the exit code tells what is wrong' },
  ],
  args: URL_ARGS,
  async run(context, args) {
    const { url, pinned } = await findTarget(context, args);
    const info = await createApiClient({ url, signal: context.io.interrupted }).coordinator();
    const runs = await (await connect(context, args)).runs();
    const going = runs.filter((run) => !isOver(run.status)).length;
    const shown = fingerprint(nodeCrypto, info.key);
    const result = {
      url,
      ...info,
      fingerprint: shown,
      pinned: pinned === info.key,
      runs: runs.length,
      going,
    };
    const human = `${describe(context, info, shown)}${fields(context, [
      ['pinned ', pinned === undefined ? 'no: the token is from the environment' : 'yes'],
      ['runs   ', `${plural(runs.length, 'run')}, ${going} going on`],
    ])}`;
    printResult(context, result, `Logged in to ${url}.\n${human}`);
    return EXIT.ok;
  },
});

function describe(context: Parameters<typeof fields>[0], info: CoordinatorInfo, shown: string): string {
  return fields(context, [
    ['key    ', shown],
    ['version', `${info.software} (protocol ${info.protocol})`],
  ]);
}

function requireFingerprint(url: string, shown: string, wanted: string): void {
  const plain = (text: string) => text.toLowerCase().replaceAll(/[-:\s]/g, '');
  if (!/^[0-9a-f]{32}$/.test(plain(wanted)))
    throw new UsageError('A fingerprint has 32 hexadecimal digits.', 'Copy the whole of it.');
  if (plain(shown) !== plain(wanted))
    throw new TributaryError('wrong-coordinator', `${url} shows key ${shown}, you asked for ${wanted}.`);
}
