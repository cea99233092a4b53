/** Sample data to try everything with. */
import { choice, command, group, wholeNumber } from '../command.ts';
import { note, printResult, table } from '../output.ts';

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
      line: 'data split digits --partners 5 --out DIR --partition dirichlet:0.5',
      does: 'uneven shares of every digit',
    },
  ],
  args: {
    set: { type: 'positional', valueHint: 'digits', description: 'Which data: digits' },
    partners: { type: 'string', required: true, valueHint: 'N', description: 'How many partners' },
    out: { type: 'string', required: true, valueHint: 'DIR', description: 'Folder to write' },
    partition: {
      type: 'string',
      default: 'iid',
      valueHint: 'iid|shards:S|dirichlet:A',
      description: 'How the rows are dealt',
    },
    seed: { type: 'string', default: '1', valueHint: 'N', description: 'Same seed, same split' },
    force: { type: 'boolean', description: 'Write into a folder that is not empty' },
  },
  async run(context, args) {
    choice(args.set, 'The data set', ['digits']);
    const partners = wholeNumber(args.partners, '--partners', 1, 1_000_000);
    const seed = wholeNumber(args.seed, '--seed', 0, 2 ** 31 - 1);
    const { parsePartition } = await import('../../data/partition/partition.ts');
    const { splitDigits } = await import('../../data/split.ts');
    const partition = parsePartition(args.partition);
    const manifest = await splitDigits({ partners, out: args.out, partition, seed, force: args.force });
    const rows = manifest.partners.map((part, index) => [`partner-${index + 1}`, part.rows, ...part.labels]);
    const digits = Array.from({ length: 10 }, (_, digit) => `"${digit}"`);
    printResult(context, { out: args.out, ...manifest }, table(context, ['FOLDER', 'ROWS', ...digits], rows));
    note(
      context,
      `\n${args.out} holds a folder per partner (data and node.yaml), one for an evaluator, and plan.yaml.\n` +
        'Next, as operator:  tributary partners invite partner-1\n' +
        `as partner:         tributary node init INVITE --dir ${args.out}/partner-1`,
    );
  },
});

export const data = group({
  name: 'data',
  description: 'Make sample data for simulated partners',
  examples: [{ line: 'data split digits --partners 3 --out DIR', does: 'all files for a run by hand' }],
  commands: [split],
});
