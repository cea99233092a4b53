/** The coordinator's CPU and memory for one exchange without training, beside a bare server that moves the same bytes. */
import { createReadStream, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Plan } from '@tributary/protocol';
import { layoutOf } from '@tributary/protocol/ring';
import { benchPlan, type Fleet, startFleet } from '../support/fleet.ts';
import { cpuSeconds, resetPeak, residentNow, residentPeak, start } from '../support/processes.ts';
import { format, median, type Result } from './report.ts';

export interface ExchangeOptions {
  readonly clients: number;
  readonly parameters: number;
}

const ROUNDS = 5;
const CPU_GOAL = 1.3;
const MEMORY_GOAL_MB = 150;
const DISCO = 'DISCO (EPFL, 2024-10), 10 M x 4: 1.5-1.85 s CPU, 770 MB peak';

export async function benchExchange(options: ExchangeOptions): Promise<Result[]> {
  const results: Result[] = [];
  for (const mode of ['plain', 'secure'] as const) results.push(...(await exchangeOnce(options, mode)));
  return results;
}

/** Memory is that of a new coordinator's first exchange, CPU the median of those after it, each beside a floor. */
async function exchangeOnce(options: ExchangeOptions, mode: 'plain' | 'secure'): Promise<Result[]> {
  const fleet = await startFleet(options);
  try {
    const { pid } = fleet.coordinator;
    const plan = benchPlan(options.clients, mode, 1);
    const idle = residentNow(pid);
    resetPeak(pid);
    await fleet.run(plan);
    const peak = residentPeak(pid) - idle;
    const floors: number[] = [];
    const rounds: { cpu: number; seconds: number }[] = [];
    for (let i = 0; i < ROUNDS; i++) {
      floors.push(await bareExchange(options));
      rounds.push(await measureRound(fleet, plan));
    }
    const [value, floor] = [median(rounds.map(({ cpu }) => cpu)), median(floors)];
    const ratio = value / floor;
    return [
      {
        name: `exchange ${mode}`,
        ...{ value, unit: 's CPU', floor, ratio, goal: `<= ${CPU_GOAL}`, met: ratio <= CPU_GOAL },
        note: `wall ${format(median(rounds.map(({ seconds }) => seconds)))} s from announcement to publication, clients on the same cores; ${DISCO}`,
      },
      {
        name: `exchange ${mode} memory`,
        ...{ value: peak, unit: 'MB over idle', floor: null, ratio: null },
        ...{ goal: `<= ${MEMORY_GOAL_MB} MB`, met: peak <= MEMORY_GOAL_MB },
        note: `idle ${format(idle)} MB; one vector is ${format((4 * options.parameters) / 1e6)} MB`,
      },
    ];
  } finally {
    await fleet.close();
  }
}

/** The coordinator's CPU between the first announcement and the publication. */
async function measureRound(fleet: Fleet, plan: Plan): Promise<{ cpu: number; seconds: number }> {
  const { pid } = fleet.coordinator;
  let start: number | null = null;
  const removers = fleet.clients.map((client) => client.on('announced', () => (start ??= cpuSeconds(pid))));
  const run = await fleet.run(plan);
  for (const remove of removers) remove();
  const { started, published } = run.history[0]!;
  return { cpu: cpuSeconds(pid) - start!, seconds: (published - started) / 1000 };
}

/** Each client fetches the model and puts an update, all at the same time. CPU seconds of the bare server. */
export async function bareExchange(
  { clients, parameters }: ExchangeOptions,
  download = true,
): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'tributary-bare-'));
  const { length } = layoutOf(parameters, 5);
  const update = join(folder, 'update');
  writeFileSync(update, Buffer.alloc(4 * length, 7));
  const server = start(fileURLToPath(new URL('./bare-server.js', import.meta.url)), [folder, String(length)]);
  try {
    const port = Number(await server.line());
    const once = async (): Promise<void> => {
      if (download) await (await fetch(`http://127.0.0.1:${port}/`)).arrayBuffer();
      await put(port, update, 4 * length);
    };
    await once(); // warm
    server.send('cpu');
    const before = Number(await server.line());
    await Promise.all(Array.from({ length: clients }, once));
    server.send('cpu');
    return Number(await server.line()) - before;
  } finally {
    await server.stop();
    rmSync(folder, { recursive: true });
  }
}

function put(port: number, path: string, bytes: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const outgoing = request({
      port,
      host: '127.0.0.1',
      method: 'PUT',
      headers: { 'content-length': bytes },
    });
    outgoing.on('response', (response) => response.resume().on('end', resolve)).on('error', reject);
    createReadStream(path, { highWaterMark: 1 << 20 }).pipe(outgoing);
  });
}
