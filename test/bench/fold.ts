/** From HTTP upload to durable and folded: the coordinator's CPU from U2 to the last fold, against the bare server. */

import { benchPlan, type Fleet, type FleetOptions, startFleet } from '../support/fleet.ts';
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
  const fleet = await startMeasured(options);
  try {
    const values: number[] = [];
    const floors: number[] = [];
    for (let i = 0; i < ROUNDS; i++) {
      values.push(await fleet.fold());
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

const ENCRYPTED_GOAL = 2;

/** The same with the spool encrypted, against the same without, in turns. */
export async function benchAtRest(options: FoldOptions): Promise<Result> {
  const plain = await startMeasured(options);
  const encrypted = await startMeasured({ ...options, encryptBlobs: true });
  try {
    const values: number[] = [];
    const floors: number[] = [];
    for (let i = 0; i < ROUNDS; i++) {
      floors.push(await plain.fold());
      values.push(await encrypted.fold());
    }
    const [value, floor] = [median(values.slice(1)), median(floors.slice(1))];
    const ratio = value / floor;
    return {
      name: 'at-rest',
      ...{ value, unit: 's CPU', floor, ratio, goal: `<= ${ENCRYPTED_GOAL}`, met: ratio <= ENCRYPTED_GOAL },
      note: `${options.clients} x ${options.parameters} parameters; the floor is the same without --encrypt-blobs`,
    };
  } finally {
    await plain.close();
    await encrypted.close();
  }
}

/** A fleet whose `fold` tells the coordinator's CPU from the first byte of an upload to the last acknowledgement. */
async function startMeasured(
  options: FleetOptions,
): Promise<Pick<Fleet, 'close'> & { fold(): Promise<number> }> {
  const fleet = await startFleet(options);
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
  return {
    close: fleet.close,
    async fold() {
      [uploading, uploaded] = [0, 0];
      await fleet.run(benchPlan(options.clients, 'plain', 1));
      return folded - started;
    },
  };
}
