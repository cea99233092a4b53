import { replayRun, stateHash } from '@tributary/server/parts';
import type { CoordinatorProcess } from '../coordinator/coordinator-process.ts';
import type { Disk } from '../disk/disk.ts';
import { membersOf } from '../members.ts';
import type { NodeProcess } from '../node/node-process.ts';
import type { World } from '../world.ts';
import { waitsForGood } from './waits.ts';

/** When nothing moves any more. @param quiet no fault was met. @returns how the run ended, or why it waits */
export function finish(
  world: World,
  disk: Disk,
  coordinator: CoordinatorProcess,
  nodes: readonly NodeProcess[],
  quiet: boolean,
): string {
  const { oracle, crypto } = world;
  const running = coordinator.current();
  const [live] = running?.coordinator.runs.values() ?? [];
  const [row] = disk.runs.values();
  if (!running || !row) {
    oracle.violation('liveness', 'the coordinator does not come back');
    return 'stuck';
  }
  const snapshot = disk.snapshots.get(row.id);
  const entries = disk.journal.filter(({ run }) => run === row.id);
  if (snapshot) {
    const replayed = replayRun(snapshot, entries, { crypto, identity: world.coordinator });
    if (replayed.broken) oracle.violation('replay', replayed.broken.why);
    else if (live && stateHash(crypto, replayed.state) !== stateHash(crypto, live.state))
      oracle.violation('replay', 'the journal leads to another state than the one in memory');
  } else oracle.violation('replay', 'the run has no snapshot');
  if (row.status === 'done' && disk.rounds.length !== world.plan.rounds)
    oracle.violation('history', `done after ${disk.rounds.length} of ${world.plan.rounds} rounds`);
  if (row.status === 'failed' && !/^[a-z-]+: /.test(row.reason ?? ''))
    oracle.violation('liveness', `failed without a typed reason: ${row.reason}`);
  if (row.status === 'done' && quiet)
    for (const { name, role } of membersOf(world))
      for (let round = 0; role === 'evaluator' && round <= world.plan.rounds; round++)
        if (!disk.evaluations.some((entry) => entry.round === round && entry.report.evaluator === name))
          oracle.violation('evaluation', `${name} did not report round ${round}, though nothing went wrong`);
  if (row.status === 'done' || row.status === 'failed' || row.status === 'cancelled') return row.status;
  const why = live
    ? waitsForGood(
        world,
        live.state,
        nodes.map(({ records }) => records),
      )
    : null;
  if (why) return why;
  oracle.violation(
    'liveness',
    `the run is ${row.status}, stage ${live?.state.stage.kind}: ${live?.waiting || 'no reason'}`,
  );
  return 'stuck';
}
