/** What a link that breaks again and again costs one upload: bytes that went up over bytes of the vector. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type FaultProxy, startFaultProxy } from '../support/faults.ts';
import { benchPlan, startFleet } from '../support/fleet.ts';
import { format, type Result } from './report.ts';

export interface ResumeOptions {
  readonly parameters: number;
  readonly cuts: number;
}

const CLIENTS = 3;
/** 100 Mbit/s; what lies in buffers of the link when it breaks is lost, as on a real one. */
const BYTES_PER_SECOND = 12_500_000;
const GOAL = 1.1;

export async function benchResume({ parameters, cuts }: ResumeOptions): Promise<Result> {
  let proxy: FaultProxy | undefined;
  const fleet = await startFleet({
    ...{ clients: CLIENTS, parameters },
    async through(url, client) {
      if (client > 0) return url;
      proxy = await startFaultProxy({ to: { host: '127.0.0.1', port: Number(new URL(url).port) } });
      return `http://127.0.0.1:${proxy.port}`;
    },
  });
  try {
    const { passed, taken, set, reset } = proxy!;
    const [first] = fleet.clients;
    const upload = new Promise<{ before: number; begun: number; bytes: number }>((resolve) => {
      first!.on('uploading', ({ bytes }) => {
        set({ bytesPerSecond: BYTES_PER_SECOND });
        resolve({ before: passed.up, begun: taken.up, bytes });
      });
    });
    const uploaded = new Promise<number>((resolve) => first!.on('uploaded', () => resolve(taken.up)));
    const done = fleet.run(benchPlan(CLIENTS, 'plain', 1));
    const { before, begun, bytes } = await upload;
    for (let cut = 1; cut <= cuts; cut++) {
      while (passed.up - before < (cut * bytes) / (cuts + 1)) await sleep(5);
      reset();
    }
    const sent = (await uploaded) - begun;
    await done;
    const ratio = sent / bytes;
    return {
      name: 'resume',
      ...{
        value: sent / 1e6,
        unit: 'MB sent',
        floor: bytes / 1e6,
        ratio,
        goal: `<= ${GOAL}`,
        met: ratio <= GOAL,
      },
      note: `a vector of ${format(bytes / 1e6)} MB over a link that breaks ${cuts} times`,
    };
  } finally {
    await fleet.close();
    await proxy?.close();
  }
}
