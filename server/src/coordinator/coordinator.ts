/**
 * The coordinator: brings sessions, storage, aggregation and the pure round machine together. Whatever enters becomes an
 * input of a run's machine; whatever the machine asks for is carried out here.
 */
import {
  type ClientMessage,
  type Crypto,
  type Identity,
  type Random,
  type ServerMessage,
  TributaryError,
} from '@tributary/protocol';
import { nodeCrypto } from '@tributary/protocol/node';
import * as secagg from '@tributary/protocol/secagg';
import type { Logger } from 'pino';
import type { Aggregation } from '../aggregation/index.ts';
import {
  openAttemptOf,
  type Revocation,
  type RoundInput,
  requireAwaitedUpdate,
  resendTo,
} from '../round/index.ts';
import type { Blobs, PartnerRow, Spool, Store } from '../storage/ports.ts';
import type { Sessions } from '../transport/ws/sessions.ts';
import { type Clock, systemClock } from './clock.ts';
import { createPerformer, lengthOf } from './effects.ts';
import type { Engines } from './engines.ts';
import { createEvaluations, type Evaluations } from './evaluations.ts';
import { emit, type LiveRun } from './live-run.ts';
import { createLoop, type Loop } from './loop.ts';
import { createPace } from './pace.ts';
import { type NoteRun, resumeRun } from './recover.ts';

export interface CoordinatorDeps {
  readonly store: Store;
  readonly blobs: Blobs;
  readonly spool: Spool;
  readonly aggregation: Aggregation;
  readonly identity: Identity;
  readonly epoch: number;
  readonly engines: Engines;
  readonly log: Logger;
  /** Path of a model's file, for the aggregation worker. */
  readonly blobPath: (hash: string) => string;
  /** A new model, as its file: kept in memory for the downloads that follow at once. */
  readonly onModel: (hash: string, file: Buffer) => void;
  readonly note?: NoteRun;
  /** The simulator's own, in its place. */
  readonly clock?: Clock;
  readonly random?: Random;
  readonly crypto?: Crypto;
}

export interface Coordinator {
  readonly runs: ReadonlyMap<string, LiveRun>;
  readonly evaluations: Evaluations;
  adopt(run: LiveRun): void;
  /** A run that the journal gave back: its attempt goes on where it stood. */
  resume(run: LiveRun): Promise<void>;
  submit(run: LiveRun, input: RoundInput): Promise<void>;
  /** Wired to the sessions. */
  useSessions(sessions: Pick<Sessions, 'send' | 'broadcast' | 'has'>): void;
  connected(member: PartnerRow): Promise<void>;
  disconnected(key: string): void;
  /** Out of every open attempt at once, and asked nothing any more. Durable when it resolves. */
  revoked(key: string, why: Revocation): Promise<void>;
  message(member: string, message: Exclude<ClientMessage, { type: 'instance' }>): Promise<void>;
  /** Bytes that the update of this member has, if the coordinator is waiting for it. @throws wrong-attempt, wrong-phase, late */
  expectUpdate(attempt: string, member: string): { bytes: number };
  updateReceived(update: { attempt: string; member: string; sha256: string; bytes: number }): Promise<void>;
  /** Some bytes of an update arrived: progress, so that a slow link is not taken for a silent one. */
  updateProgress(attempt: string): void;
  modelSent(hash: string, bytes: number): void;
  isConnected(key: string): boolean;
  stop(): Promise<void>;
}

