/** Proposing a plan to the partners. */
import { readFile } from 'node:fs/promises';
import {
  decodeSafetensors,
  encodeSafetensors,
  type Plan,
  planHash,
  requireFinite,
  topologyHash,
} from '@tributary/protocol';
import { nodeCrypto, nodeRandom } from '@tributary/protocol/node';
import { command, UsageError } from '../command.ts';
import { connect, URL_ARGS } from '../connect.ts';
import { fields, note, plural, printResult, warn } from '../output.ts';
import { perturb } from '../perturb.ts';
import { readPlanFile, withPath } from '../plan-file.ts';
import { modeWords } from '../plan-words.ts';
import { watchRun } from '../watch.ts';

export const start = command({
  name: 'start',
  description:
    'Start a run: check the plan, make the initial model from its seed, propose it to the partners',
  examples: [
    { line: 'runs start plan.yaml', does: 'prints the run and the plan hash that partners approve' },
    { line: 'runs start plan.yaml --weights model.safetensors', does: 'goes on from an earlier model' },
    {
      line: 'runs start plan.yaml --weights model.safetensors --perturb',
      does: 'goes on from one that partners sent a vector on already, after rounds were lost',
    },
  ],
  args: {
    file: { type: 'positional', valueHint: 'plan.yaml', description: 'Plan as YAML or JSON' },
    weights: {
      type: 'string',
      valueHint: 'FILE',
      description: 'Initial model (safetensors) instead of a new one',
    },
    perturb: {
      type: 'boolean',
      description:
        'With --weights: move each weight by a random thousandth of the spread of its tensor. Partners that sent a vector on these very weights sit out otherwise',
    },
    watch: { type: 'boolean', description: 'Follow the run to its end' },
    ...URL_ARGS,
  },
  async run(context, args) {
    const api = await connect(context, args);
    const plan = await readPlanFile(args.file);
    if (args.perturb && args.weights === undefined)
      throw new UsageError('--perturb goes with --weights.', 'tributary runs start --help');
    const { file, parameters } = await initialModel(plan, args.weights, args.perturb);
    const hashes = { plan: planHash(nodeCrypto, plan), topology: topologyHash(nodeCrypto, plan) };
    const model = await api.putBlob(file);
    const run = await api.startRun({ plan, model });
    if (!context.json || !args.watch)
      printResult(
        context,
        { ...run, topology: hashes.topology, model, parameters },
        fields(context, [
          ['run', run.id],
          ['plan hash', hashes.plan],
          ['topology', hashes.topology],
          ['model', `${plural(parameters, 'parameter')}, ${plural(file.length, 'byte')}`],
          ['sums', modeWords(plan.aggregation.mode)],
        ]),
      );
    if (run.plan !== hashes.plan)
      warn(
        context,
        `the coordinator names the plan ${run.plan}; partners approve that hash, compare it with them.`,
      );
    if (args.watch) return watchRun(context, api, run.id);
    note(
      context,
      `\nPartners whose policy says \`plans: ask\` approve with: tributary node approve ${run.plan}\n` +
        `Follow the run with:                                tributary runs watch ${run.id}`,
    );
    return undefined;
  },
});

async function initialModel(
  plan: Plan,
  path: string | undefined,
  moved = false,
): Promise<{ file: Uint8Array; parameters: number }> {
  if (path === undefined) {
    const { initialWeights } = await import('../../trainer/model/topology.ts');
    const weights = await initialWeights(plan);
    return { file: encodeSafetensors(weights), parameters: weights.values.length };
  }
  const file = new Uint8Array(await readFile(path).catch(withPath(path)));
  const { model } = decodeSafetensors(file);
  requireFinite(model.values);
  const { requireFit } = await import('../model-files.ts');
  await requireFit(plan, model);
  const parameters = model.values.length;
  return { file: moved ? encodeSafetensors(perturb(model, nodeRandom)) : file, parameters };
}
