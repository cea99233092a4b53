/** Looking at a plan file without starting it. */
import { planHash, topologyHash } from '@tributary/protocol';
import { nodeCrypto } from '@tributary/protocol/node';
import { command, group } from '../command.ts';
import { fields, note, printResult } from '../output.ts';
import { readPlanFile } from '../plan-file.ts';
import { planWords } from '../plan-words.ts';
import { check } from './plan-check.ts';
import { init } from './plan-init.ts';
import { moments, standardise } from './plan-standardise.ts';

const hash = command({
  name: 'hash',
  description: 'Check a plan and print its hashes, for the `plans:` of node.yaml policies',
  examples: [
    { line: 'plan hash plan.yaml', does: 'what partners approve, and what the plan says in plain words' },
    { line: 'plan hash plan.yaml --json', does: '{"plan":"...","topology":"..."}' },
  ],
  args: { file: { type: 'positional', valueHint: 'plan.yaml', description: 'Plan as YAML or JSON' } },
  async run(context, args) {
    const plan = await readPlanFile(args.file);
    const hashes = { plan: planHash(nodeCrypto, plan), topology: topologyHash(nodeCrypto, plan) };
    const { countParameters } = await import('../model-files.ts');
    const words = planWords(plan, await countParameters(plan));
    const human = fields(context, [['plan', hashes.plan], ['topology', hashes.topology], ...words]);
    printResult(context, { name: plan.name, ...hashes }, human);
    note(
      context,
      '\n`plan` allows exactly this; `topology` allows every plan on this network (see policy in node.yaml).',
    );
  },
});

export const plan = group({
  name: 'plan',
  description: 'Make a plan from a sample, check it, and compute its hashes',
  examples: [
    { line: 'plan init --data sample.csv', does: 'a first plan from a sample' },
    { line: 'plan check plan.yaml', does: 'what it asks of partners, what it costs, what is unusual' },
    { line: 'plan hash plan.yaml', does: 'is it valid, and what do partners approve?' },
  ],
  commands: [init, check, hash, moments, standardise],
});
