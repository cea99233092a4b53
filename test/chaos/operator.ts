/** The operator and the partners' owners: start runs one after the other, approve their plans, look at what comes out. */

import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { approve } from '@tributary/client-sdk';
import { planHash, type RunDetail } from '@tributary/protocol';
import { nodeCrypto } from '@tributary/protocol/node';
import type { House } from './house.ts';
import type { Oracle } from './oracle.ts';
import { chaosPlan, initialModel } from './plan.ts';

const LOOK_MS = 150;
/** A run that does not move for so long is a violation. */
const STILL_MS = 60_000;
/** Enough of the others may still certify that an attempt is abandoned, once they are back. */
const HOPELESS_MS = 10_000;

export interface Operator {
  /** Runs by id, with the model that each began with. */
  readonly runs: ReadonlyMap<string, string>;
  readonly latest: RunDetail | null;
  /** Runs that had to be given up: too many partners had sent a vector on their weights, and were killed. */
  readonly stuck: number;
  /** Starts runs until `enough`, and until one was trained to its end after that. */
  work(enough: () => boolean): Promise<void>;
}

export function createOperator(house: House, oracle: Oracle): Operator {
  const runs = new Map<string, string>();
  let latest: RunDetail | null = null;
  let stuck = 0;
  let number = 0;

  async function start(): Promise<{ id: string; hash: string }> {
    number++;
    const plan = chaosPlan(number);
    const file = initialModel(number);
    let model = '';
    // A start whose answer got lost may have happened; then there is one run more, which is as good.
    const { id } = await house.persist('starting a run', async (api) => {
      const known = (await api.runs()).find((run) => run.plan === planHash(nodeCrypto, plan));
      // Each time: a backup keeps only the models that a run names.
      model = await api.putBlob(file);
      return known ?? api.startRun({ plan, model });
    });
    runs.set(id, model);
    return { id, hash: planHash(nodeCrypto, plan) };
  }

  /** As soon as the plan has reached the node; it may never do, where the others are done before. */
  async function agree(state: string, hash: string, over: AbortSignal): Promise<void> {
    while (!over.aborted) {
      try {
        await approve(state, hash);
        return;
      } catch {
        await sleep(LOOK_MS);
      }
    }
  }

  /** Who sent a vector sends no other on the same weights: without a quorum of others this round cannot be closed. */
  function hopeless({ current }: RunDetail): boolean {
    return / sit out\b/.test(current?.phase ?? '');
  }

  async function follow(id: string): Promise<void> {
    let [moved, before, since] = [Date.now(), '', Date.now()];
    for (;;) {
      await sleep(LOOK_MS);
      await house.persist('looking at a run', async (api) => {
        latest = await api.run(id);
        await oracle.look(latest, runs.get(id)!);
      });
      const { status, reason, current } = latest!;
      const now = JSON.stringify([status, current]);
      if (now !== before) moved = Date.now();
      before = now;
      if (Date.now() - moved > STILL_MS) throw new Error(`${id} stands still: ${now}`);
      if (status === 'failed') throw new Error(`${id} failed: ${reason}`);
      if (status === 'done' || status === 'cancelled') return;
      if (!hopeless(latest!)) since = Date.now();
      if (Date.now() - since < HOPELESS_MS) continue;
      stuck++;
      await house.persist('giving a run up', async (api) => {
        const now = await api.run(id);
        if (now.status !== 'cancelled') await api.cancelRun(id);
      });
    }
  }

  return {
    runs,
    get latest() {
      return latest;
    },
    get stuck() {
      return stuck;
    },
    async work(enough) {
      do {
        const { id, hash } = await start();
        const over = new AbortController();
        const owners = [...house.folders.values()].map((folder) =>
          agree(join(folder, 'state'), hash, over.signal),
        );
        try {
          await follow(id);
        } finally {
          over.abort();
          await Promise.all(owners);
        }
        // The last one trains to its end: what was survived must still work.
      } while (!enough() || latest!.status !== 'done');
    },
  };
}
