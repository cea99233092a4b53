/** A first plan from a sample on the operator's side. */
import { stat } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { planHash, TributaryError, topologyHash } from '@tributary/protocol';
import { nodeCrypto } from '@tributary/protocol/node';
import type { ColumnRow } from '../../planning/draft.ts';
import { TASKS } from '../../planning/finding.ts';
import type { Proposal } from '../../planning/propose.ts';
import { shellWord } from '../../shell-word.ts';
import { createScreen } from '../bars.ts';
import { choice, command, wholeNumber } from '../command.ts';
import type { Context } from '../context.ts';
import { printFindings, thenAgain } from '../finding-words.ts';
import { writeNew } from '../new-file.ts';
import { fields, note, plural, printResult, table } from '../output.ts';
import { readPlanFile } from '../plan-file.ts';

export const init = command({
  name: 'init',
  description: 'Look at a sample of data and write a first, commented plan for it',
  examples: [
    {
      line: 'plan init --data sample.csv',
      does: 'proposes task, columns, network and training, and writes plan.yaml',
    },
    {
      line: 'plan init --data sample.csv --label price --task regress --partners 8 -o price.yaml',
      does: 'says what is to be predicted; the rest is proposed',
    },
    {
      line: 'plan init --data images --task autoencode -o unusual.yaml --force',
      does: 'a folder with one folder of PNG or JPEG files per class',
    },
  ],
  args: {
    data: {
      type: 'string',
      required: true,
      valueHint: 'FILE|DIR',
      description: 'Sample that you may look at: CSV, a folder of images per class, or an IDX file of images',
    },
    label: { type: 'string', valueHint: 'COLUMN', description: 'What is to be predicted' },
    task: {
      type: 'string',
      valueHint: TASKS.join('|'),
      description: 'Kind of model; proposed from the data',
    },
    time: {
      type: 'string',
      valueHint: 'COLUMN',
      description: 'Column that orders the rows; makes a forecast',
    },
    partners: { type: 'string', default: '5', valueHint: 'N', description: 'Partners that a round needs' },
    out: {
      type: 'string',
      alias: 'o',
      default: 'plan.yaml',
      valueHint: 'FILE',
      description: 'File to write',
    },
    force: { type: 'boolean', description: 'Write over a file that is there' },
  },
  async run(context, args) {
    const task = args.task === undefined ? undefined : choice(args.task, '--task', TASKS);
    const partners = wholeNumber(args.partners, '--partners', 1, 1_000_000);
    if (!args.force) await requireFree(args.out);
    const { proposePlan } = await import('../../planning/propose.ts');
    const screen = createScreen(context.io);
    const proposal = await proposePlan(args.data, {
      label: args.label,
      task,
      time: args.time,
      partners,
      onRows: (rows) => screen.draw([`reading ${args.data}: ${plural(rows, 'row')}`]),
    })
      .catch((thrown) => {
        throw thenAgain(thrown, `tributary plan init --data ${shellWord(args.data)}`);
      })
      .finally(() => screen.draw([]));
    const { commentedYaml } = await import('../../planning/plan-yaml.ts');
    await write(args.out, commentedYaml(proposal.raw, proposal.why, heading(args.data)), args.force);
    // As it lies on disk: what was written is what `runs start` will read.
    const plan = await readPlanFile(args.out);
    const { countParameters } = await import('../model-files.ts');
    const result = {
      file: args.out,
      plan: planHash(nodeCrypto, plan),
      topology: topologyHash(nodeCrypto, plan),
      parameters: await countParameters(plan),
    };
    const { draft, findings } = proposal;
    const value = {
      ...result,
      task: draft.task,
      taskWhy: draft.taskWhy,
      label: draft.label ?? null,
      examples: draft.examples,
      columns: draft.columns,
      findings,
    };
    printResult(context, value, human(context, proposal, result));
    printFindings(context, findings);
    const out = shellWord(args.out);
    note(
      context,
      `\nRead ${args.out}. What it means, tried on the sample:  tributary plan check ${out} --data ${shellWord(args.data)} --try\n` +
        (plan.features.kind === 'table'
          ? `Constants of all partners instead of the sample's:  tributary plan moments ${out}\n`
          : '') +
        `To start it:  tributary runs start ${out}`,
    );
    return undefined;
  },
});

/** Beyond that a table is no help. */
const MOST_COLUMNS = 100;

function human(
  context: Context,
  { draft, plan }: Proposal,
  { file, parameters }: { file: string; parameters: number },
): string {
  const pairs: [string, string][] = [
    ['written', file],
    ['task', `${draft.task}: ${draft.taskWhy}`],
  ];
  if (draft.label) pairs.push(['label', `${draft.label.name}: ${draft.label.why}`]);
  const { training, aggregation, rounds } = plan;
  pairs.push(
    ['network', `${plural(parameters, 'parameter')}: ${draft.network.why}`],
    [
      'training',
      `${training.optimizer.name} at ${training.optimizer.learningRate}, batches of ${training.batchSize}, ` +
        `${plural(training.epochs, 'epoch')} in each of ${plural(rounds, 'round')}, clip ${aggregation.clip}`,
    ],
  );
  const columns = draft.columns.slice(0, MOST_COLUMNS).map(columnCells);
  const more = draft.columns.length - columns.length;
  const rows = columns.length === 0 ? '' : `\n${table(context, ['COLUMN', 'USE', 'WHY'], columns)}`;
  return `${fields(context, pairs)}${rows}${more > 0 ? `and ${plural(more, 'column')} more (--json lists all)\n` : ''}`;
}

function columnCells({ name, use, transform, why }: ColumnRow): string[] {
  const shown = name.length > 30 ? `${name.slice(0, 27)}...` : name;
  return [shown, transform ? `${use}, ${transform}` : use, why];
}

function heading(data: string): string[] {
  return [
    `A training plan: data, never code. Proposed by \`tributary plan init\` from a sample, ${basename(data)}.`,
    'Change what you know better; `tributary plan check` says what it means. Partners approve its hash.',
    'Comments tell of the sample and stay in this file: partners get the plan without them.',
  ];
}

async function requireFree(path: string): Promise<void> {
  const there = await stat(path).then(
    () => true,
    () => false,
  );
  if (there) throw taken(path);
}

function taken(path: string): TributaryError {
  return new TributaryError('conflict', `${path} exists already.`, {
    remedy: 'Choose another name with -o FILE, or pass --force to write over it.',
  });
}

async function write(path: string, text: string, force: boolean): Promise<void> {
  try {
    await writeNew([[path, text]], force);
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException;
    if (code === 'EEXIST') throw taken(path);
    if (code !== 'ENOENT') throw thrown;
    throw new TributaryError('not-found', `There is no folder ${dirname(resolve(path))} to write to.`, {
      remedy: `Make it with mkdir -p, or choose another file with -o FILE.`,
    });
  }
}
