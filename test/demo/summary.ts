/** What the demo says at its end. */
import { duration } from './board.ts';
import { datasetOf } from './datasets/index.ts';
import type { Findings } from './evidence.ts';
import { type Kept, nextSteps } from './next-steps.ts';
import type { DemoResult, DemoRound } from './result.ts';
import type { View } from './view.ts';

type Colors = View['colors'];

export function summary(result: DemoResult, kept: Kept | undefined, colors: Colors): string {
  const parts = [
    accuracies(result, colors),
    ...constants(result, colors),
    traffic(result, colors),
    seen(result, colors),
    nextSteps(kept, colors),
    colors.dim(`Data: ${result.source}. Licence: ${result.licence}.`),
    colors.dim(`Whole demo: ${duration(1000 * result.seconds)} (m:ss), engine ${result.engine}.`),
  ];
  return `\n${parts.join('\n\n')}\n`;
}

const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;
const grouped = (count: number): string => count.toLocaleString('en-US');

function accuracies(
  { dataset, final, rounds, partners, killed }: DemoResult,
  { bold, green, dim, red }: Colors,
): string {
  const { testRows, rows: examples } = datasetOf({ dataset });
  const alone = final.localOnly;
  const title = bold(`Accuracy on ${grouped(testRows)} ${examples} that nobody trained on`);
  const reached = dim(`after ${rounds.length} rounds, loss ${final.loss.toFixed(4)}`);
  if (alone.length === 0) return `${title}\n  federated  ${bold(percent(final.accuracy))}  ${reached}`;
  const mean = alone.reduce((sum, each) => sum + each, 0) / alone.length;
  const best = Math.max(...alone);
  const points = (from: number): string =>
    `${from <= final.accuracy ? '+' : ''}${(100 * (final.accuracy - from)).toFixed(2)}`;
  const better = final.accuracy >= best ? green : red;
  const names = Math.max(...partners.map(({ name }) => name.length), 'federated'.length);
  return [
    title,
    `  ${'federated'.padEnd(names)}  ${better(bold(percent(final.accuracy)))}  ${reached}`,
    ...partners.map(({ name, rows }, i) => {
      const dead = killed.some((victim) => victim.name === name) ? ', killed in round 2' : '';
      return `  ${name.padEnd(names)}  ${percent(alone[i]!)}  ${dim(`alone, with its own ${grouped(rows)} rows${dead}`)}`;
    }),
    `  Federated is ${points(mean)} points over the mean partner alone, ${points(best)} over the best.`,
  ].join('\n');
}

/** Of the first sum, in which nothing was trained. */
function constants({ constants: agreed, aggregation }: DemoResult, { bold, dim }: Colors): string[] {
  if (!agreed) return [];
  const { rows, columns, seconds, bytesUp } = agreed;
  const sum = aggregation === 'secure' ? 'secure sum' : 'PLAIN sum';
  const shown = columns
    .slice(0, 3)
    .map(({ name, mean, std }) => [name, mean.toPrecision(6), std.toPrecision(5)]);
  const width = Math.max(...shown.map(([name]) => name!.length));
  return [
    [
      bold(`What partners agreed on first, in one ${sum} of count, sum and sum of squares`),
      ...shown.map(
        ([name, mean, std]) => `  ${name!.padEnd(width)}  mean ${mean}  standard deviation ${std}`,
      ),
      dim(
        `  and ${columns.length - shown.length} more columns, over ${grouped(rows)} rows, to better than 1 in 10,000`,
      ),
      dim(
        `  ${seconds.toFixed(1)} s, ${grouped(bytesUp)} bytes up${aggregation === 'secure' ? "; nobody saw one partner's own sums" : ''}`,
      ),
    ].join('\n'),
  ];
}

const HEADER = ['round', 'partners', 'dropped', 'seconds', 'bytes up', 'bytes down'];
/** Rounds shown one by one; of more, the middle is left out. */
const ROUNDS_SHOWN = 12;

