/** Protocol time of a round with trivial training: from announcement to publication, on loopback. */
import { benchPlan, startFleet } from '../support/fleet.ts';
import { median, type Result } from './report.ts';

const ROUNDS = 20;
const GOAL_MS = 250;

export interface RoundOptions {
  readonly clients: number;
  readonly parameters: number;
}

export async function benchRound(options: RoundOptions): Promise<Result> {
  const fleet = await startFleet(options);
  try {
    const run = await fleet.run(benchPlan(options.clients, 'secure', ROUNDS));
    const times = run.history.map((record) => record.published - record.started).slice(2);
    const value = median(times);
    const sorted = [...times].sort((a, b) => a - b);
    return {
      name: 'round',
      ...{ value, unit: 'ms', floor: null, ratio: null, goal: `p50 <= ${GOAL_MS} ms`, met: value <= GOAL_MS },
      note: `${times.length} rounds of ${options.clients} clients x ${options.parameters} parameters; fastest ${sorted[0]} ms, slowest ${sorted.at(-1)} ms`,
    };
  } finally {
    await fleet.close();
  }
}
