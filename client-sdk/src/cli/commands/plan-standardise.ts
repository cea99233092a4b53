/** Constants of standardisation that partners agree on in one secure sum: the plan that asks, and the plan that uses them. */
import { TributaryError } from '@tributary/protocol';
import { shellWord } from '../../shell-word.ts';
import { command, wholeNumber } from '../command.ts';
import { connect, URL_ARGS } from '../connect.ts';
import type { Context } from '../context.ts';
import { writeNew } from '../new-file.ts';
import { note, plural, printResult, table } from '../output.ts';
import { readPlanFile } from '../plan-file.ts';

const OUT = {
  type: 'string',
  alias: 'o',
  valueHint: 'FILE',
  description: 'File to write; standard output unless given',
} as const;
const PLAN = {
  type: 'positional',
  valueHint: 'plan.yaml',
  description: 'Training plan as YAML or JSON',
} as const;

export const moments = command({
  name: 'moments',
  description:
    'Make the plan that asks partners, in one secure sum, for count, sum and sum of squares of the columns',
  examples: [
    {
      line: 'plan moments plan.yaml -o moments.yaml',
      does: 'sums every column that states a range (transform minmax or standardise)',
    },
    {
      line: 'plan moments plan.yaml --rows 20000 -o moments.yaml',
      does: 'where a partner has that many rows',
    },
  ],
  args: {
    file: PLAN,
    out: OUT,
    rows: {
      type: 'string',
      valueHint: 'N',
      description: 'About the rows of the largest partner; the weightCap of the plan unless given',
    },
    seed: {
      type: 'string',
      valueHint: 'N',
      description: 'Of the initial weights, to ask the same again; that of the plan unless given',
    },
  },
  async run(context, args) {
    const options = {
      ...(args.rows !== undefined && { rows: wholeNumber(args.rows, '--rows', 1, 1_000_000_000) }),
      ...(args.seed !== undefined && { seed: wholeNumber(args.seed, '--seed', 0, 2 ** 31 - 1) }),
    };
    const plan = await readPlanFile(args.file);
    const { momentsPlan } = await import('../../moments/plan.ts');
    const { momentsYaml } = await import('../../data/templates.ts');
    const asked = momentsPlan(plan, options);
    const text = momentsYaml(asked, args.file);
    await deliver(context, args.out, text, { file: args.out ?? null, name: asked.name, plan: asked });
    note(
      context,
      `\nPartners see: adds up count, sum and sum of squares of ${columnsIn(asked)}; trains nothing.\n` +
        `Next:  tributary runs start ${shellWord(args.out ?? 'moments.yaml')} --watch\n` +
        `then:  tributary plan standardise ${shellWord(args.file)} --run RUN -o standardised.yaml`,
    );
  },
});

export const standardise = command({
  name: 'standardise',
  description: 'Put the means and spreads that a moments run has published into a plan',
  examples: [
    {
      line: 'plan standardise plan.yaml --run cancer-moments-1a2b3c4d -o standardised.yaml',
      does: 'the same plan, its columns now (x - mean) / std over all partners',
    },
    {
      line: 'plan standardise plan.yaml --run cancer-moments-1a2b3c4d --json',
      does: 'the constants, for programs',
    },
  ],
  args: {
    file: PLAN,
    run: { type: 'string', required: true, valueHint: 'RUN', description: 'Id of the moments run' },
    out: OUT,
    ...URL_ARGS,
  },
  async run(context, args) {
    const api = await connect(context, args);
    const plan = await readPlanFile(args.file);
    const { fetchMoments } = await import('../../moments/fetch.ts');
    const { transformsFor } = await import('../../moments/standardise.ts');
    const { withTransforms } = await import('../plan-edit.ts');
    const found = await fetchMoments(api, args.run);
    const transforms = transformsFor(plan, found);
    const remark = `Means and standard deviations over ${plural(found.rows, 'row')} of all partners together, from run ${args.run}.`;
    const text = await withTransforms(args.file, transforms, remark);
    await deliver(context, args.out, text, { file: args.out ?? null, run: args.run, ...found });
    if (args.out === undefined) return;
    const rows = found.columns.map(({ name, mean, std }) => [name, mean.toPrecision(7), std.toPrecision(7)]);
    note(
      context,
      `${table(context, ['COLUMN', 'MEAN', 'STD'], rows)}\nNext:  tributary runs start ${shellWord(args.out)}`,
    );
  },
});

/** A plan is written into a new file, or is itself the answer. */
async function deliver(
  context: Context,
  path: string | undefined,
  text: string,
  value: object,
): Promise<void> {
  if (path === undefined) return printResult(context, value, text);
  await writeNew([[path, text]]).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
    throw new TributaryError('conflict', `${path} exists already.`, {
      remedy: 'Give another file with -o, or delete that one.',
    });
  });
  printResult(context, value, `${path} is written.`);
}

function columnsIn({ features }: { readonly features: { readonly kind: string } }): string {
  return plural('columns' in features ? (features.columns as unknown[]).length : 0, 'column');
}
