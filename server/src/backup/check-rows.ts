/** Rows among themselves: rounds without gaps, transcripts that chain and are signed, journals that replay. */
import { join } from 'node:path';
import {
  type Finding,
  failed,
  fine,
  hashStatement,
  type Identity,
  isOver,
  verify,
} from '@tributary/protocol';
import { nodeCrypto } from '@tributary/protocol/node';
import { type Replayed, replayRun } from '../coordinator/recover.ts';
import { readIdentity } from '../registry/identity-file.ts';
import { ownKeys } from '../registry/own-keys.ts';
import type { RunState, Transcript } from '../round/index.ts';
import type { RoundRow, RunRow } from '../storage/ports.ts';
import { IDENTITY_FILE } from '../storage/sqlite/open.ts';
import type { CheckContext } from './check-context.ts';

const RESTORE =
  'Somebody changed the database, or the disk did: `tributary-server restore --from BACKUP --data DIR`, and keep this folder.';

export async function rowFindings({ store }: CheckContext): Promise<Finding[]> {
  const wrong: Finding[] = [];
  const runs = await store.runs();
  for (const run of runs) {
    const say = (what: string) => wrong.push(failed('rows', `Run ${run.id}: ${what}.`, RESTORE));
    const rounds = await store.rounds(run.id);
    if (rounds.length !== run.round || rounds.some(({ round }, i) => round !== i + 1))
      say(`${run.round} rounds are published, ${rounds.length} are recorded`);
    const model = rounds.at(-1)?.record.model ?? run.initialModel;
    if (model !== run.model) say(`its model is ${run.model}, that of its last round ${model}`);
    const last = rounds.at(-1)?.record.transcript ?? null;
    if (last !== run.transcript) say('its transcript is not that of its last round');
    const snapshot = await store.snapshot(run.id);
    if (!snapshot && !isOver(run.status)) say('it has no snapshot to go on from');
  }
  return wrong.length > 0 ? wrong : [fine('rows', `${runs.length} runs, consistent`)];
}

export async function transcriptFindings({ folder, store }: CheckContext): Promise<Finding[]> {
  const { id } = await readIdentity(join(folder, IDENTITY_FILE));
  const keys = await ownKeys(store, id);
  const wrong: Finding[] = [];
  let count = 0;
  for (const run of await store.runs()) {
    const rounds = await store.rounds(run.id);
    count += rounds.length;
    for (const [index, row] of rounds.entries()) {
      const why = fault(row, rounds[index - 1] ?? null, run, keys);
      if (why)
        wrong.push(
          failed('transcripts', `Round ${row.round} of run ${run.id}: its transcript ${why}.`, RESTORE),
        );
    }
  }
  return wrong.length > 0 ? wrong : [fine('transcripts', `${count}, chained and signed`)];
}

/** PROTOCOL.md 7. */
function fault(row: RoundRow, before: RoundRow | null, run: RunRow, keys: readonly string[]): string | null {
  const { body, signature } = (row.transcript ?? {}) as { body?: Transcript; signature?: string };
  if (!body || typeof signature !== 'string') return 'cannot be read';
  if (hashStatement(nodeCrypto, 'transcript', body) !== row.record.transcript)
    return 'does not have the recorded hash';
  if (
    !keys.includes(body.coordinator) ||
    !verify(nodeCrypto, body.coordinator, 'transcript', body, signature)
  )
    return 'is not signed by the key of this coordinator';
  if (body.run !== run.id || body.round !== row.round) return `is of round ${body.round} of run ${body.run}`;
  if (body.model !== row.record.model) return 'names another model';
  if (body.previous !== (before?.record.transcript ?? null))
    return 'does not follow that of the round before';
  return null;
}

export async function journalFindings(context: CheckContext): Promise<Finding[]> {
  const wrong: Finding[] = [];
  const runs = await replayed(context);
  for (const { id, broken, entries } of runs)
    if (broken)
      wrong.push(
        failed(
          'journal',
          `Run ${id}: the journal does not replay at entry ${broken.seq} of ${entries}: ${broken.why}.`,
          'Its open attempt is void at the next start, and the run goes on with a new one. ' +
            'If nobody upgraded the program meanwhile, look for the cause: `tributary-server doctor --data DIR`.',
        ),
      );
  const total = runs.reduce((sum, { entries }) => sum + entries, 0);
  return wrong.length > 0
    ? wrong
    : [fine('journal', `${total} entries of ${runs.length} open runs, all replay`)];
}

export interface ReplayedRun {
  readonly id: string;
  readonly state: RunState;
  readonly broken: Replayed['broken'];
  /** In its journal. */
  readonly entries: number;
}

/** Open runs as far as their journals fit. */
export async function replayed({ folder, store }: CheckContext): Promise<ReplayedRun[]> {
  const identity: Identity = await readIdentity(join(folder, IDENTITY_FILE));
  const found: ReplayedRun[] = [];
  for (const { id, status } of await store.runs()) {
    const snapshot = isOver(status) ? undefined : await store.snapshot(id);
    if (!snapshot) continue;
    const entries = await store.journal(id);
    const { state, broken } = replayRun(snapshot, entries, { crypto: nodeCrypto, identity });
    found.push({ id, state, broken, entries: entries.length });
  }
  return found;
}
