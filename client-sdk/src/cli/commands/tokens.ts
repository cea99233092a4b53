/** Tokens of people: operators, researchers, administrators. */
import { PEOPLE_ROLES } from '@tributary/protocol';
import { choice, command, group } from '../command.ts';
import { connect, URL_ARGS } from '../connect.ts';
import { dateTime, note, printResult, table } from '../output.ts';

const create = command({
  name: 'create',
  description: 'Make a token for a person; it is shown once and stored as a hash',
  examples: [
    { line: 'tokens create ada --role researcher', does: 'may look at runs and take models away' },
    { line: 'tokens create bob --role operator', does: 'may also start runs and invite partners' },
  ],
  args: {
    name: { type: 'positional', description: 'Name of the person' },
    role: {
      type: 'string',
      default: 'researcher',
      valueHint: PEOPLE_ROLES.join('|'),
      description: 'What it allows',
    },
    ...URL_ARGS,
  },
  async run(context, args) {
    const role = choice(args.role, '--role', PEOPLE_ROLES);
    const made = await (await connect(context, args)).createToken(args.name, role);
    printResult(context, made, made.token);
    note(context, `\nThe token of ${made.name} (${made.role}). It is not shown again.`);
  },
});

const list = command({
  name: 'list',
  description: 'List who holds a token, and with which role',
  examples: [{ line: 'tokens list', does: 'names and roles, never the tokens' }],
  args: URL_ARGS,
  async run(context, args) {
    const tokens = await (await connect(context, args)).tokens();
    const rows = tokens.map(({ name, role, created }) => [name, role, dateTime(created)]);
    printResult(context, tokens, table(context, ['NAME', 'ROLE', 'CREATED'], rows));
  },
});

const revoke = command({
  name: 'revoke',
  description: 'End a token at once',
  examples: [{ line: 'tokens revoke ada', does: 'by the name in `tokens list`' }],
  args: { name: { type: 'positional', description: 'Name of the person' }, ...URL_ARGS },
  async run(context, args) {
    await (await connect(context, args)).revokeToken(args.name);
    printResult(
      context,
      { name: args.name, revoked: true },
      `The token of ${args.name} is worth nothing now.`,
    );
  },
});

export const tokens = group({
  name: 'tokens',
  description: 'Give people access to the coordinator, and take it back',
  examples: [{ line: 'tokens create ada --role researcher', does: 'access for a person' }],
  commands: [create, list, revoke],
});
