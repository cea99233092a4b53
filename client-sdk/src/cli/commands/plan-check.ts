/** What a plan means before anybody is asked: for partners, for the wire, for the machines. */
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { type ModelWeights, type Plan, planHash, TributaryError, topologyHash } from '@tributary/protocol';
import { nodeCrypto } from '@tributary/protocol/node';
import type { Estimate } from '../../planning/estimate.ts';
import type { Finding } from '../../planning/finding.ts';
import type { Trial } from '../../planning/try-training.ts';
import { shellWord } from '../../shell-word.ts';
import { momentsLayerOf } from '../../trainer/model/moments-checks.ts';
import { command, UsageError, wholeNumber } from '../command.ts';
import type { Context } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { bytes, duration, operations, printFindings, thenAgain } from '../finding-words.ts';
import { fields, note, plural, printResult, table } from '../output.ts';
import { readPlanFile } from '../plan-file.ts';
import { planWords } from '../plan-words.ts';

export const check = command({
  name: 'check',
  description: 'Say what a plan asks of partners, what it costs them, and what is unusual about it',
  examples: [
    { line: 'plan check plan.yaml', does: 'layers, bytes and time in a round, memory, warnings' },
    {
      line: 'plan check plan.yaml --data sample.csv --try',
      does: 'and a sample, with a few steps of training',
    },
    {
      line: 'plan check plan.yaml --rows 20000 --json',
      does: 'for partners with 20,000 rows each, for programs',
    },
  ],
  args: {
    file: { type: 'positional', valueHint: 'plan.yaml', description: 'Plan as YAML or JSON' },
    rows: {
      type: 'string',
      valueHint: 'N',
      description: 'Rows of one partner, for time and memory (those of the sample, or 1000, unless given)',
    },
    data: { type: 'string', valueHint: 'FILE|DIR', description: 'Sample to read as a node would read it' },
    try: { type: 'boolean', description: 'Train a few steps on the sample, to see the loss fall' },
  },
  async run(context, args) {
    if (args.try && args.data === undefined)
      throw new UsageError('--try needs a sample.', 'Add --data FILE, a sample that you may look at.');
    const given = args.rows === undefined ? undefined : wholeNumber(args.rows, '--rows', 1, 100_000_000);
    const line = [
      `tributary plan check ${shellWord(args.file)}`,
      ...(args.data === undefined ? [] : [`--data ${shellWord(args.data)}`]),
      ...(args.try ? ['--try'] : []),
    ].join(' ');
    const again = (thrown: unknown): never => {
      throw thenAgain(thrown, line);
    };
    const plan = await readPlanFile(args.file).catch((thrown: NodeJS.ErrnoException) => {
      if (thrown.code !== 'ENOENT') return again(thrown);
      throw new TributaryError('not-found', `${args.file} does not exist.`, {
        remedy: 'Check the path, or make a plan: tributary plan init --data sample.csv',
      });
    });
    const { checkSample } = await import('../../planning/check-sample.ts');
    const sample = args.data === undefined ? undefined : await checkSample(plan, args.data).catch(again);
    const { costs, weights, norm } = await costsOf(plan, given ?? sample?.dataset?.rows ?? 1000);
    const { planFindings } = await import('../../planning/plan-findings.ts');
    const trains = momentsLayerOf(plan) === undefined;
    const findings = [...planFindings(plan, { estimate: costs, norm, trains }), ...(sample?.findings ?? [])];
    let trial: Trial | undefined;
    if (args.try && trains && sample?.dataset) {
      const { tryTraining } = await import('../../planning/try-training.ts');
      const tried = await tryTraining(plan, weights, sample.dataset);
      trial = tried.trial;
      findings.push(...tried.findings);
    }
    const hashes = { plan: planHash(nodeCrypto, plan), topology: topologyHash(nodeCrypto, plan) };
    const words = planWords(plan, costs.parameters);
    const shown: Shown = { plan, hashes, words, costs, sampleRows: sample?.dataset?.rows, trial };
    printResult(context, asJson(shown, findings), human(context, shown));
    printFindings(context, findings);
    if (findings.some(({ level }) => level === 'error')) {
      note(context, `\nCorrect it, then:  ${line}`);
      return EXIT.invalid;
    }
    note(context, `\nTo start it:  tributary runs start ${shellWord(args.file)}`);
    return EXIT.ok;
  },
});

