/** Taking models away. */
import { join, resolve } from 'node:path';
import { type ModelSummary, parsePlan, TributaryError } from '@tributary/protocol';
import { command, group, wholeNumber } from '../command.ts';
import { connect, URL_ARGS } from '../connect.ts';
import { dateTime, note, printResult, table } from '../output.ts';
import { figures } from '../run-words.ts';
import { runOrNewest } from './runs.ts';

const list = command({
  name: 'list',
  description: 'List the published models, one per round, with what was measured',
  examples: [
    { line: 'models list', does: 'of all runs' },
    { line: 'models list digits-1a2b3c4d', does: 'of one run' },
  ],
  args: {
    run: { type: 'positional', required: false, description: 'Id of the run; all unless given' },
    ...URL_ARGS,
  },
  async run(context, args) {
    const models = await (await connect(context, args)).models(args.run);
    const rows = models.map((model) => {
      const measured = figures(model);
      return [
        model.run,
        model.round,
        measured.accuracy,
        measured.loss,
        measured.by,
        dateTime(model.published),
        model.model.slice(0, 16),
      ];
    });
    const human =
      rows.length > 0
        ? table(context, ['RUN', 'ROUND', 'ACCURACY', 'LOSS', 'MEASURED BY', 'PUBLISHED', 'SHA-256'], rows)
        : 'No model yet: a run publishes one per round.';
    printResult(context, models, human);
  },
});

const pull = command({
  name: 'pull',
  description: 'Download a model as safetensors, and as tfjs layers model that tfjs loads directly',
  examples: [
    { line: 'models pull', does: 'the latest model, into a folder named after its run' },
    { line: 'models pull digits-1a2b3c4d --round 3 --out best', does: 'the model of round 3' },
  ],
  args: {
    run: {
      type: 'positional',
      required: false,
      description: 'Id of the run; the newest with a model unless given',
    },
    round: { type: 'string', valueHint: 'N', description: 'Which round; the latest unless given' },
    out: { type: 'string', valueHint: 'DIR', description: 'Folder to write; RUN-round-N unless given' },
    force: { type: 'boolean', description: 'Replace files that are there' },
    ...URL_ARGS,
  },
  async run(context, args) {
    const round = args.round === undefined ? undefined : wholeNumber(args.round, '--round', 1, 1_000_000);
    const api = await connect(context, args);
    const id = await runOrNewest(api, args.run, ({ round }) => round > 0);
    const [run, models] = await Promise.all([api.run(id), api.models(id)]);
    const model = pick(models, id, round);
    const file = await api.getBlob(model.model);
    const out = resolve(args.out ?? `${id}-round-${model.round}`);
    const { writeModel } = await import('../model-files.ts');
    const files = await writeModel(out, parsePlan(run.planBody), file, args.force);
    const result = { run: id, round: model.round, sha256: model.model, out, files };
    printResult(
      context,
      result,
      `${id}, round ${model.round}:\n${files.map((path) => `  ${path}\n`).join('')}`,
    );
    note(context, snippets(out));
  },
});

export const models = group({
  name: 'models',
  description: 'List and download what the runs have trained',
  examples: [{ line: 'models pull', does: 'the latest model' }],
  commands: [list, pull],
});

function pick(models: readonly ModelSummary[], run: string, round: number | undefined): ModelSummary {
  const found = [...models]
    .sort((a, b) => b.round - a.round)
    .find((model) => round === undefined || model.round === round);
  if (found) return found;
  const rounds = models.map((model) => model.round).join(', ');
  throw new TributaryError(
    'not-found',
    round === undefined ? `${run} has published no model yet.` : `${run} has no model of round ${round}.`,
    { remedy: rounds === '' ? 'Wait for its first round: `tributary runs watch`.' : `Rounds: ${rounds}.` },
  );
}

function snippets(out: string): string {
  return `
tfjs (Node.js with @tensorflow/tfjs-node; in a browser give the URL of model.json):
  const model = await tf.loadLayersModel('file://${join(out, 'model.json')}')

Python (pip install safetensors numpy):
  from safetensors.numpy import load_file
  weights = load_file(${JSON.stringify(join(out, 'model.safetensors'))})  # {"layer/kernel": ndarray, ...}`;
}
