/** The coordinator's memory in a round must not grow with the number of clients: one accumulator for all. */
import { benchPlan, startFleet } from '../support/fleet.ts';
import { resetPeak, residentPeak } from '../support/processes.ts';
import { median, type Result } from './report.ts';

export interface MemoryOptions {
  readonly parameters: number;
  readonly clients: readonly number[];
  /** Runs per number of clients. */
  readonly repeat: number;
}

export async function benchMemory({ parameters, clients, repeat }: MemoryOptions): Promise<Result[]> {
  const peaks: number[] = [];
  for (const count of clients) {
    const rises: number[] = [];
    for (let i = 0; i < repeat; i++) rises.push(await peakOf(count, parameters));
    peaks.push(median(rises));
  }
  const modelMb = (4 * parameters) / 1e6;
  const slope = slopeOf(clients, peaks);
  return [
    {
      name: 'memory',
      ...{ value: slope, unit: 'MB per client', floor: modelMb, ratio: slope / modelMb },
      ...{ goal: 'slope <= 0.05 of an update', met: slope <= 0.05 * modelMb },
      note: clients.map((count, i) => `${count} clients: ${peaks[i]!.toFixed(0)} MB peak`).join('; '),
    },
  ];
}

async function peakOf(clients: number, parameters: number): Promise<number> {
  const fleet = await startFleet({ clients, parameters });
  try {
    const { pid } = fleet.coordinator;
    resetPeak(pid);
    await fleet.run(benchPlan(clients, 'secure', 1));
    return residentPeak(pid);
  } finally {
    await fleet.close();
  }
}

/** Least squares. */
function slopeOf(xs: readonly number[], ys: readonly number[]): number {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [mx, my] = [mean(xs), mean(ys)];
  const covariance = xs.reduce((sum, x, i) => sum + (x - mx) * (ys[i]! - my), 0);
  return covariance / xs.reduce((sum, x) => sum + (x - mx) ** 2, 0);
}
