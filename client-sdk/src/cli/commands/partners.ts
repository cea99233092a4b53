/** Who takes part: inviting nodes, and suspending them. */
import { choice, command, group, UsageError } from '../command.ts';
import { connect, URL_ARGS } from '../connect.ts';
import { dateTime, note, printResult, table } from '../output.ts';
import { printable } from '../printable.ts';

const invite = command({
  name: 'invite',
  description: 'Make a one-time invite for a new node; its key is made on its own machine',
  examples: [
    { line: 'partners invite clinic-a', does: 'prints an invite that is good for a week' },
    {
      line: 'partners invite public-test --role evaluator',
      does: 'a node that only evaluates, on public data',
    },
    { line: 'partners invite clinic-b --ttl 1d', does: 'good for one day' },
  ],
  args: {
    name: { type: 'positional', description: 'Name of the partner: letters, digits, dot, dash' },
    role: {
      type: 'string',
      default: 'partner',
      valueHint: 'partner|evaluator',
      description: 'What the node does',
    },
    ttl: {
      type: 'string',
      default: '7d',
      valueHint: 'TIME',
      description: 'How long it is good: 30m, 12h, 7d',
    },
    ...URL_ARGS,
  },
  async run(context, args) {
    const role = choice(args.role, '--role', ['partner', 'evaluator']);
    const ttl = seconds(args.ttl);
    const api = await connect(context, args);
    const unused = (await api.partners()).some(
      ({ name, status }) => name === args.name && status === 'invited',
    );
    const made = await api.invite({ name: args.name, role, ttl });
    // Alone on its line, so that it can be piped.
    printResult(context, made, made.invite);
    note(
      context,
      `\nGive this line to ${made.name}, privately: whoever has it can enrol. Good until ${dateTime(made.expires)}, once.\n` +
        'There: `tributary node init INVITE`, which says what comes next.' +
        (unused ? `\nThe earlier invite of ${made.name}, which nobody had used, is void.` : ''),
    );
  },
});

const list = command({
  name: 'list',
  description: 'List partners and evaluators, their keys and whether they are connected',
  examples: [
    { line: 'partners list', does: 'everybody who was invited' },
    { line: 'partners list --json', does: 'the same for a script' },
  ],
  args: URL_ARGS,
  async run(context, args) {
    const partners = await (await connect(context, args)).partners();
    const rows = partners.map(({ name, role, status, connected, lastSeen, fingerprint, engine, rotated }) => [
      name,
      role,
      status,
      connected ? 'connected' : lastSeen === null ? 'never seen' : `seen ${dateTime(lastSeen)}`,
      engine ? `${engine.name} (${engine.speed})` : '-',
      `${fingerprint ?? '-'}${rotated === null ? '' : `  (rotated ${dateTime(rotated)})`}`,
    ]);
    const human =
      rows.length > 0
        ? table(context, ['NAME', 'ROLE', 'STATUS', 'NODE', 'ENGINE', 'KEY FINGERPRINT'], rows)
        : 'Nobody yet; `tributary partners invite NAME` makes an invite.';
    printResult(context, partners, human);
    for (const { name, incident } of partners)
      if (incident)
        note(
          context,
          `\nIncident: ${name}, ${dateTime(incident.time)}: ${printable(incident.reason)}\n` +
            `Ask ${name} by telephone. Is the key stolen: \`tributary partners suspend ${name}\`; is all in order: \`tributary partners resume ${name}\`.`,
        );
  },
});

const suspend = change(
  'suspend',
  'Stop a partner at once: open attempts go on without it, or are void if it is in the sum',
);
const resume = change('resume', 'Let a suspended partner take part again');

const remove = command({
  name: 'remove',
  description: 'Remove a partner for good: its key counts no longer, and its name is free for another invite',
  examples: [{ line: 'partners remove clinic-a', does: 'also voids an invite that nobody has used' }],
  args: { name: { type: 'positional', description: 'Name of the partner' }, ...URL_ARGS },
  async run(context, args) {
    await (await connect(context, args)).removePartner(args.name);
    printResult(context, { name: args.name, removed: true }, `${args.name} is removed.`);
  },
});

function change(name: 'suspend' | 'resume', description: string) {
  return command({
    name,
    description,
    examples: [{ line: `partners ${name} clinic-a`, does: `by the name in \`partners list\`` }],
    args: { name: { type: 'positional', description: 'Name of the partner' }, ...URL_ARGS },
    async run(context, args) {
      const partner = await (await connect(context, args)).setPartnerStatus(args.name, name);
      printResult(context, partner, `${partner.name} is ${partner.status}.`);
    },
  });
}

export const partners = group({
  name: 'partners',
  description: 'Invite partners, list and suspend them',
  examples: [{ line: 'partners invite clinic-a', does: 'the first step for a new partner' }],
  commands: [invite, list, suspend, resume, remove],
});

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** `90`, `30m`, `12h`, `7d` in seconds. */
function seconds(text: string): number {
  const [, number, unit = 's'] = /^(\d+)([smhd]?)$/.exec(text) ?? [];
  const given = Number(number) * (UNITS[unit] ?? 1);
  if (given >= 60 && given <= 90 * 86_400) return given;
  throw new UsageError(`--ttl is "${text}".`, 'Give a time from 1m to 90d, such as 30m, 12h or 7d.');
}