export function createCoordinator(deps: CoordinatorDeps): Coordinator {
  const { store, log, clock = systemClock, crypto = nodeCrypto } = deps;
  const runs = new Map<string, LiveRun>();
  /** Connected active partners (not evaluators) by key. */
  const partners = new Map<string, PartnerRow>();
  let sessions: Pick<Sessions, 'send' | 'broadcast' | 'has'> | null = null;
  let stopping = false;

  const send = (to: string, message: ServerMessage): void => {
    sessions?.send(to, message);
  };
  const evaluations = createEvaluations(store, deps.epoch, send, clock);
  const loop: Loop = createLoop({
    store,
    crypto,
    clock,
    identity: deps.identity,
    epoch: () => deps.epoch,
    perform: (run, effect) => perform(run, effect),
    moved: (run, attempt) => moved(run, attempt),
  });
  const { moved, settle, submitQuietly } = createPace({
    partners: partners.values.bind(partners),
    stopping: () => stopping,
    epoch: deps.epoch,
    submit,
    log,
    clock,
    random: deps.random,
  });

  const perform = createPerformer({
    ...deps,
    clock,
    nameOf: (member) => partners.get(member)?.name,
    send,
    broadcast: (message) => sessions?.broadcast(message),
    evaluations,
    submit,
    submitQuietly,
    stopping: () => stopping,
  });

  function submit(run: LiveRun, input: RoundInput): Promise<void> {
    return loop.submit(run, input);
  }

  function runOfAttempt(attempt: string): LiveRun {
    for (const run of runs.values()) if (openAttemptOf(run.state) === attempt) return run;
    throw new TributaryError('wrong-attempt', `Attempt ${attempt.slice(0, 12)} is not open.`);
  }

  function requireRun(id: string): LiveRun {
    const run = runs.get(id);
    if (!run) throw new TributaryError('not-found', `No run ${id}.`);
    return run;
  }

  return {
    runs,
    evaluations,
    submit,
    useSessions(given) {
      sessions = given;
    },
    adopt(run) {
      runs.set(run.state.id, run);
      forgetEnded(runs);
      for (const key of partners.keys())
        send(key, { type: 'proposal', run: run.state.id, plan: run.state.plan });
      evaluations.request(run.state, 0, run.initialModel);
      moved(run);
    },
    async resume(run) {
      runs.set(run.state.id, run);
      await resumeRun(run, { ...deps, crypto, submit, perform });
      moved(run);
    },
    async connected(member) {
      const key = member.key!;
      if (member.role === 'evaluator') {
        await evaluations.connected(key, member.name, runs.values());
        return;
      }
      partners.set(key, member);
      for (const run of runs.values()) {
        const { stage, id, plan } = run.state;
        if (stage.kind === 'ended') continue;
        send(key, { type: 'proposal', run: id, plan });
        for (const message of resendTo(run.state, key)) send(key, message);
        // It may have consented before it was away: then nothing else tells that enough partners are here.
        if (stage.kind === 'gathering') settle(run);
      }
    },
    disconnected(key) {
      partners.delete(key);
      evaluations.disconnected(key);
      for (const run of runs.values()) if (run.state.stage.kind === 'gathering') settle(run);
    },
    async revoked(key, why) {
      partners.delete(key);
      for (const run of runs.values())
        if (run.state.stage.kind !== 'ended') await submit(run, { type: 'revoked', member: key, why });
    },
    async message(member, message) {
      switch (message.type) {
        case 'engine':
          return deps.engines.report(member, message.engine);
        case 'consent':
        case 'decline': {
          const run = requireRun(message.run);
          if (message.plan !== run.state.planHash)
            throw new TributaryError(
              'conflict',
              `Run ${message.run} has plan ${run.state.planHash}, not ${message.plan}.`,
            );
          if (message.type === 'consent') return submit(run, { type: 'consent', member });
          return submit(run, { type: 'decline', member, code: message.code, reason: message.reason });
        }
        case 'progress': {
          const run = runOfAttempt(message.attempt);
          const { stage } = run.state;
          // Only while it is awaited, or it could keep others waiting for itself.
          const training = stage.kind === 'attempt' && stage.open.secagg.phase === 'advertise';
          if (!training || !secagg.awaited(stage.open.secagg).includes(member)) return;
          if (message.twentieths <= (run.progress.get(member) ?? -1)) return;
          run.progress.set(member, message.twentieths);
          emit(run, clock.now(), 'progress', {
            member,
            name: partners.get(member)?.name,
            twentieths: message.twentieths,
          });
          return moved(run);
        }
        case 'evaluation':
          return evaluations.receive(member, message, requireRun(message.run));
        case 'abandon': {
          const isOf = ({ state }: LiveRun) =>
            state.voided?.some(({ attempt }) => attempt === message.attempt);
          const run = [...runs.values()].find(isOf);
          // Too late to be of use: the model has moved on, or the run is over.
          if (!run || run.state.stage.kind === 'ended') return;
          return submit(run, { type: 'abandon', member, message });
        }
        default:
          return submit(runOfAttempt(message.attempt), { type: message.type, member, message } as RoundInput);
      }
    },
    expectUpdate(attempt, member) {
      const run = runOfAttempt(attempt);
      const { stage } = run.state;
      if (stage.kind !== 'attempt')
        throw new TributaryError('late', 'The survivors of this attempt are fixed already.');
      requireAwaitedUpdate(stage.open, member);
      return { bytes: 4 * lengthOf(run) };
    },
    updateReceived({ attempt, member, sha256, bytes }) {
      return submit(runOfAttempt(attempt), { type: 'update', attempt, member, sha256, bytes });
    },
    updateProgress(attempt) {
      moved(runOfAttempt(attempt));
    },
    modelSent(hash, bytes) {
      for (const run of runs.values()) if (run.state.head.model === hash) run.bytesDown += bytes;
    },
    isConnected: (key) => sessions?.has(key) ?? false,
    async stop() {
      stopping = true;
      for (const run of runs.values()) {
        run.timer?.();
        run.events.end();
      }
      await loop.idle();
    },
  };
}

/** Runs that are over stay in memory for those who watch them and for late evaluators: the newest ones. */
const KEPT_ENDED = 32;

function forgetEnded(runs: Map<string, LiveRun>): void {
  const ended = [...runs.values()].filter(({ state }) => state.stage.kind === 'ended');
  for (const { state } of ended.slice(0, -KEPT_ENDED)) runs.delete(state.id);
}
