/** What people ask of runs and models: starting, controlling, looking. Everything they see is a sum or public. */
import {
  decodeSafetensors,
  isOver,
  LIMITS,
  type ModelSummary,
  parsePlan,
  planHash,
  type Random,
  type RoundRecord,
  type RunAction,
  type RunDetail,
  type RunEvent,
  type RunSummary,
  requireFinite,
  TributaryError,
  toHex,
} from '@tributary/protocol';
import { crashPoint, nodeCrypto, nodeRandom } from '@tributary/protocol/node';
import { awaited } from '@tributary/protocol/secagg';
import { createRun, MACHINE_VERSION } from '../round/index.ts';
import type { RunRow, Store } from '../storage/ports.ts';
import { type Clock, systemClock } from './clock.ts';
import type { Coordinator } from './coordinator.ts';
import { createLiveRun, type LiveRun } from './live-run.ts';
import { toRow } from './loop.ts';

export interface People {
  list(): Promise<RunSummary[]>;
  /** @throws not-found */
  show(id: string): Promise<RunDetail>;
  /** @throws plan-invalid, model-invalid, not-found (the model was not uploaded) */
  start(plan: unknown, model: string, by: string): Promise<RunSummary>;
  /** @throws not-found, wrong-phase */
  control(id: string, action: RunAction, by: string): Promise<RunSummary>;
  /** @throws not-found */
  events(id: string, after: number, signal: AbortSignal): AsyncGenerator<RunEvent>;
  models(run?: string): Promise<ModelSummary[]>;
}

export interface PeopleDeps {
  readonly store: Store;
  /** Whole models, shared with the downloads that follow a start. */
  readonly models: { get(hash: string): Promise<Buffer> };
  readonly epoch: number;
  readonly coordinator: Coordinator;
  readonly clock?: Clock;
  readonly random?: Random;
}

export function createPeople(deps: PeopleDeps): People {
  const { store, models, epoch, coordinator, clock = systemClock, random = nodeRandom } = deps;

  async function requireRow(id: string): Promise<RunRow> {
    const row = await store.run(id);
    if (!row) throw new TributaryError('not-found', `No run ${JSON.stringify(id.slice(0, 100))}.`);
    return row;
  }

  async function history(id: string): Promise<RoundRecord[]> {
    const [rounds, evaluations] = await Promise.all([store.rounds(id), store.evaluations(id)]);
    return rounds.map((row) => ({
      ...row.record,
      evaluations: evaluations.filter((entry) => entry.round === row.round).map((entry) => entry.report),
    }));
  }

  return {
    list: async () => (await store.runs()).map(summarise),
    async show(id) {
      const row = await requireRow(id);
      const evaluations = await store.evaluations(id);
      const live = coordinator.runs.get(id);
      return {
        ...summarise(row),
        planBody: row.plan,
        model: row.model,
        initialEvaluations: evaluations.filter((entry) => entry.round === 0).map((entry) => entry.report),
        history: await history(id),
        voided: (await store.voids(id)).map(({ run: _, ...row }) => row),
        current: live ? currentOf(live) : null,
        consents: live ? await consentsOf(live, store) : [],
      };
    },
    async start(raw, model, by) {
      const plan = parsePlan(raw);
      const file = await models.get(model);
      const { values } = decodeSafetensors(file).model;
      requireFinite(values);
      if (values.length > LIMITS.parameters)
        throw new TributaryError(
          'model-invalid',
          `${values.length} parameters; the limit is ${LIMITS.parameters}.`,
        );
      const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
      const state = createRun({
        id: `${plan.name.slice(0, 80)}-${toHex(random(4))}`,
        plan,
        planHash: planHash(nodeCrypto, plan),
        parameters: values.length,
        model,
        weights: toHex(nodeCrypto.sha256(bytes)),
      });
      const live = createLiveRun(state, 0, clock.now(), model, clock.now());
      const row = toRow(state, live);
      await store.commit({
        epoch,
        runs: [row],
        snapshots: [{ run: state.id, seq: 0, machine: MACHINE_VERSION, state }],
      });
      crashPoint('coordinator.run.committed');
      live.events.add({ time: live.created, kind: 'started', round: 0, attempt: 0, data: { by } });
      coordinator.adopt(live);
      return summarise(row);
    },
    async control(id, action, by) {
      const row = await requireRow(id);
      const live = coordinator.runs.get(id);
      if (!live || isOver(row.status))
        throw new TributaryError('wrong-phase', `Run ${id} is ${row.status}.`, {
          remedy: `It is over. To go on from its model: \`tributary models pull ${id}\`, then \`tributary runs start PLAN --weights model.safetensors\`.`,
        });
      await coordinator.submit(live, { type: action, by });
      return summarise(await requireRow(id));
    },
    async *events(id, after, signal) {
      const row = await requireRow(id);
      const live = coordinator.runs.get(id);
      if (live) yield* live.events.read(after, signal);
      // From before the last restart: the rounds are what remains.
      else {
        let seq = 0;
        const event = (kind: string, round: number, data: RunEvent['data'], time: number): RunEvent => ({
          seq: ++seq,
          time,
          kind,
          round,
          attempt: 1,
          data,
        });
        const records = await history(id);
        for (const record of records) yield event('published', record.round, { record }, record.published);
        const time = records.at(-1)?.published ?? row.created;
        yield event('ended', row.round, { status: row.status, reason: row.reason }, time);
      }
    },
    async models(run) {
      const rows = run === undefined ? await store.runs() : [await requireRow(run)];
      const models = await Promise.all(
        rows.map(async (row) =>
          (await history(row.id)).map((record) => ({
            run: row.id,
            name: row.name,
            round: record.round,
            model: record.model,
            metrics: record.metrics,
            evaluations: record.evaluations,
            published: record.published,
          })),
        ),
      );
      return models.flat();
    },
  };
}

function summarise(row: RunRow): RunSummary {
  return {
    id: row.id,
    name: row.name,
    plan: row.planHash,
    status: row.status,
    round: row.round,
    rounds: row.plan.rounds,
    aggregation: row.plan.aggregation.mode,
    created: row.created,
    reason: row.reason,
  };
}

function currentOf(live: LiveRun): RunDetail['current'] {
  const { stage, head } = live.state;
  if (stage.kind === 'ended') return null;
  if (stage.kind === 'gathering')
    return {
      round: head.round + 1,
      attempt: live.state.attempts + 1,
      phase: live.waiting ? `waiting: ${live.waiting}` : 'gathering',
      partners: [],
    };
  const { open } = stage;
  const missing = new Set(stage.kind === 'attempt' ? awaited(open.secagg) : []);
  return {
    round: head.round + 1,
    attempt: open.number,
    phase: stage.kind === 'summing' ? 'summing' : open.secagg.phase,
    partners: Object.entries(open.names).map(([member, name]) => {
      const state = open.secagg.left.includes(member) ? 'left' : missing.has(member) ? 'awaited' : 'answered';
      // What it told before a restart is forgotten; who has answered has trained.
      const twentieths = live.progress.get(member) ?? (state === 'answered' ? 20 : 0);
      return { name, state, twentieths };
    }),
  };
}

async function consentsOf(live: LiveRun, store: Store): Promise<RunDetail['consents']> {
  const partners = await store.partners();
  return partners
    .filter((partner) => partner.role === 'partner' && partner.key !== null)
    .map(({ name, key }) => {
      const answer = live.state.answers[key!];
      return {
        name,
        answer: answer?.kind ?? ('none' as const),
        code: answer?.kind === 'decline' ? answer.code : null,
        reason: answer?.kind === 'decline' ? answer.reason : null,
      };
    });
}
