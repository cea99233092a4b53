/** Crash points: which ones were hit, and which one the next process is to die at. */
import {
  COORDINATOR_CRASH_POINTS,
  CRASH_POINTS,
  type CrashPoint,
  NODE_CRASH_POINTS,
} from '@tributary/protocol/node';
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

export interface Arsenal {
  readonly hit: ReadonlySet<CrashPoint>;
  readonly missing: readonly CrashPoint[];
  /** For TRIBUTARY_CRASH_AT of a process that is about to start under this name. */
  arm(side: 'coordinator' | 'node', stage: Stage, name: string): string | undefined;
  disarm(name: string): undefined;
  note(armed: string): void;
}

export function createArsenal(dice: Dice): Arsenal {
  const hit = new Set<CrashPoint>();
  /** By the name of the process. */
  const armed = new Map<string, CrashPoint>();
  /** How often a process was armed with it, in vain or not. */
  const tries = new Map<CrashPoint, number>();
  const triesOf = (point: CrashPoint): number => tries.get(point) ?? 0;

  function pointsOf(side: 'coordinator' | 'node', stage: Stage): CrashPoint[] {
    const points: readonly CrashPoint[] = side === 'node' ? NODE_CRASH_POINTS : COORDINATOR_CRASH_POINTS;
    if (stage === 'running') return points.filter((point) => SETTING_UP.every((part) => !part.test(point)));
    return SETTING_UP.flatMap((part) => points.filter((point) => part.test(point)));
  }

  function next(side: 'coordinator' | 'node', stage: Stage): CrashPoint | undefined {
    const points = pointsOf(side, stage);
    const taken = new Set(armed.values());
    const open = points.filter((point) => !hit.has(point) && !taken.has(point));
    // A start passes all of them, so that the first one still lies ahead.
    if (stage === 'setting-up') return open[0];
    if (open.length > 0) {
      const least = Math.min(...open.map(triesOf));
      return dice.pick(open.filter((point) => triesOf(point) === least));
    }
    return dice.chance(0.5) ? dice.pick(points) : undefined;
  }

  return {
    hit,
    get missing() {
      return CRASH_POINTS.filter((point) => !hit.has(point));
    },
    arm(side, stage, name) {
      armed.delete(name);
      const point = next(side, stage);
      if (!point) return undefined;
      armed.set(name, point);
      tries.set(point, triesOf(point) + 1);
      // Mostly the first passage, or rare points would hardly ever be reached.
      const passage = hit.has(point) || dice.chance(0.15) ? 1 + Math.floor(dice.between(0, 4)) : 1;
      return `${point}:${stage === 'running' ? passage : 1}`;
    },
    disarm(name) {
      armed.delete(name);
      return undefined;
    },
    note(text) {
      hit.add(text.split(':')[0] as CrashPoint);
    },
  };
}
