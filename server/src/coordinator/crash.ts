/** Where tests let the coordinator die around a transaction, named by what it carries. */
import { type CommitKind, crashPoint } from '@tributary/protocol/node';
import type { Effect, RoundInput } from '../round/index.ts';
import type { Commit } from '../storage/ports.ts';

/** By the phase that the transaction enters. */
const ENTERED: Readonly<Record<string, CommitKind>> = {
  advertise: 'opened',
  share: 'roster',
  upload: 'cohort',
  agree: 'survivors',
  unmask: 'agreed',
  summing: 'summing',
};

/** By the input that was journalled. */
const TAKEN: Readonly<Partial<Record<RoundInput['type'], CommitKind>>> = {
  pause: 'paused',
  resume: 'unpaused',
  revoked: 'revoked',
  leave: 'left',
  abandon: 'abandonment',
};

/** @param moment before or after its transaction */
export function crashAround(
  commit: Commit,
  effects: readonly Effect[],
  moment: 'committing' | 'committed',
): void {
  const kinds = new Set<CommitKind>();
  if (commit.updates?.length) kinds.add('update');
  for (const { input } of commit.journal ?? []) {
    const taken = TAKEN[(input as RoundInput).type];
    if (taken) kinds.add(taken);
  }
  for (const effect of effects) {
    if (effect.type === 'publish') kinds.add('published');
    if (effect.type !== 'event') continue;
    if (effect.kind === 'abandoned') kinds.add('void');
    if (effect.kind === 'ended') kinds.add('ended');
    const entered = effect.kind === 'phase' ? ENTERED[String(effect.data.phase)] : undefined;
    if (entered) kinds.add(entered);
  }
  if (kinds.size === 0) kinds.add('other');
  for (const kind of kinds) crashPoint(`coordinator.${kind}.${moment}`);
}
