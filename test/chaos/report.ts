import type { Kills } from './tally.ts';

export interface Report {
  readonly seed: number;
  readonly seconds: number;
  readonly kills: { readonly all: number; readonly coordinator: Kills; readonly nodes: Kills };
  readonly crashPoints: { readonly hit: number; readonly all: number; readonly missing: readonly string[] };
  /** How often a process was frozen or a network disturbed, by kind. */
  readonly faults: Readonly<Record<string, number>>;
  readonly runs: {
    readonly started: number;
    /** Too many partners had sent a vector on the weights of a round, and were killed: another base is needed. */
    readonly givenUp: number;
  };
  readonly rounds: number;
  /** `void`: by code of the reason. */
  readonly attempts: { readonly announced: number; readonly void: Readonly<Record<string, number>> };
  readonly updates: {
    readonly acknowledged: number;
    /** Taken back by their own node, which was killed and left the attempt. */
    readonly withdrawn: number;
    readonly lost: number;
    readonly countedTwice: number;
  };
  /** Published models that are, bit for bit, what the nodes' vectors fold to. */
  readonly modelsEqual: number;
  readonly violations: readonly string[];
  /** Kept to look into, when something was wrong. */
  readonly folder: string | null;
}

export function describe(report: Report): string {
  const { kills, crashPoints, runs, attempts, updates } = report;
  const list = (counts: Readonly<Record<string, number>>) =>
    Object.entries(counts)
      .map(([name, count]) => `${name} ${count}`)
      .join(', ') || 'none';
  const lines = [
    `seed ${report.seed}, ${report.seconds} s`,
    `kills             ${kills.all}: coordinator ${kills.coordinator.points} at crash points, ${kills.coordinator.random} at random; nodes ${kills.nodes.points} and ${kills.nodes.random}`,
    `crash points      ${crashPoints.hit} of ${crashPoints.all} hit`,
    `other faults      ${list(report.faults)}`,
    `runs              ${runs.started}, of which ${runs.givenUp} given up (too many had sent a vector and were killed)`,
    `rounds published  ${report.rounds}, models equal bit for bit: ${report.modelsEqual}`,
    `attempts          ${attempts.announced}, void: ${list(attempts.void)}`,
    `updates           ${updates.acknowledged} acknowledged, ${updates.withdrawn} withdrawn by their own node, ${updates.lost} lost, ${updates.countedTwice} counted twice`,
  ];
  if (crashPoints.missing.length > 0) lines.push(`not hit           ${crashPoints.missing.join(' ')}`);
  for (const violation of report.violations) lines.push(`VIOLATION         ${violation}`);
  if (report.folder)
    lines.push(`kept              ${report.folder}; again: npm run chaos -- --seed ${report.seed}`);
  return `${lines.join('\n')}\n`;
}
