/** Rounds without end, and what they leave behind in memory and open files of coordinator and clients. */
import { readdirSync } from 'node:fs';
import { benchPlan, startFleet } from '../support/fleet.ts';
import { residentNow } from '../support/processes.ts';
import type { SoakOptions } from './options.ts';
import { lows, slope } from './slope.ts';

/** Rounds between two measurements. */
const EVERY = 20;
/**
 * MB in 1,000 rounds, or in all when there are fewer. What is live does not depend on how the collector and the allocator
 * feel, only on what is under way.
 */
const LIVE_GOAL = 2;

export interface Growth {
  readonly who: 'coordinator' | 'clients';
  /** MB in 1,000 rounds, and in all. */
  readonly mb: number;
  readonly rss: number;
  /** MB of live objects and buffers in 1,000 rounds; null where another process cannot read them. */
  readonly live: number | null;
  /** Open files in 1,000 rounds. */
  readonly files: number;
  readonly held: boolean;
}

export interface SoakReport {
  readonly rounds: number;
  readonly nodes: number;
  readonly seconds: number;
  readonly growth: readonly Growth[];
  readonly held: boolean;
}

interface Sample {
  readonly round: number;
  readonly rss: number;
  readonly live: number | null;
  readonly files: number;
}

export async function soak(options: SoakOptions, progress: (text: string) => void): Promise<SoakReport> {
  const { rounds, warmup, nodes, parameters } = options;
  const total = warmup + rounds;
  const fleet = await startFleet({
    ...{ clients: nodes, parameters, ledgers: 'files', rounds: [total] },
    backoff: { minMs: 20, maxMs: 200 },
  });
  try {
    const samples = { coordinator: [] as Sample[], clients: [] as Sample[] };
    let begun = 0;
    const refusal = new Promise<never>((_, reject) => {
      for (const client of fleet.clients) client.on('refused', ({ message }) => reject(new Error(message)));
    });
    fleet.clients[0]!.on('published', ({ round }) => {
      progress(`round ${round} of ${total}${round <= warmup ? ', warming up' : ''}`);
      if (round === warmup) begun = Date.now();
      if (round < warmup || round % EVERY !== 0) return;
      samples.coordinator.push(measure(fleet.coordinator.pid, round));
      samples.clients.push(measure(process.pid, round));
    });
    await Promise.race([fleet.run(benchPlan(nodes, 'secure', total)), refusal]);
    const growth = (['coordinator', 'clients'] as const).map((who) =>
      growthOf(who, samples[who], options.goal),
    );
    const seconds = (Date.now() - begun) / 1000;
    return { rounds, nodes, seconds, growth, held: growth.every(({ held }) => held) };
  } finally {
    await fleet.close();
  }
}

function measure(pid: number, round: number): Sample {
  const files = readdirSync(`/proc/${pid}/fd`).length;
  if (pid !== process.pid) return { round, rss: residentNow(pid), live: null, files };
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return { round, rss: residentNow(pid), live: (heapUsed + external) / 1e6, files };
}

function growthOf(who: Growth['who'], samples: readonly Sample[], goal: number): Growth {
  const perThousand = (of: (sample: Sample) => number, among = samples) =>
    slope(
      among.map(({ round }) => round / 1000),
      among.map(of),
    );
  const mb = perThousand(
    ({ rss }) => rss,
    lows(samples, ({ rss }) => rss),
  );
  const live = samples[0]!.live === null ? null : perThousand((sample) => sample.live!);
  const files = perThousand((sample) => sample.files);
  const held =
    mb < goal &&
    (live ?? 0) * Math.min(1, (samples.at(-1)!.round - samples[0]!.round) / 1000) < LIVE_GOAL &&
    files < 1;
  return { who, mb, rss: samples.at(-1)!.rss, live, files, held };
}
