/** The owner's word on plans, where the policy says `plans: ask`. */
import { asTributaryError, parsePlan } from '@tributary/protocol';
import { type Approval, approve, listPending, refuse } from '../../node/approvals.ts';
import { shellWord } from '../../shell-word.ts';
import { command, UsageError } from '../command.ts';
import type { Context } from '../context.ts';
import { dateTime, fields, note, printResult } from '../output.ts';
import { planWords } from '../plan-words.ts';
import { CONFIG_ARGS, readConfig } from './node-shared.ts';

const EXAMPLE = '3fa85f64a1e0c5d2b79846f3d1c0ab5e9482771c6e0fd3a8b5c4297e61d08f3a';

export const pending = command({
  name: 'pending',
  description: 'Show the plans that wait for your word, in plain words',
  examples: [
    { line: 'node pending --config clinic-a/node.yaml', does: 'who asks, and what would be trained' },
    { line: 'node pending --json', does: 'the plans whole' },
  ],
  args: CONFIG_ARGS,
  async run(context, args) {
    const config = await readConfig(args.config);
    const waiting = await listPending(config.state);
    if (context.json) {
      printResult(context, waiting, '');
      return;
    }
    const texts: string[] = [];
    for (const each of waiting) texts.push(await approvalText(context, each, config.enrolment.url));
    printResult(context, waiting, waiting.length > 0 ? texts.join('\n') : 'No plan waits for your word.');
    if (waiting.length > 0)
      note(
        context,
        `\nDecide with: tributary node approve ${waiting[0]!.plan}  (or refuse)` +
          `${args.config === 'node.yaml' ? '' : ` --config ${shellWord(args.config)}`}`,
      );
  },
});

export const approvePlan = decision(
  'approve',
  'Agree to a plan: this node takes part in every run of exactly this plan',
  approve,
);
export const refusePlan = decision('refuse', 'Say no to a plan, also if it was approved before', refuse);

function decision(name: 'approve' | 'refuse', description: string, decide: typeof approve) {
  return command({
    name,
    description,
    examples: [
      { line: `node ${name} ${EXAMPLE}`, does: 'the hash that `node pending` shows' },
      { line: `node ${name} ${EXAMPLE} --config clinic-a/node.yaml`, does: 'for a node elsewhere' },
    ],
    args: {
      hash: { type: 'positional', description: 'Plan hash, all 64 digits' },
      ...CONFIG_ARGS,
    },
    async run(context, args) {
      const hash = args.hash.toLowerCase();
      // Whole: a coordinator could make two plans whose hashes begin alike, one to be read, one to be run.
      if (!/^[0-9a-f]{64}$/.test(hash))
        throw new UsageError(
          `"${args.hash}" is no whole plan hash.`,
          'Copy all of its 64 hexadecimal digits from `tributary node pending`.',
        );
      const config = await readConfig(args.config);
      const { body: _, ...decided } = await decide(config.state, hash);
      printResult(context, decided, `Plan ${decided.plan} is ${decided.state}.`);
      note(context, 'A node that is running notices by itself.');
    },
  });
}

/** Nobody has approved these plans: one that cannot be read, or built, must not keep its owner from seeing the others. */
export async function approvalText(context: Context, approval: Approval, url: string): Promise<string> {
  return fields(context, [
    ['plan', approval.plan],
    ['topology', approval.topology],
    ['asked by', `${url}, run ${approval.run}, ${dateTime(approval.proposedAt)}`],
    ...(await wordsOf(approval.body)),
  ]);
}

async function wordsOf(body: unknown): Promise<[string, string][]> {
  const { countParameters } = await import('../model-files.ts');
  try {
    const plan = parsePlan(body);
    return planWords(plan, await countParameters(plan));
  } catch (thrown) {
    return [['cannot be used', `${asTributaryError(thrown).message} Refuse it.`]];
  }
}
