/** A run may wait for ever for one reason only: partners sit out, and too few are left who can certify that they need not. */
import type { LedgerRecord } from '@tributary/client-sdk';
import type { RunState } from '@tributary/server/parts';
import type { World } from '../world.ts';

/** @param ledgers of all nodes, as they are on disk. @returns null where the run could go on */
export function waitsForGood(
  { nodes, oracle }: World,
  state: RunState,
  ledgers: readonly (readonly LedgerRecord[])[],
): string | null {
  const { voided = [], plan, stage } = state;
  if (stage.kind !== 'gathering') return null;
  const out = new Set<string>();
  for (const { attempt, members, signatures, quorum, sent } of voided) {
    if (Object.keys(signatures).length >= quorum) continue;
    const known = oracle.attempts.get(attempt);
    if (!known) continue;
    // Secrets of an attempt die with the process; who has revealed a share may not sign.
    const able = members.filter((member) => {
      const node = nodes.findIndex(({ id }) => id === member);
      return (
        known.dealt.has(node) && !known.revealed.has(node) && oracle.lastRestart(node) <= known.announced
      );
    });
    if (able.length >= quorum) return null;
    for (const member of sent) out.add(member);
    // Written down before the first byte leaves: who dies in between sits out, too.
    for (const [node, records] of ledgers.entries())
      if (records.some((record) => record.type === 'vector-sent' && record.id === attempt))
        out.add(nodes[node]!.id);
  }
  // What a copy from before the restore certified, the restored coordinator does not know of.
  if (oracle.counts.replaced > 1) for (const member of state.sittingOut) out.add(member);
  for (const [node, records] of ledgers.slice(0, nodes.length).entries()) {
    const { id } = nodes[node]!;
    // An attempt that a restored coordinator knows nothing of can be certified by nobody.
    if (oracle.counts.replaced > 0 && sentOn(records, state.head.weights)) out.add(id);
    const answer = state.answers[id];
    if (answer?.kind !== 'decline') continue;
    if (answer.code !== 'rolled-back' || !sawMore(records, state)) return null;
    out.add(id);
  }
  const why = oracle.counts.replaced > 0 ? 'waits: a backup was restored' : 'waits: too few can certify';
  return nodes.length - out.size < plan.cohort.min ? why : null;
}

function sentOn(records: readonly LedgerRecord[], weights: string): boolean {
  return records.some(
    (sent) =>
      sent.type === 'vector-sent' &&
      sent.weights === weights &&
      !records.some((record) => record.type === 'certified' && record.id === sent.id),
  );
}

/** Rounds of an earlier epoch that the restored coordinator has not, or has otherwise (PROTOCOL.md 6.8). */
function sawMore(records: readonly LedgerRecord[], { id, head }: RunState): boolean {
  return records.some((record) => {
    if (record.type === 'started' || record.run !== id) return false;
    if (record.type === 'published')
      return record.round > head.round || (record.round === head.round && record.weights !== head.weights);
    if (record.type !== 'announced') return false;
    return (
      record.round > head.round + 1 || (record.round === head.round + 1 && record.weights !== head.weights)
    );
  });
}