interface Shown {
  readonly plan: Plan;
  readonly hashes: { readonly plan: string; readonly topology: string };
  readonly words: readonly (readonly [string, string])[];
  readonly costs: Estimate;
  readonly sampleRows: number | undefined;
  readonly trial: Trial | undefined;
}

async function costsOf(
  plan: Plan,
  rows: number,
): Promise<{ costs: Estimate; weights: ModelWeights; norm: number }> {
  const { buildModel } = await import('../../trainer/model/topology.ts');
  const { namedWeights, readWeights } = await import('../../trainer/model/weights.ts');
  const { estimate, initialNorm } = await import('../../planning/estimate.ts');
  const model: LayersModel = await buildModel(plan);
  try {
    const weights = readWeights(namedWeights(model));
    return { costs: estimate(plan, model, weights, rows), weights, norm: initialNorm(model) };
  } finally {
    model.dispose();
  }
}

function asJson({ plan, hashes, words, costs, sampleRows, trial }: Shown, findings: readonly Finding[]) {
  return {
    name: plan.name,
    ...hashes,
    asks: Object.fromEntries(words),
    ...costs,
    ...(sampleRows === undefined ? {} : { sample: { rows: sampleRows } }),
    ...(trial ? { trial } : {}),
    findings,
  };
}

function human(context: Context, { hashes, words, costs, sampleRows, trial }: Shown): string {
  const { bold } = context.io.colors.out;
  const { traffic, memory, seconds, layers, rows } = costs;
  const layerRows = layers.map(({ name, className, output, parameters, flops }) => [
    name === className ? className : `${className} ${name}`,
    `[${output.join(', ')}]`,
    parameters.toLocaleString('en-US').padStart(10),
    operations(flops).padStart(9),
  ]);
  const total = [
    'all',
    '',
    costs.parameters.toLocaleString('en-US').padStart(10),
    operations(costs.flops).padStart(9),
  ];
  const control = traffic.controlDown + traffic.controlUp;
  const sections: [string, string][] = [
    ['What partners are asked', fields(context, words)],
    [
      'Layers, and the work for one row forwards',
      table(context, ['LAYER', 'OUTPUT', 'PARAMETERS', 'WORK'].map(alignHeader), [...layerRows, total]),
    ],
    [
      `One partner in one round, with ${plural(rows, 'row')}`,
      fields(context, [
        ['receives', `${bytes(traffic.down)}, the model`],
        ['sends', `${bytes(traffic.up)}, the masked update`],
        [
          'control',
          `${bytes(control)} of messages both ways with as few partners as may be, without HTTP headers`,
        ],
        [
          'memory',
          `about ${bytes(memory.all)} beside the program: weights ${bytes(memory.weights)}, a batch ${bytes(memory.batch)}, rows ${bytes(memory.rows)}`,
        ],
        ['work', `${operations(costs.work)} in ${plural(costs.steps, 'step')}; reckoned, not measured:`],
        [
          '',
          `slow ${duration(seconds.slow)}, medium ${duration(seconds.medium)}, fast ${duration(seconds.fast)}`,
        ],
      ]),
    ],
  ];
  if (sampleRows !== undefined)
    sections.push([
      'Sample',
      fields(context, [
        ['rows', `${plural(sampleRows, 'row')}, all of which a node would take`],
        ...(trial
          ? [
              [
                'tried',
                `${plural(trial.steps, 'step')}: loss ${trial.before.toPrecision(4)} -> ${trial.after.toPrecision(4)}`,
              ] as const,
            ]
          : []),
      ]),
    ]);
  const head = fields(context, [
    ['plan', hashes.plan],
    ['topology', hashes.topology],
  ]);
  return [head, ...sections.map(([title, text]) => `${bold(title)}\n${text}`)].join('\n');
}

function alignHeader(title: string): string {
  return { PARAMETERS: title.padStart(10), WORK: title.padStart(9) }[title] ?? title;
}
