/** What is wrong on this machine, and what to do about it. */
import { findingLines, summarise } from '@tributary/protocol';
import { command } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { note, printResult } from '../output.ts';
import { printable } from '../printable.ts';

export const doctor = command({
  name: 'doctor',
  description: 'Check this machine, the node and the way to its coordinator; each finding has a remedy',
  examples: [
    { line: 'doctor', does: 'the node of ./node.yaml; without one, the machine alone' },
    {
      line: 'doctor --config clinic-a/node.yaml --json',
      does: 'for a script: exit code 1 if something failed',
    },
    {
      line: 'doctor --coordinator https://fl.example.org',
      does: 'before enrolling: is the coordinator reachable from here, through the proxy?',
    },
  ],
  args: {
    config: { type: 'string', valueHint: 'FILE', description: "The node's file; ./node.yaml if it is there" },
    coordinator: {
      type: 'string',
      valueHint: 'URL',
      description: 'Coordinator to reach, instead of the one that the node is enrolled with',
    },
  },
  async run(context, { config: given, coordinator }) {
    const { examine, findConfig } = await import('../../doctor/examine.ts');
    const config = await findConfig(given);
    const findings = await examine({ config, coordinator });
    const { text, ...counts } = summarise(findings);
    const { green, yellow, red } = context.io.colors.out;
    const marks = { ok: green(' ok '), warning: yellow('warn'), failed: red('FAIL') };
    // What a coordinator or a file says is shown; it must not move the cursor.
    const shown = findings.map((finding) =>
      finding.level === 'ok'
        ? { ...finding, message: printable(finding.message) }
        : { ...finding, message: printable(finding.message), remedy: printable(finding.remedy) },
    );
    printResult(context, { ...counts, findings }, [...findingLines(shown, marks), '', text].join('\n'));
    if (config === undefined) note(context, 'No node.yaml here: name one with --config to check a node.');
    return counts.failed > 0 ? EXIT.failed : EXIT.ok;
  },
});