function traffic({ rounds, aggregation, evidence }: DemoResult, { bold, dim }: Colors): string {
  const sum = (of: (round: DemoRound) => number): number =>
    rounds.reduce((total, round) => total + of(round), 0);
  const row = ({ round, participants, dropped, seconds, bytesUp, bytesDown }: DemoRound): string[] => [
    String(round),
    String(participants),
    String(dropped),
    seconds.toFixed(1),
    grouped(bytesUp),
    grouped(bytesDown),
  ];
  const total = ['total', '', String(sum((r) => r.dropped)), sum((r) => r.seconds).toFixed(1)];
  const cells = [
    ...rounds.map(row),
    [...total, grouped(sum((r) => r.bytesUp)), grouped(sum((r) => r.bytesDown))],
  ];
  const widths = HEADER.map((title, i) => Math.max(title.length, ...cells.map((each) => each[i]!.length)));
  const line = (each: readonly string[]): string =>
    `  ${each.map((cell, i) => cell.padStart(widths[i]!)).join('  ')}`;
  const lines = cells.map(line);
  if (rounds.length > ROUNDS_SHOWN)
    lines.splice(
      ROUNDS_SHOWN / 2,
      rounds.length - ROUNDS_SHOWN,
      dim(`  ... ${rounds.length - ROUNDS_SHOWN} more`),
    );
  const what = aggregation === 'secure' ? 'one masked vector' : 'one PLAIN vector';
  const size = evidence ? ` of ${grouped(evidence.bytes)} bytes` : '';
  return [
    bold('What crossed the wire'),
    dim(line(HEADER)),
    ...lines,
    `  Up: ${what}${size} from each partner in each round. Down: the model to each node.`,
    '  Besides, on the control channel: public keys, encrypted key shares, signatures, progress in twentieths.',
  ].join('\n');
}

function seen(
  { aggregation, rounds, constants: agreed, evidence, final }: DemoResult,
  colors: Colors,
): string {
  const { bold, red, green } = colors;
  const least = Math.min(...rounds.map(({ participants }) => participants));
  if (aggregation === 'plain')
    return [
      bold(red('What the coordinator could see: EVERYTHING (plain aggregation, for comparison only)')),
      red(
        `  ${rounds.reduce((sum, round) => sum + round.participants, 0)} individual updates, each as its partner made it.`,
      ),
      ...(evidence ? proof(evidence, colors) : []),
    ].join('\n');
  return [
    bold('What the coordinator could see'),
    `  individual updates: ${green('0')}; sums: ${rounds.length}, one in each round, over ${least} partners or more${agreed ? '; one more for the constants' : ''}`,
    ...(evidence ? proof(evidence, colors) : [unproven(final)]),
  ].join('\n');
}

/** Numbers from the bytes that lay on the coordinator's disk. */
function proof(found: Findings, { dim }: Colors): string[] {
  const { name, bytes, sha256, entropy, ownEntropy, ownLikeness, likeness, likenessToMean, sentinels } =
    found;
  const rows: [string, string][] = [
    ['likeness to the published mean', likenessToMean.toFixed(4)],
    [
      'likeness to its own update',
      `${likeness.toFixed(4)} (that update is ${ownLikeness.toFixed(4)} like the mean)`,
    ],
    ['bits of entropy in a byte', `${entropy.toFixed(4)} of 8 (its own update: ${ownEntropy.toFixed(4)})`],
    ['words that are 1 before masking', sentinels.slice(0, 4).map(grouped).join('  ')],
  ];
  return [
    `  The upload of ${name} in round 1, ${grouped(bytes)} bytes, as it lay on the coordinator's disk:`,
    dim(`    sha256 ${sha256}`),
    ...rows.map(([label, value]) => `    ${label.padEnd(33)}${value}`),
    dim(
      `    Likeness is correlation: of noise with so many numbers about ${(2 / Math.sqrt(bytes)).toFixed(3)}. Its own update: of its`,
    ),
    dim('    training alone, same start, same rows.'),
  ];
}

function unproven({ localOnly }: DemoResult['final']): string {
  const why =
    localOnly.length === 0
      ? 'nobody trained alone, so that there is nothing to compare an upload with'
      : 'no upload could be caught in time: the rounds were faster than the copy';
  return `  (${why})`;
}
