/** Sample data to try everything with. */
import { shellWord } from '../../shell-word.ts';
import { choice, command, group, wholeNumber } from '../command.ts';
import { note, printResult, table } from '../output.ts';

/** Each loads its module only when it is wanted. */
const SPLITS = {
  digits: async () => (await import('../../data/split.ts')).splitDigits,
  cancer: async () => (await import('../../data/cancer-split.ts')).splitCancer,
  weather: async () => (await import('../../data/samples/split.ts')).splitWeather,
  speeches: async () => (await import('../../data/samples/split.ts')).splitSpeeches,
  emoji: async () => (await import('../../data/samples/split.ts')).splitEmoji,
};
const SETS = Object.keys(SPLITS) as (keyof typeof SPLITS)[];

const split = command({
  name: 'split',
  description: 'Deal a data set to simulated partners, with node.yaml files and a plan',
  examples: [
    {
      line: 'data split digits --partners 3 --out DIR',
      does: '10,000 real handwritten digits, dealt at random',
    },
    {
      line: 'data split digits --partners 5 --out DIR --partition shards:2',
      does: 'two shards sorted by digit each: most partners see two digits only',
    },
    {
      line: 'data split speeches --partners 3 --out DIR --plan transformer-encoder',
      does: '2,000 sentences, old and new, with another plan of client-sdk/plans',
    },
  ],
  args: {
    set: { type: 'positional', valueHint: SETS.join('|'), description: `Which data: ${SETS.join(', ')}` },
    partners: { type: 'string', required: true, valueHint: 'N', description: 'How many partners' },
    out: { type: 'string', required: true, valueHint: 'DIR', description: 'Folder to write' },
    partition: {
      type: 'string',
      default: 'iid',
      valueHint: 'iid|shards:S|dirichlet:A',
      description: 'How the rows are dealt',
    },
    plan: { type: 'string', valueHint: 'NAME', description: 'A plan of client-sdk/plans made for this data' },
    seed: { type: 'string', default: '1', valueHint: 'N', description: 'Same seed, same split' },
    force: { type: 'boolean', description: 'Write into a folder that is not empty' },
  },
  async run(context, args) {
    const set = choice(args.set, 'The data set', SETS);
    const partners = wholeNumber(args.partners, '--partners', 1, 1_000_000);
    const seed = wholeNumber(args.seed, '--seed', 0, 2 ** 31 - 1);
    const { parsePartition } = await import('../../data/partition/partition.ts');
    const partition = parsePartition(args.partition);
    const manifest = await (await SPLITS[set]())({
      partners,
      out: args.out,
      partition,
      seed,
      plan: args.plan,
      force: args.force,
    });
    const rows = manifest.partners.map((part, index) => [`partner-${index + 1}`, part.rows, ...part.labels]);
    const classes = manifest.classes.map((name) => `"${name}"`);
    printResult(
      context,
      { out: args.out, ...manifest },
      table(context, ['FOLDER', 'ROWS', ...classes], rows),
    );
    note(
      context,
      `\n${args.out} holds a folder per partner (data and node.yaml), one for an evaluator, and plan.yaml.\n` +
        'Next, as operator:  tributary partners invite partner-1\n' +
        `as partner:         tributary node init INVITE --dir ${shellWord(`${args.out}/partner-1`)}`,
    );
  },
});

export const data = group({
  name: 'data',
  description: 'Make sample data for simulated partners',
  examples: [{ line: 'data split digits --partners 3 --out DIR', does: 'all files for a run by hand' }],
  commands: [split],
});
