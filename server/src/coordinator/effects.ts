/** Carries out what the round machine asked for. Nothing here is awaited by the loop; results come back as inputs. */
import {
  asTributaryError,
  LIMITS,
  type ServerMessage,
  scalarNames,
  scalarScale,
  weightCapOf,
} from '@tributary/protocol';
import { crashPoint } from '@tributary/protocol/node';
import { layoutOf } from '@tributary/protocol/ring';
import type { Logger } from 'pino';
import type { Aggregation } from '../aggregation/index.ts';
import type { Effect, RoundInput } from '../round/index.ts';
import type { Blobs, Spool } from '../storage/ports.ts';
import { type Clock, systemClock } from './clock.ts';
import type { Engines } from './engines.ts';
import type { Evaluations } from './evaluations.ts';
import { backOff, emit, type LiveRun } from './live-run.ts';

export interface PerformerDeps {
  readonly spool: Spool;
  readonly blobs: Blobs;
  readonly aggregation: Aggregation;
  readonly engines: Engines;
  readonly evaluations: Evaluations;
  readonly log: Logger;
  readonly clock?: Clock | undefined;
  /** Path of a model's file, for the aggregation worker. */
  readonly blobPath: (hash: string) => string;
  /** A new model, as its file: kept in memory for the downloads that follow at once. */
  readonly onModel: (hash: string, file: Buffer) => void;
  /** For people; undefined for who is not connected. */
  readonly nameOf: (member: string) => string | undefined;
  readonly send: (to: string, message: ServerMessage) => void;
  /** To every node that has a session. */
  readonly broadcast: (message: ServerMessage) => void;
  readonly submit: (run: LiveRun, input: RoundInput) => Promise<void>;
  /** For inputs that nobody waits for: a refusal is only logged. */
  readonly submitQuietly: (run: LiveRun, input: RoundInput) => void;
  readonly stopping: () => boolean;
}

/** Between tries to store a new model, doubling: milliseconds. */
const STORE_RETRY_MS = 500;
const STORE_RETRY_MAX_MS = 10_000;

/** Physical words of a run's vector. */
export function lengthOf(run: LiveRun): number {
  return layoutOf(run.state.parameters, scalarNames(run.state.plan).length).length;
}

function runEnded({ state }: LiveRun): ServerMessage {
  const status = state.status === 'failed' || state.status === 'cancelled' ? state.status : 'done';
  return { type: 'run-ended', run: state.id, status, reason: (state.reason ?? '').slice(0, LIMITS.reason) };
}

export function createPerformer(deps: PerformerDeps): (run: LiveRun, effect: Effect) => void {
  const { spool, aggregation, log, evaluations, send, submit, submitQuietly, clock = systemClock } = deps;

  async function sum(run: LiveRun, effect: Extract<Effect, { type: 'sum' }>): Promise<void> {
    const { attempt, cohortSize, order } = effect;
    const { plan, parameters, head } = run.state;
    const { aggregation: rules } = plan;
    try {
      const answer = await aggregation.sum({
        attempt,
        parameters,
        scales: scalarNames(plan).map(scalarScale),
        coordinateBound: rules.coordinateBound ?? rules.clip,
        weightCap: weightCapOf(plan),
        strategy: rules.strategy.name,
        survivors: effect.survivors.map((member) => ({ member, path: spool.path(attempt, member) })),
        cohortSize,
        order,
        basePath: deps.blobPath(head.model),
      });
      const { sum: sumHash, weights, scalars, norm } = answer;
      const file = Buffer.from(answer.file.buffer);
      const model = await untilStored(run, attempt, () => deps.blobs.put(file));
      crashPoint('coordinator.model.stored');
      deps.onModel(model, file);
      const result = { sum: sumHash, model, weights, scalars, norm };
      const engines = deps.engines.ofAll(effect.survivors);
      await untilStored(run, attempt, () =>
        submit(run, { type: 'summed', attempt, result, bytesDown: run.bytesDown, engines }),
      );
    } catch (error) {
      const { code, message } = asTributaryError(error);
      // Of an attempt that is void meanwhile, the updates are deleted under the sum's feet.
      if (code === 'internal' && isSumming(run, attempt))
        log.error({ run: run.state.id, attempt, err: error }, 'fault while summing');
      submitQuietly(run, { type: 'sum-failed', attempt, code, reason: message });
    }
  }

  /** A full disk must not cost what the partners have done: the sum is known, and waits for its place. */
  async function untilStored<T>(run: LiveRun, attempt: string, write: () => Promise<T>): Promise<T> {
    for (let wait = STORE_RETRY_MS; ; wait = Math.min(2 * wait, STORE_RETRY_MAX_MS)) {
      try {
        return await write();
      } catch (error) {
        const waits = isSumming(run, attempt) && !deps.stopping();
        if (!waits || asTributaryError(error).code !== 'storage-failed') throw error;
        log.error({ run: run.state.id, attempt, err: error }, 'the new model cannot be stored; trying again');
        await clock.pause(wait);
      }
    }
  }

  function isSumming({ state: { stage } }: LiveRun, attempt: string): boolean {
    return stage.kind === 'summing' && stage.open.secagg.attempt === attempt;
  }

  function named(data: Readonly<Record<string, unknown>>): Record<string, unknown> {
    const { member, name } = data;
    if (typeof member !== 'string' || name !== undefined) return { ...data };
    return { ...data, name: deps.nameOf(member) };
  }

  return function perform(run: LiveRun, effect: Effect): void {
    switch (effect.type) {
      case 'send':
        for (const member of effect.to) send(member, effect.message);
        return;
      case 'fold': {
        const { attempt, member } = effect;
        const length = lengthOf(run);
        // A fold that fails is made up for by the sum, which folds what is missing.
        aggregation
          .fold({ attempt, member, path: spool.path(attempt, member), length })
          .catch((error) =>
            log.warn({ attempt, member, err: error }, 'fold failed; the sum will fold again'),
          );
        return;
      }
      case 'sum':
        sum(run, effect).catch((error) => log.error({ run: run.state.id, err: error }, 'sum failed'));
        return;
      case 'publish':
        log.info(
          { run: run.state.id, round: effect.record.round, model: effect.record.model },
          'round published',
        );
        run.bytesDown = 0;
        evaluations.request(run.state, effect.record.round, effect.record.model);
        return;
      case 'discard':
        Promise.all([aggregation.discard(effect.attempt), spool.remove(effect.attempt)])
          .then(() => crashPoint('coordinator.spool.removed'))
          .catch((error) => log.warn({ attempt: effect.attempt, err: error }, 'spool not removed'));
        return;
      case 'run-changed':
        log.info({ run: run.state.id, status: run.state.status, reason: run.state.reason }, 'run');
        return;
      case 'event':
        if (effect.kind === 'abandoned') {
          backOff(run, clock.now());
          log.warn({ run: run.state.id, ...effect.data }, 'attempt void');
        }
        emit(run, clock.now(), effect.kind, named(effect.data));
        if (effect.kind === 'ended') deps.broadcast(runEnded(run));
        return;
      default:
        effect satisfies never;
    }
  };
}
