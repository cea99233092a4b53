/**
 * The only loop: take the inputs that are waiting -> step in memory -> one transaction for journal and rows -> effects ->
 * acknowledge. An input that throws or changes nothing is never journalled; nothing is acknowledged before the commit.
 */
import { asTributaryError, type Crypto, type Identity, LIMITS } from '@tributary/protocol';
import { crashPoint } from '@tributary/protocol/node';
import { type Effect, MACHINE_VERSION, type RoundInput, stateHash, step } from '../round/index.ts';
import type {
  Commit,
  JournalEntry,
  RoundRow,
  RunRow,
  Snapshot,
  Store,
  UpdateRow,
  VoidRow,
} from '../storage/ports.ts';
import { type Clock, systemClock } from './clock.ts';
import { crashAround } from './crash.ts';
import { COMPACT_AFTER, type LiveRun } from './live-run.ts';

interface Waiting {
  readonly run: LiveRun;
  readonly input: RoundInput;
  resolve(): void;
  reject(error: unknown): void;
}

export interface Loop {
  /** Resolves once the input is durable and its effects are under way. Rejects with the machine's refusal. */
  submit(run: LiveRun, input: RoundInput): Promise<void>;
  /** Resolves when nothing is waiting. */
  idle(): Promise<void>;
}

export interface LoopDeps {
  readonly store: Store;
  readonly crypto: Crypto;
  readonly identity: Identity;
  readonly epoch: () => number;
  readonly clock?: Clock | undefined;
  /** Carries out what the machine asked for; after the commit, in order. */
  readonly perform: (run: LiveRun, effect: Effect) => void;
  /** The run's state has changed: timers, the next attempt. `attempt`: so has its attempt, not only who consents. */
  readonly moved: (run: LiveRun, attempt: boolean) => void;
}

export function createLoop(deps: LoopDeps): Loop {
  let queue: Waiting[] = [];
  let turning: Promise<void> | null = null;
  const { clock = systemClock } = deps;
  let time = 0;

  async function turn(): Promise<void> {
    while (queue.length > 0) {
      const batch = queue;
      queue = [];
      await takeBatch(batch);
      // All that has arrived by then shares one transaction, hence one fsync.
      await clock.tick();
    }
  }

  async function takeBatch(batch: readonly Waiting[]): Promise<void> {
    time = Math.max(time, clock.now());
    const drafts = new Map<LiveRun, Draft>();
    const accepted: Waiting[] = [];
    for (const waiting of batch) {
      const draft = drafts.get(waiting.run) ?? createDraft(waiting.run);
      drafts.set(waiting.run, draft);
      try {
        take(draft, waiting.input, time, deps);
        accepted.push(waiting);
      } catch (error) {
        waiting.reject(error);
      }
    }
    const moved = [...drafts.values()];
    try {
      const commit = toCommit(moved, deps.epoch());
      if (commit) {
        const effects = moved.flatMap((draft) => draft.effects);
        crashAround(commit, effects, 'committing');
        await deps.store.commit(commit);
        crashAround(commit, effects, 'committed');
      }
    } catch (error) {
      const refusal = asTributaryError(error);
      for (const waiting of accepted) waiting.reject(refusal);
      return;
    }
    for (const draft of moved) {
      draft.run.state = draft.state;
      if (isDue(draft)) draft.run.compactAt = draft.seq + COMPACT_AFTER;
      draft.run.seq = draft.seq;
    }
    for (const draft of moved) {
      for (const effect of draft.effects) deps.perform(draft.run, effect);
      if (draft.journal.length > 0) deps.moved(draft.run, draft.state.stage !== draft.before);
    }
    crashPoint('coordinator.effects.performed');
    for (const waiting of accepted) waiting.resolve();
  }

  return {
    submit(run, input) {
      return new Promise((resolve, reject) => {
        queue.push({ run, input, resolve, reject });
        turning ??= clock
          .tick()
          .then(turn)
          .finally(() => {
            turning = null;
          });
      });
    },
    async idle() {
      while (turning) await turning;
    },
  };
}

/** What a turn wants to make of one run. */
interface Draft {
  readonly run: LiveRun;
  readonly before: LiveRun['state']['stage'];
  state: LiveRun['state'];
  seq: number;
  readonly journal: JournalEntry[];
  readonly updates: UpdateRow[];
  readonly rounds: RoundRow[];
  readonly voids: VoidRow[];
  readonly effects: Effect[];
}

function createDraft(run: LiveRun): Draft {
  return {
    run,
    before: run.state.stage,
    state: run.state,
    seq: run.seq,
    journal: [],
    updates: [],
    rounds: [],
    voids: [],
    effects: [],
  };
}

function take(draft: Draft, input: RoundInput, time: number, deps: LoopDeps): void {
  const { state, effects } = step(draft.state, input, time, deps);
  draft.effects.push(...effects);
  if (state === draft.state) return;
  draft.state = state;
  draft.seq++;
  const { id } = state;
  draft.journal.push({
    run: id,
    seq: draft.seq,
    time,
    machine: MACHINE_VERSION,
    input,
    stateHash: stateHash(deps.crypto, state),
  });
  if (input.type === 'update') {
    const { attempt, member, sha256, bytes } = input;
    draft.updates.push({ run: id, attempt, member, sha256, bytes, received: time });
  }
  for (const effect of effects) {
    if (effect.type === 'event' && effect.kind === 'abandoned')
      draft.voids.push(voidRow(id, time, effect.data));
    if (effect.type === 'publish')
      draft.rounds.push({
        run: id,
        round: effect.record.round,
        record: effect.record,
        transcript: effect.transcript,
      });
  }
}

export function voidRow(run: string, time: number, data: Readonly<Record<string, unknown>>): VoidRow {
  const { round, attempt, code, reason } = data;
  const reasonText = String(reason).slice(0, LIMITS.reason);
  return {
    run,
    round: Number(round),
    attempt: Number(attempt),
    time,
    code: String(code),
    reason: reasonText,
  };
}

/** A snapshot is: at a publication, at the end, and where the journal has grown long meanwhile. */
function isDue({ rounds, state: { stage }, seq, run }: Draft): boolean {
  return rounds.length > 0 || stage.kind === 'ended' || (stage.kind === 'gathering' && seq >= run.compactAt);
}

function toCommit(drafts: readonly Draft[], epoch: number): Commit | null {
  if (drafts.every((draft) => draft.journal.length === 0)) return null;
  const snapshots: Snapshot[] = drafts.filter(isDue).map(({ state, seq }) => ({
    run: state.id,
    seq,
    machine: MACHINE_VERSION,
    state,
  }));
  const changed = drafts.filter(
    (draft) => draft.rounds.length > 0 || draft.effects.some((effect) => effect.type === 'run-changed'),
  );
  return {
    epoch,
    journal: drafts.flatMap((draft) => draft.journal),
    updates: drafts.flatMap((draft) => draft.updates),
    rounds: drafts.flatMap((draft) => draft.rounds),
    voids: drafts.flatMap((draft) => draft.voids),
    runs: changed.map((draft) => toRow(draft.state, draft.run)),
    snapshots,
  };
}

export function toRow(state: LiveRun['state'], run: Pick<LiveRun, 'created' | 'initialModel'>): RunRow {
  return {
    id: state.id,
    name: state.plan.name,
    plan: state.plan,
    planHash: state.planHash,
    status: state.status,
    reason: state.reason,
    round: state.head.round,
    initialModel: run.initialModel,
    model: state.head.model,
    weights: state.head.weights,
    transcript: state.head.transcript,
    created: run.created,
  };
}
