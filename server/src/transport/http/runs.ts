import { LIMITS, RUN_ACTIONS, RunRequest, TributaryError, validate } from '@tributary/protocol';
import type { FastifyInstance } from 'fastify';
import { personOf } from '../../plugins/auth.ts';
import { eventStream } from './event-stream.ts';
import type { RunsDeps } from './ports.ts';
import type { Streams } from './streams.ts';

const PAST = { cancel: 'cancelled', pause: 'paused', resume: 'resumed' } as const;

type ById = { Params: { id: string } };

export function runRoutes(fastify: FastifyInstance, { auth, runs }: RunsDeps, streams: Streams): void {
  const researcher = { onRequest: auth.person('researcher') };
  const operator = { onRequest: auth.person('operator') };
  /** White space and escapes may double a plan of the greatest size. */
  const start = { ...operator, bodyLimit: 2 * LIMITS.plan };

  fastify.addHook('preClose', async () => streams.endAll());

  fastify.get('/v1/runs', researcher, () => runs.list());
  fastify.get<ById>('/v1/runs/:id', researcher, (request) => runs.show(request.params.id));

  fastify.post('/v1/runs', start, async (request, reply) => {
    const { plan, model } = validate(RunRequest, request.body, 'run');
    const by = personOf(request).name;
    const run = await runs.start(plan, model, by);
    request.log.info({ audit: 'run.started', by, run: run.id, plan: run.plan }, 'run started');
    return reply.code(201).send(run);
  });

  for (const action of RUN_ACTIONS)
    fastify.post<ById>(`/v1/runs/:id/${action}`, operator, async (request) => {
      const by = personOf(request).name;
      const run = await runs.control(request.params.id, action, by);
      request.log.info({ audit: `run.${PAST[action]}`, by, run: run.id }, `run ${PAST[action]}`);
      return run;
    });

  fastify.get<ById & { Querystring: { after?: string } }>(
    '/v1/runs/:id/events',
    researcher,
    async (request, reply) => {
      const { after = '0' } = request.query;
      if (!/^\d{1,15}$/.test(after))
        throw new TributaryError('malformed', 'request: after must be the number of an event.');
      // While an unknown run can still be answered with a status.
      await runs.show(request.params.id);
      const stream = eventStream(
        (signal) => runs.events(request.params.id, Number(after), signal),
        (error) => request.log.error({ err: error }, 'event stream failed'),
      );
      streams.add(personOf(request).name, stream);
      return reply.type('application/x-ndjson').send(stream);
    },
  );
}
