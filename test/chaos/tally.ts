/** What was done to the processes, and what was wrong. */
import type { Dice } from './random.ts';

export interface Kills {
  /** Where they were armed. */
  points: number;
  /** At any instant. */
  random: number;
}

export interface Tally {
  readonly coordinator: Readonly<Kills>;
  readonly nodes: Readonly<Kills>;
  /** `backup` and `restore`. */
  readonly tools: Readonly<Kills>;
  readonly faults: Readonly<Record<string, number>>;
  /** What the operator did meanwhile. */
  readonly deeds: Readonly<Record<string, number>>;
  readonly violations: readonly string[];
  killed(side: 'coordinator' | 'node' | 'tool', how: 'at a crash point' | 'at random', name: string): void;
  fault(kind: string): void;
  deed(kind: string): void;
  violation(text: string): void;
  kills(): number;
  /** Nobody is killed for so many milliseconds: an attempt that has just become void is to be certified. */
  spare(ms: number): void;
  /** Enough for now: the round is to be published first, or to have had its time. */
  sated(): boolean;
  /** So many nodes were killed since the last round that one more would make an attempt void, where that is spared. */
  thinned(name: string): boolean;
  /** A round was published: it starts anew. */
  published(): void;
}

/** All are in the mix: one that never struck is told as 0. */
const FAULTS = [
  'node frozen',
  'coordinator frozen',
  'cut',
  'reset',
  'latency',
  'throttle',
  'blackhole',
  'partition',
  'slow, then reset',
  'uploads torn',
];

/** Kills between two published rounds, and how long they may hold one up: milliseconds. */
const PER_ROUND = 8;
const PER_ROUND_MS = 20_000;
/** Of six that share a sum, two may drop out. */
const NODES_PER_ROUND = 2;
/** Share of the rounds in which more of them are killed all the same. */
const RECKLESS = 0.15;

export function createTally(dice: Dice): Tally {
  const sides = { coordinator: { points: 0, random: 0 }, node: { points: 0, random: 0 } };
  const tools = { points: 0, random: 0 };
  const deeds: Record<string, number> = {};
  const faults: Record<string, number> = Object.fromEntries(FAULTS.map((kind) => [kind, 0]));
  const violations: string[] = [];
  let spared = 0;
  let round = { kills: 0, since: Date.now(), nodes: new Set<string>(), reckless: false };
  const kills = (): number => {
    const { coordinator, node } = sides;
    return [coordinator, node, tools].reduce((sum, { points, random }) => sum + points + random, 0);
  };
  const published = (): void => {
    round = { kills: kills(), since: Date.now(), nodes: new Set(), reckless: dice.chance(RECKLESS) };
  };
  return {
    coordinator: sides.coordinator,
    nodes: sides.node,
    tools,
    faults,
    deeds,
    violations,
    killed(side, how, name) {
      if (side === 'node') round.nodes.add(name);
      const kills = side === 'tool' ? tools : sides[side];
      kills[how === 'at random' ? 'random' : 'points']++;
    },
    fault(kind) {
      faults[kind] = (faults[kind] ?? 0) + 1;
    },
    deed(kind) {
      deeds[kind] = (deeds[kind] ?? 0) + 1;
    },
    violation(text) {
      if (!violations.includes(text)) violations.push(text);
    },
    kills,
    published,
    spare(ms) {
      spared = Math.max(spared, Date.now() + ms);
    },
    thinned: (name) => !round.reckless && round.nodes.size >= NODES_PER_ROUND && !round.nodes.has(name),
    sated() {
      if (Date.now() < spared) return true;
      if (Date.now() - round.since > PER_ROUND_MS) published();
      return kills() - round.kills >= PER_ROUND;
    },
  };
}
