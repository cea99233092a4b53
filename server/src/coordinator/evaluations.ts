/** Evaluator nodes: they hold public data, only evaluate published models, and report in the clear. */
import {
  type ClientMessageOf,
  canonicalJson,
  type EvaluationReport,
  type ServerMessage,
  TributaryError,
} from '@tributary/protocol';
import { crashPoint } from '@tributary/protocol/node';
import type { RunState } from '../round/index.ts';
import type { Store } from '../storage/ports.ts';
import { type Clock, systemClock } from './clock.ts';
import { emit, type LiveRun } from './live-run.ts';

export interface Evaluations {
  /** Asks every connected evaluator for the model of a round; round 0 is the initial model. */
  request(run: RunState, round: number, model: string): void;
  /** Asks a new evaluator for what it has not reported yet. */
  connected(key: string, name: string, runs: Iterable<LiveRun>): Promise<void>;
  disconnected(key: string): void;
  /** First report wins; the same again changes nothing. @throws forbidden, conflict, malformed */
  receive(key: string, message: ClientMessageOf<'evaluation'>, run: LiveRun): Promise<void>;
}

export function createEvaluations(
  store: Store,
  epoch: number,
  send: (to: string, message: ServerMessage) => void,
  clock: Clock = systemClock,
): Evaluations {
  /** Connected evaluators, key to name. */
  const evaluators = new Map<string, string>();

  async function modelOf(run: LiveRun, round: number): Promise<string | undefined> {
    if (round === 0) return run.initialModel;
    return (await store.rounds(run.state.id)).find((row) => row.round === round)?.record.model;
  }

  return {
    request(run, round, model) {
      for (const key of evaluators.keys())
        send(key, { type: 'evaluate', run: run.id, round, model, plan: run.plan });
    },
    async connected(key, name, runs) {
      evaluators.set(key, name);
      for (const run of runs) {
        const { id, plan } = run.state;
        const done = new Set(
          (await store.evaluations(id))
            .filter((row) => row.report.evaluator === name)
            .map((row) => row.round),
        );
        const models = [run.initialModel, ...(await store.rounds(id)).map((row) => row.record.model)];
        for (const [round, model] of models.entries())
          if (!done.has(round)) send(key, { type: 'evaluate', run: id, round, model, plan });
      }
    },
    disconnected(key) {
      evaluators.delete(key);
    },
    async receive(key, message, run) {
      const evaluator = evaluators.get(key);
      if (evaluator === undefined)
        throw new TributaryError(
          'forbidden',
          'Only evaluator nodes report evaluations: a partner’s metrics ride in the sum.',
        );
      const { round, model, count, loss, metrics } = message;
      if ((await modelOf(run, round)) !== model)
        throw new TributaryError(
          'conflict',
          `Round ${round} of ${run.state.id} did not publish model ${model.slice(0, 12)}.`,
        );
      const expected = [...run.state.plan.training.metrics].sort().join(', ');
      if (Object.keys(metrics).sort().join(', ') !== expected)
        throw new TributaryError(
          'malformed',
          `The plan's metrics are to be reported: ${expected || 'none'}.`,
        );
      const report: EvaluationReport = { evaluator, count, loss, metrics };
      const known = (await store.evaluations(run.state.id)).find(
        (row) => row.round === round && row.report.evaluator === evaluator,
      );
      if (known && canonicalJson(known.report) === canonicalJson(report)) return;
      if (known) throw new TributaryError('conflict', `Round ${round} was evaluated by ${evaluator} before.`);
      crashPoint('coordinator.evaluation.committing');
      await store.commit({ epoch, evaluations: [{ run: run.state.id, round, report }] });
      crashPoint('coordinator.evaluation.committed');
      emit(run, clock.now(), 'evaluation', { round, ...report });
    },
  };
}
