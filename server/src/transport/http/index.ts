/** The HTTP API `/v1` (PROTOCOL.md 8), one file per resource. */
import {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyServerOptions,
  LogController,
} from 'fastify';
import { answerClientError, limitConnections } from '../../plugins/connections.ts';
import { installDrain } from '../../plugins/drain.ts';
import { installErrors, sendProblem } from '../../plugins/errors.ts';
import { installHeaders } from '../../plugins/limits.ts';
import { installRates } from '../../plugins/rates.ts';
import { blobRoutes } from './blobs.ts';
import { installOctetStreams } from './bodies.ts';
import { coordinatorRoutes } from './coordinator.ts';
import { healthRoutes } from './health.ts';
import { modelRoutes } from './models.ts';
import { partnerRoutes } from './partners.ts';
import type { HttpDeps } from './ports.ts';
import { runRoutes } from './runs.ts';
import { createStreams } from './streams.ts';
import { tokenRoutes } from './tokens.ts';
import { updateRoutes } from './updates.ts';

export type { HttpDeps } from './ports.ts';

/** How the Fastify instance must be made. */
export function httpOptions(log: FastifyBaseLogger) {
  return {
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }),
    frameworkErrors: sendProblem,
    clientErrorHandler: answerClientError,
    /** JSON bodies; plans and bulk have their own limits. */
    bodyLimit: 64 * 1024,
    /** A socket without a byte either way for this long is dead, whatever it promised to send: milliseconds. */
    connectionTimeout: 120_000,
    routerOptions: { maxParamLength: 200 },
  } satisfies FastifyServerOptions;
}

/** Before `registerRoutes`, and before `installAuth`: headers and errors also for what those refuse. */
/** `isProxy`: behind whose address there are many. */
export function registerBasics(fastify: FastifyInstance, isProxy?: (address: string) => boolean): void {
  fastify.addHook('onResponse', async (request, reply) => {
    const { method, url, caller } = request;
    const ms = Math.round(reply.elapsedTime);
    request.log.debug({ method, url, status: reply.statusCode, ms, caller: caller?.name }, 'answered');
  });
  limitConnections(fastify.server, fastify.log, { isProxy });
  installDrain(fastify);
  installErrors(fastify);
  installHeaders(fastify);
  installRates(fastify);
  installOctetStreams(fastify);
}

export function registerRoutes(fastify: FastifyInstance, deps: HttpDeps): void {
  const streams = createStreams();
  healthRoutes(fastify, deps);
  coordinatorRoutes(fastify, deps);
  tokenRoutes(fastify, deps, streams);
  partnerRoutes(fastify, deps);
  blobRoutes(fastify, deps);
  updateRoutes(fastify, deps);
  runRoutes(fastify, deps, streams);
  modelRoutes(fastify, deps);
}
