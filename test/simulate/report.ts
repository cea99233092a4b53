/** What many seeds came to. */

import { COORDINATOR_PORTS, type Fault, NODE_PORTS, TEARABLE } from './faults/faults.ts';
import { describeFault } from './faults/words.ts';
import type { Violation } from './oracle/oracle.ts';
import type { Outcome } from './simulation.ts';

export interface Failure {
  readonly seed: number;
  readonly violations: readonly Violation[];
  /** The fewest that still do it. */
  readonly faults: readonly Fault[];
}

export interface Report {
  readonly seeds: number;
  readonly first: number;
  readonly seconds: number;
  readonly published: number;
  readonly voided: number;
  /** How runs ended: done, failed, or waiting for good because partners must sit out. */
  readonly ends: Readonly<Record<string, number>>;
  /** Faults met, by kind. */
  readonly faults: Readonly<Record<string, number>>;
  /** Deaths at calls of ports, `process port moment` to how often; 0 where none happened. */
  readonly crashPoints: Readonly<Record<string, number>>;
  /** Updates that came in several pieces, welcomes of a lower epoch that nodes turned away from, disks exchanged. */
  readonly counts: Readonly<Record<string, number>>;
  readonly violations: number;
  readonly failures: readonly Failure[];
}

/** Every call of a port, before, after, and in the middle where there is one. */
function allCrashPoints(): string[] {
  const of = (process: string, ports: readonly (typeof TEARABLE)[number][]) =>
    ports.flatMap((port) =>
      ['before', ...(TEARABLE.includes(port) ? ['torn'] : []), 'after'].map(
        (moment) => `${process} ${port} ${moment}`,
      ),
    );
  return [...of('coordinator', COORDINATOR_PORTS), ...of('node', NODE_PORTS)];
}

export function summarise(
  outcomes: readonly Outcome[],
  failures: readonly Failure[],
  first: number,
  seconds: number,
): Report {
  const crashPoints = Object.fromEntries(allCrashPoints().map((name) => [name, 0]));
  const ends: Record<string, number> = {};
  const faults: Record<string, number> = {};
  for (const { passed, end, met } of outcomes) {
    for (const [name, count] of Object.entries(passed))
      if (!name.endsWith(' refused')) crashPoints[name] = (crashPoints[name] ?? 0) + count;
    ends[end] = (ends[end] ?? 0) + 1;
    for (const fault of met) {
      const name = 'what' in fault ? `${fault.kind} ${fault.what}` : fault.kind;
      faults[name] = (faults[name] ?? 0) + 1;
    }
  }
  const sum = (of: (outcome: Outcome) => number): number => outcomes.reduce((all, one) => all + of(one), 0);
  return {
    ...{ seeds: outcomes.length, first, seconds, ends, faults, crashPoints, failures },
    published: sum(({ published }) => published),
    voided: sum(({ voided }) => voided),
    counts: {
      'updates resumed': sum(({ counts }) => counts.resumed),
      'lower epochs refused': sum(({ counts }) => counts.staleWelcomes),
      'disks exchanged': sum(({ counts }) => counts.replaced),
    },
    violations: sum(({ violations }) => violations.length),
  };
}

export function describeReport(report: Report): string {
  const counts = (of: Readonly<Record<string, number>>) =>
    Object.entries(of)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, count]) => `  ${String(count).padStart(7)}  ${name}`);
  const missing = Object.values(report.crashPoints).filter((count) => count === 0).length;
  const points = Object.keys(report.crashPoints).length;
  return [
    `${report.seeds} seeds from ${report.first} in ${report.seconds.toFixed(1)} s`,
    `${report.published} rounds published, ${report.voided} attempts void`,
    '',
    'How the runs ended',
    ...counts(report.ends),
    '',
    'Also',
    ...counts(report.counts),
    '',
    'Faults met',
    ...counts(report.faults),
    '',
    `Deaths at calls of ports: ${points - missing} of ${points} points`,
    ...counts(report.crashPoints),
    '',
    ...report.failures.map(describeFailure),
    `${report.violations} violations`,
    '',
  ].join('\n');
}

function describeFailure({ seed, violations, faults }: Failure): string {
  return [
    `Seed ${seed} fails; again: npm run simulate -- --seed ${seed} --trace`,
    ...violations.map(({ invariant, detail }) => `  ${invariant}: ${detail}`),
    faults.length > 0 ? '  with no more than' : '  without any fault',
    ...faults.map((fault) => `    ${describeFault(fault)}`),
    '',
  ].join('\n');
}
