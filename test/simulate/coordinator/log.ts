/** The coordinator's log, as far as it tells of what must never happen. */
import { asTributaryError } from '@tributary/protocol';
import type { Oracle } from '../oracle/oracle.ts';
import type { Life } from '../process.ts';

type CoordinatorLog = Parameters<typeof import('@tributary/server/parts').createCoordinator>[0]['log'];

export function createLog(life: Life, oracle: Oracle): CoordinatorLog {
  const watch = (fields: { err?: unknown }, words?: string): void => {
    if (!life.alive) return;
    const fault = fields.err === undefined ? undefined : asTributaryError(fields.err);
    if (fault?.code === 'internal') oracle.violation('log', `${words}: ${String(fields.err)} ${fault.stack}`);
    if (words?.startsWith('the journal does not replay')) oracle.violation('replay', JSON.stringify(fields));
  };
  const nothing = (): void => {};
  const log = { info: nothing, debug: nothing, warn: nothing, error: watch, child: () => log };
  return log as unknown as CoordinatorLog;
}
