/** The federated run: started and followed over the coordinator's HTTP API, like everybody else does it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { initialWeights } from '@tributary/client-sdk';
import {
  encodeSafetensors,
  type ModelWeights,
  type RoundRecord,
  type RunDetail,
  type RunEvent,
} from '@tributary/protocol';
import { type Board, type RoundRow, roundLine, take } from './board.ts';
import { DROP_ROUND, type Victim } from './drop.ts';
import { followRun } from './follow.ts';
import type { House } from './house.ts';
import type { View } from './view.ts';

/** For the evaluator to measure the models that it has not yet: milliseconds. */
const EVALUATION_MS = 60_000;

export interface Federated {
  readonly run: RunDetail;
  /** The model that everybody started from. */
  readonly initial: ModelWeights;
}

export interface Follow {
  readonly house: House;
  readonly board: Board;
  readonly view: View;
  /** Told of every event first. */
  readonly onEvent: (event: RunEvent) => void;
}

/** @throws Error in plain words when the run does not reach its end */
export async function runFederated(follow: Follow): Promise<Federated> {
  const { api, plan, victims } = follow.house;
  const initial = await initialWeights(plan);
  const model = await api.putBlob(encodeSafetensors(initial));
  const { id } = await api.startRun({ plan, model });
  await watch(follow, id);
  const run = await measured(follow, id);
  if (run.status !== 'done') throw new Error(`The run is ${run.status}: ${run.reason ?? 'no reason given'}`);
  requireKilled(victims, run.history);
  return { run, initial };
}

/** Until the run has ended. */
function watch({ house, board, view, onEvent }: Follow, id: string): Promise<void> {
  return followRun(
    house,
    id,
    () => `Round ${board.round + 1}`,
    (event) => {
      onEvent(event);
      const words = take(board, event, Date.now());
      if (words !== undefined) view.progress(words);
      if (event.kind === 'published') published(event.data.record as RoundRecord, house.victims, board, view);
      if (event.kind === 'evaluation') announce(board, Number(event.data.round), view);
    },
  );
}

function published(record: RoundRecord, victims: readonly Victim[], board: Board, view: View): void {
  const { round, participants, dropped, started, published: ended, bytesUp, bytesDown } = record;
  board.history.push({
    ...{ round, participants, dropped, bytesUp, bytesDown },
    accuracy: undefined,
    loss: undefined,
    seconds: (ended - started) / 1000,
  });
  if (round !== DROP_ROUND) return;
  for (const { name, when } of victims)
    view.line(`${name} was killed ${when} its upload; round ${round} is published all the same`);
}

function announce(board: Board, round: number, view: View): void {
  const row = board.history.find((each) => each.round === round);
  if (row) view.progress(roundLine(row, board.rounds));
}

/** The stream of events ends with the run, and what the evaluator says of the last model comes after it. */
async function measured({ house, board, view }: Follow, id: string): Promise<RunDetail> {
  const until = Date.now() + EVALUATION_MS;
  for (;;) {
    const run = await house.api.run(id);
    for (const { round, evaluations } of run.history) {
      const row = board.history.find((each: RoundRow) => each.round === round);
      const [report] = evaluations;
      if (!report || !row || row.accuracy !== undefined) continue;
      Object.assign(row, { accuracy: report.metrics.accuracy, loss: report.loss });
      announce(board, round, view);
    }
    const missing = run.history.filter(({ evaluations }) => evaluations.length === 0);
    if (missing.length === 0) return run;
    if (Date.now() > until)
      throw new Error(
        `The evaluator has not measured round ${missing.map(({ round }) => round).join(', ')}.`,
      );
    await sleep(50);
  }
}

/** A demo of drop-outs in which nobody dropped out would be a lie. */
function requireKilled(victims: readonly Victim[], history: readonly RoundRecord[]): void {
  const record = history.find(({ round }) => round === DROP_ROUND);
  for (const { name, when } of victims) {
    const where = when === 'before' ? record?.dropped : record?.participants;
    if (!where?.includes(name))
      throw new Error(`${name} was to be killed ${when} its upload in round ${DROP_ROUND}, and was not.`);
    const later = history.find((each) => each.round > DROP_ROUND && each.participants.includes(name));
    if (later) throw new Error(`${name} was killed in round ${DROP_ROUND}; round ${later.round} counts it.`);
  }
}
