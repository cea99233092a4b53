/** The last part of a start: every open run goes on, and what nothing names any more is deleted. */
import { type Crypto, type Identity, isOver } from '@tributary/protocol';
import { crashPoint } from '@tributary/protocol/node';
import type { Logger } from 'pino';
import { openAttemptOf, type RunState } from '../round/index.ts';
import type { Spool, Store } from '../storage/ports.ts';
import type { Clock } from './clock.ts';
import type { Coordinator } from './coordinator.ts';
import { recoverRuns } from './recover.ts';
import type { StartUp } from './start-up.ts';

export interface ResumeAllDeps {
  readonly store: Store;
  readonly spool: Spool;
  readonly crypto: Crypto;
  readonly identity: Identity;
  readonly log: Logger;
  readonly coordinator: Coordinator;
  readonly startUp: StartUp;
  /** Deletes models that nothing names; returns their hashes. */
  readonly collect: () => Promise<readonly string[]>;
  /** Whether the model is on disk as it was written. */
  readonly isSound: (hash: string) => Promise<boolean>;
  readonly clock?: Clock;
}

export async function resumeAll(deps: ResumeAllDeps): Promise<void> {
  const { coordinator, spool, startUp, log, isSound } = deps;
  const recovered = await recoverRuns({ ...deps, note: startUp.note });
  crashPoint('coordinator.recovered');
  const active = new Set(
    (await deps.store.partners()).flatMap(({ status, key }) => (status === 'active' ? [key] : [])),
  );
  for (const run of recovered) {
    const { model } = run.state.head;
    const sound = await isSound(model);
    await coordinator.resume(run);
    crashPoint('coordinator.resumed');
    // The crash may have come between the partner's row and the run's journal.
    for (const member of membersOf(run.state))
      if (!active.has(member)) {
        const why = active.has(await successorOf(deps.store, member)) ? 'rotated' : 'suspended';
        await coordinator.submit(run, { type: 'revoked', member, why });
      }
    // No attempt can succeed: twenty would be opened and lost before the run failed.
    if (sound || isOver(run.state.status) || run.state.head.model !== model) continue;
    await coordinator.submit(run, {
      type: 'pause',
      by: `the coordinator, as model ${model} is missing or damaged`,
    });
    startUp.paused(run.state.id, model);
  }
  const open = new Set([...coordinator.runs.values()].map(({ state }) => openAttemptOf(state)));
  const over = (await spool.list()).filter((attempt) => !open.has(attempt));
  for (const attempt of over) await spool.remove(attempt);
  crashPoint('coordinator.strays.removed');
  startUp.removed({ spools: over.length, models: (await deps.collect()).length });
  const found = startUp.lines();
  if (found.length > 0) log.warn({ found }, `start-up: ${found.join(' ')}`);
}

function membersOf({ stage, answers }: RunState): Set<string> {
  const invited = stage.kind === 'attempt' || stage.kind === 'summing' ? Object.keys(stage.open.names) : [];
  return new Set([...invited, ...Object.keys(answers)]);
}

/** The last key that took this one's place. */
async function successorOf(store: Store, key: string): Promise<string> {
  const next = await store.rotationOf(key);
  return next ? successorOf(store, next.rotation.new) : key;
}
