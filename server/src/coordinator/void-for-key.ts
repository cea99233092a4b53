/** Before the coordinator's key is replaced: what only the old key can go on with ends, and says why. */
import { MACHINE_VERSION, type RunState } from '../round/index.ts';
import { openRows, type RecoverContext, recovered, withoutAttempt } from './recover.ts';

const REASON = 'The coordinator has a new key.';

/**
 * The journals of open runs, which replay under the old key only, become snapshots; their open attempts are void. Nodes
 * that sent a vector may still certify that these are abandoned: their statements name the old key.
 * @returns runs whose attempt is void
 */
export async function voidForKey(context: RecoverContext, now: number): Promise<string[]> {
  const { store, identity } = context;
  const ended: string[] = [];
  for (const row of await openRows(store)) {
    const { state, last } = await recovered(row, context);
    const { state: without, voids } = withoutAttempt(state, 'key-rotated', REASON, now);
    if (voids.length > 0) ended.push(row.id);
    await store.commit({
      epoch: await store.epoch(),
      voids,
      snapshots: [
        { run: row.id, seq: last, machine: MACHINE_VERSION, state: signedBy(without, identity.id) },
      ],
    });
  }
  return ended;
}

function signedBy(state: RunState, coordinator: string): RunState {
  if (!state.voided) return state;
  return { ...state, voided: state.voided.map((ended) => ({ coordinator, ...ended })) };
}
