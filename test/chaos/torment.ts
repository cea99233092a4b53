/** One fault after the other, by a seed: processes killed or frozen, networks that lie, slow down, or go away. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { FaultProxy } from '../support/faults.ts';
import type { House } from './house.ts';
import type { Operator } from './operator.ts';
import type { Part } from './parts.ts';
import { PATIENCE } from './plan.ts';
import type { Dice } from './random.ts';
import type { Tally } from './tally.ts';

/** Milliseconds between two faults: rounds are to be caught in every phase, and to be published nevertheless. */
const PAUSE = [100, 800] as const;
/** An upload comes within, or the fault is given up. */
/** After patience, and the retry that follows: seconds. */
const CERTIFIED = 3 * PATIENCE;
const TEAR_MS = 10_000;
const YOUNG_MS = 5000;
/** Of the faults, this share strikes while somebody is on the way back from the one before. */
const HURRY = 0.1;

/** Goes on until `enough` says so. */
export async function torment(
  house: House,
  dice: Dice,
  tally: Tally,
  operator: Pick<Operator, 'latest'>,
  enough: () => boolean,
): Promise<void> {
  const { coordinator, nodes, proxies } = house;
  const faults: readonly (readonly [weight: number, act: () => void])[] = [
    [3, () => killOne(coordinator)],
    [5, () => killOne(dice.pick(nodes))],
    // Both sides at once.
    [0.4, () => killAll([coordinator, dice.pick(nodes)])],
    // Too many for the threshold: the attempt is void.
    [0.4, () => killAll(nodes.filter(() => dice.chance(0.6)))],
    [0.6, () => freeze('node frozen', dice.pick(nodes), PATIENCE + dice.between(0.3, 1))],
    [0.3, () => freeze('coordinator frozen', coordinator, PATIENCE + dice.between(0.3, 1))],
    [0.5, () => network('cut', (proxy) => proxy.cut())],
    [1, breakTransfers],
    [0.5, partition],
    [0.8, () => void tear()],
    [0.5, () => network('reset', (proxy) => proxy.reset())],
    [0.5, () => disturb('latency', { latencyMs: dice.between(50, 400) })],
    [0.5, () => disturb('throttle', { bytesPerSecond: dice.between(50_000, 500_000) })],
    [0.5, () => disturb('blackhole', { blackhole: true })],
  ];
  const all = faults.reduce((sum, [weight]) => sum + weight, 0);

  function killAll(parts: readonly Part[]): void {
    for (const part of parts) part.kill();
  }

  /** One that has just started is on its way to its crash point, mostly. */
  function spare(part: Part): boolean {
    return (part.since === 0 || Date.now() - part.since < YOUNG_MS) && dice.chance(0.8);
  }

  function killOne(part: Part): void {
    if (!spare(part) && !(part !== coordinator && tally.thinned(part.name))) part.kill();
  }

  function freeze(kind: string, part: Part, seconds: number): void {
    tally.fault(kind);
    part.freeze(seconds);
  }

  function network(kind: string, act: (proxy: FaultProxy) => void): void {
    tally.fault(kind);
    act(dice.pick(proxies));
  }

  /** Half of the nodes are out of reach until the attempt is given up: those who have sent a vector may certify that. */
  function partition(): void {
    tally.fault('partition');
    const half = proxies.filter((_, i) => i % 2 === 0);
    for (const proxy of half) proxy.set({ blackhole: true });
    setTimeout(() => half.forEach(heal), 1000 * (PATIENCE + dice.between(0.5, 2))).unref();
  }

  /** Slow transfers that break off in the middle. */
  function breakTransfers(): void {
    tally.fault('slow, then reset');
    const [bytesPerSecond, wait] = [dice.between(150_000, 400_000), dice.between(1000, 4000)];
    for (const proxy of proxies.filter(() => dice.chance(0.5))) {
      proxy.set({ bytesPerSecond });
      setTimeout(() => mend(proxy), wait).unref();
    }
  }

  /** Half of the uploads break off in the middle, and in half of the cases nothing more comes from there until the attempt is void. */
  async function tear(): Promise<void> {
    tally.fault('uploads torn');
    const half = proxies.filter((_, i) => i % 2 === 1);
    for (const proxy of half) proxy.set({ bytesPerSecond: 80_000 });
    const end = Date.now() + TEAR_MS;
    while (operator.latest?.current?.phase !== 'upload' && Date.now() < end && !enough()) await sleep(50);
    await sleep(dice.between(500, 2000));
    for (const proxy of half) proxy.reset();
    if (dice.chance(0.7)) {
      tally.spare(1000 * CERTIFIED);
      for (const proxy of half) proxy.set({ blackhole: true });
      await sleep(1000 * (PATIENCE + dice.between(0.5, 2)));
    }
    for (const proxy of half) mend(proxy);
  }

  /** For a while, and longer than patience now and then. */
  function disturb(kind: string, settings: Parameters<FaultProxy['set']>[0]): void {
    network(kind, (proxy) => {
      proxy.set(settings);
      setTimeout(() => heal(proxy), dice.between(500, 1500 * PATIENCE)).unref();
    });
  }

  while (!enough()) {
    await sleep(dice.between(...PAUSE));
    if (tally.sated() || !(house.whole() || dice.chance(HURRY))) continue;
    let at = dice.between(0, all);
    for (const [weight, act] of faults) {
      at -= weight;
      if (at >= 0) continue;
      act();
      break;
    }
  }
  for (const proxy of proxies) heal(proxy);
}

/** What was swallowed meanwhile never comes: the connection is gone with it. */
function heal(proxy: FaultProxy): void {
  proxy.set({ latencyMs: 0, bytesPerSecond: 0, blackhole: false });
}

function mend(proxy: FaultProxy): void {
  proxy.reset();
  heal(proxy);
}
