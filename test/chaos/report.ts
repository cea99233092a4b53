import type { Kills } from './tally.ts';

export interface Report {
  readonly seed: number;
  readonly seconds: number;
  readonly kills: {
    readonly all: number;
    readonly coordinator: Kills;
    readonly nodes: Kills;
    readonly tools: Kills;
  };
  readonly crashPoints: {
    readonly hit: number;
    readonly all: number;
    readonly points: readonly string[];
    readonly missing: readonly string[];
  };
  /** How often a process was frozen or a network disturbed, by kind. */
  readonly faults: Readonly<Record<string, number>>;
  /** What an operator did meanwhile, by kind. */
  readonly deeds: Readonly<Record<string, number>>;
  readonly runs: {
    readonly started: number;
    /** Too many partners had sent a vector on the weights of a round, and were killed: another base is needed. */
    readonly givenUp: number;
  };
  readonly rounds: number;
  readonly evaluations: number;
  /** `void`: by code of the reason. */
  readonly attempts: { readonly announced: number; readonly void: Readonly<Record<string, number>> };
  readonly updates: {
    readonly acknowledged: number;
    /** Not in the sum as their own node took them back, or was suspended. */
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
    `kills             ${kills.all}: coordinator ${kills.coordinator.points} at crash points, ${kills.coordinator.random} at random; nodes ${kills.nodes.points} and ${kills.nodes.random}; backup and restore ${kills.tools.points} at crash points`,
    `crash points      ${crashPoints.hit} of ${crashPoints.all} hit`,
    `other faults      ${list(report.faults)}`,
    `operator          ${list(report.deeds)}`,
    `runs              ${runs.started}, of which ${runs.givenUp} given up (too many had sent a vector and were killed)`,
    `rounds published  ${report.rounds}, models equal bit for bit: ${report.modelsEqual}; evaluations ${report.evaluations}`,
    `attempts          ${attempts.announced}, void: ${list(attempts.void)}`,
    `updates           ${updates.acknowledged} acknowledged, ${updates.withdrawn} withdrawn, ${updates.lost} lost, ${updates.countedTwice} counted twice`,
  ];
  lines.push(`hit               ${crashPoints.points.join(' ')}`);
  if (crashPoints.missing.length > 0) lines.push(`not hit           ${crashPoints.missing.join(' ')}`);
  for (const violation of report.violations) lines.push(`VIOLATION         ${violation}`);
  if (report.folder)
    lines.push(`kept              ${report.folder}; again: npm run chaos -- --seed ${report.seed}`);
  return `${lines.join('\n')}\n`;
}
