/** One engine in a process of its own: how long it takes to load, and a step of each net. One JSON line per finding. */

import { readFileSync } from 'node:fs';
import { createLocalModel, createStep, type EngineName, loadEngine } from '@tributary/client-sdk/training';
import type { Plan } from '@tributary/protocol';
import { batchOf, type Net } from './nets.ts';

export type Finding =
  | { readonly kind: 'loaded'; readonly ms: number; readonly megabytes: number }
  | { readonly kind: 'unusable'; readonly reason: string }
  | {
      readonly kind: 'net';
      readonly net: Net;
      readonly parameters: number;
      readonly msPerStep: number;
      /** Resident memory of the process while it trains. */
      readonly megabytes: number;
    };

/** At least so many steps, and at least so long: milliseconds. */
const STEPS = 5;
const WARM_UP = 2;
const DURATION = 1500;

const say = (finding: Finding) => process.stdout.write(`${JSON.stringify(finding)}\n`);
const megabytes = () => process.memoryUsage.rss() / 1e6;

/** Plans are read by whoever starts this: reading one loads an engine, and a process has one at a time. */
const [name, file, limit] = process.argv.slice(2) as [EngineName, string, string];
const plans = JSON.parse(readFileSync(file, 'utf8')) as Record<Net, Plan>;
const before = megabytes();
const started = performance.now();
try {
  const engine = await loadEngine(name);
  say({ kind: 'loaded', ms: performance.now() - started, megabytes: megabytes() - before });
  for (const [net, plan] of Object.entries(plans) as [Net, Plan][]) {
    const model = await createLocalModel(engine, plan);
    const step = createStep(engine, model, plan.training);
    const { values, labels } = batchOf(plan, model.units);
    const times: number[] = [];
    const run = () => {
      const from = performance.now();
      step.train(values, labels);
      return performance.now() - from;
    };
    const first = run();
    // On the cpu engine one step of a convolutional net takes half a minute.
    if (first > Number(limit)) times.push(first);
    else {
      for (let i = 1; i < WARM_UP; i += 1) run();
      for (let spent = 0; times.length < STEPS || (spent < DURATION && times.length < 200); ) {
        times.push(run());
        spent += times.at(-1)!;
      }
    }
    times.sort((a, b) => a - b);
    const parameters = model.values().length;
    say({
      kind: 'net',
      net,
      parameters,
      msPerStep: times[Math.floor(times.length / 2)]!,
      megabytes: megabytes(),
    });
    step.end();
    model.dispose();
  }
} catch (error) {
  say({ kind: 'unusable', reason: (error as Error).message });
}
process.exit(0);
