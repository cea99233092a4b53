/** The real jobs of the aggregation worker, in this thread. */
import { asTributaryError, TributaryError } from '@tributary/protocol';
import { type Aggregation, createRunner } from '@tributary/server/parts';
import type { Disk } from '../disk/disk.ts';
import { openSimulated } from '../disk/simulated.ts';
import type { Life } from '../process.ts';
import type { World } from '../world.ts';

export function createAggregation(world: World, disk: Disk, life: Life): Aggregation {
  const run = createRunner(openSimulated(disk));
  const ask = (
    port: 'aggregation.fold' | 'aggregation.sum' | 'aggregation.discard',
    job: Parameters<typeof run>[0],
  ) =>
    world.ports.call(life, port, () => {
      try {
        return run(job);
      } catch (thrown) {
        const { code, message } = asTributaryError(thrown);
        throw new TributaryError(code, message, { cause: thrown });
      }
    });
  return {
    async fold(job) {
      await ask('aggregation.fold', { type: 'fold', ...job });
    },
    async sum(job) {
      const answer = await ask('aggregation.sum', { type: 'sum', ...job });
      if (!answer) throw new TributaryError('internal', 'No sum.');
      return answer;
    },
    async discard(attempt) {
      await ask('aggregation.discard', { type: 'discard', attempt });
    },
    async close() {},
  };
}
