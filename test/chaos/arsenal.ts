/** Crash points: which ones were hit, and which one the next process is to die at. */
import {
  COORDINATOR_CRASH_POINTS,
  CRASH_POINTS,
  type CrashPoint,
  NODE_CRASH_POINTS,
  TOOL_CRASH_POINTS,
} from '@tributary/protocol/node';
import { REFEREE } from './plan.ts';
import type { Dice } from './random.ts';

/** Passed while partners enrol, or the coordinator makes its folder, in this order; later no more. */
const SETTING_UP = [
  /^coordinator\.(identity|admin-token)\./,
  /^coordinator\.(invite|enrol)\./,
  /^node\.identity\./,
  /^node\.enrol\./,
  /^node\.members\./,
  /^node\.coordinator\./,
] as const;

export type Stage = 'setting-up' | 'running';
/** Of the coordinator's programs, without the coordinator. */
export type Tool = 'backup' | 'restore' | 'rotate-key';
export type Side = 'coordinator' | 'node' | Tool;

/** Points at which a process is armed at once: a coordinator is alone, of nodes only some may die in one round. */
const AT_ONCE: Readonly<Record<Side, number>> = {
  coordinator: 10,
  node: 4,
  backup: 1,
  restore: 1,
  'rotate-key': 1,
};

const ROTATE_KEY: readonly CrashPoint[] = [
  'coordinator.identity.synced',
  'coordinator.rotate.own',
  'coordinator.identity.renamed',
];

export interface Arsenal {
  readonly hit: ReadonlySet<CrashPoint>;
  readonly missing: readonly CrashPoint[];
  /** For TRIBUTARY_CRASH_AT of a process that is about to start under this name. */
  arm(side: Side, stage: Stage, name: string): string | undefined;
  disarm(name: string): undefined;
  note(name: string, point: string): void;
}

/** @param many kills are to come: else the coordinator would take them all, one start after the other */
export function createArsenal(dice: Dice, many: boolean): Arsenal {
  const hit = new Set<CrashPoint>();
  /** By the name of the process. */
  const armed = new Map<string, readonly CrashPoint[]>();
  /** How often a process was armed with it, in vain or not. */
  const tries = new Map<CrashPoint, number>();
  /** Of those of setting up, the one where a process died last: its place. */
  const reached = new Map<string, number>();
  const triesOf = (point: CrashPoint): number => tries.get(point) ?? 0;

  function pointsOf(side: Side, stage: Stage): CrashPoint[] {
    if (side === 'rotate-key') return [...ROTATE_KEY];
    if (side === 'backup' || side === 'restore')
      return TOOL_CRASH_POINTS.filter((point) => point.startsWith(side));
    const points: readonly CrashPoint[] = side === 'node' ? NODE_CRASH_POINTS : COORDINATOR_CRASH_POINTS;
    if (stage === 'running') return points.filter((point) => SETTING_UP.every((part) => !part.test(point)));
    return SETTING_UP.flatMap((part) => points.filter((point) => part.test(point)));
  }

  /** Those that were hit least are tried first, several at once: it dies at the one that it comes to first. */
  function next(side: Side, stage: Stage, name: string): readonly CrashPoint[] {
    // Only evaluators come to some of them, and one that waits for them takes them from nobody.
    const suits = (point: CrashPoint) => point.startsWith('node.evaluat') === (name === REFEREE);
    const points = pointsOf(side, stage).filter(suits);
    const taken = new Set([...armed.values()].flat());
    const open = points.filter((point) => !hit.has(point) && !taken.has(point));
    // In this order they are passed, and the ones before that where it died last are behind it for good.
    if (stage === 'setting-up')
      return open.filter((point) => points.indexOf(point) > (reached.get(name) ?? -1)).slice(0, 1);
    if (open.length > 0) {
      const shuffled = open.map((point) => ({ point, key: triesOf(point) + dice.next() }));
      shuffled.sort((a, b) => a.key - b.key);
      return shuffled.slice(0, many ? AT_ONCE[side] : 1).map(({ point }) => point);
    }
    return dice.chance(0.5) ? [dice.pick(points)] : [];
  }

  return {
    hit,
    get missing() {
      return CRASH_POINTS.filter((point) => !hit.has(point));
    },
    arm(side, stage, name) {
      armed.delete(name);
      const points = next(side, stage, name);
      if (points.length === 0) return undefined;
      armed.set(name, points);
      const counts = stage === 'running' && (side === 'coordinator' || side === 'node');
      return points
        .map((point) => {
          tries.set(point, triesOf(point) + 1);
          // Mostly the first passage, or rare points would hardly ever be reached.
          const often = counts && (hit.has(point) || dice.chance(0.15));
          return `${point}:${often ? 1 + Math.floor(dice.between(0, 4)) : 1}`;
        })
        .join(',');
    },
    disarm(name) {
      armed.delete(name);
      return undefined;
    },
    note(name, text) {
      const point = text as CrashPoint;
      hit.add(point);
      for (const side of ['coordinator', 'node'] as const)
        if (point.startsWith(side)) reached.set(name, pointsOf(side, 'setting-up').indexOf(point));
    },
  };
}
