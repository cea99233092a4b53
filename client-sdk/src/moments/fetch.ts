/** The moments that a finished run has published, over the coordinator's HTTP API. */
import { decodeSafetensors, parsePlan, TributaryError } from '@tributary/protocol';
import type { ApiClient } from '../api-client.ts';
import { type Moments, readMoments } from './read.ts';

/** @throws wrong-phase while the run has published nothing; as `readMoments` */
export async function fetchMoments(api: Pick<ApiClient, 'run' | 'getBlob'>, id: string): Promise<Moments> {
  const run = await api.run(id);
  const [record] = run.history;
  if (!record)
    throw new TributaryError('wrong-phase', `Run ${id} is ${run.status} and has published no sums yet.`, {
      remedy: `Wait for its end with \`tributary runs watch ${id}\`.`,
    });
  const { participants, dropped, metrics } = record;
  return readMoments({
    plan: parsePlan(run.planBody),
    model: decodeSafetensors(await api.getBlob(record.model)).model,
    participants: participants.length,
    dropped: dropped.length,
    clipped: metrics.clipped,
  });
}
