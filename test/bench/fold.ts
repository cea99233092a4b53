/** From HTTP upload to durable and folded: the coordinator's CPU from U2 to the last fold, against the bare server. */

import { benchPlan, startFleet } from '../support/fleet.ts';
import { cpuSeconds } from '../support/processes.ts';
import { bareExchange } from './exchange.ts';
import { median, type Result } from './report.ts';

const ROUNDS = 5;
const GOAL = 1.3;

export interface FoldOptions {
  readonly clients: number;
  readonly parameters: number;
}

export async function benchFold(options: FoldOptions): Promise<Result> {
  const fleet = await startFleet(options);
  try {
    const { pid } = fleet.coordinator;
    let uploading = 0;
    let uploaded = 0;
    let started = 0;
    let folded = 0;
    for (const client of fleet.clients) {
      client.on('uploading', () => {
        if (uploading++ === 0) started = cpuSeconds(pid);
      });
      client.on('uploaded', () => {
        if (++uploaded === options.clients) folded = cpuSeconds(pid);
      });
    }
    const values: number[] = [];
    const floors: number[] = [];
    for (let i = 0; i < ROUNDS; i++) {
      [uploading, uploaded] = [0, 0];
      await fleet.run(benchPlan(options.clients, 'plain', 1));
      values.push(folded - started);
      floors.push(await bareExchange(options, false));
    }
    const [value, floor] = [median(values.slice(1)), median(floors.slice(1))];
    return {
      name: 'fold',
      ...{
        value,
        unit: 's CPU',
        floor,
        ratio: value / floor,
        goal: `<= ${GOAL}`,
        met: value / floor <= GOAL,
      },
      note: `${options.clients} x ${options.parameters} parameters; the last fold overlaps the acknowledgement`,
    };
  } finally {
    await fleet.close();
  }
}
