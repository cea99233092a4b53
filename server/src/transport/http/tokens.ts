import { Name, TokenRequest, validate } from '@tributary/protocol';
import type { FastifyInstance } from 'fastify';
import { personOf } from '../../plugins/auth.ts';
import type { TokensDeps } from './ports.ts';
import type { Streams } from './streams.ts';

export function tokenRoutes(fastify: FastifyInstance, { auth, tokens }: TokensDeps, streams: Streams): void {
  const onRequest = auth.person('admin');

  /** The one time that the token's text is shown. */
  fastify.post('/v1/tokens', { onRequest }, async (request, reply) => {
    const { name, role } = validate(TokenRequest, request.body, 'token');
    const token = await tokens.create(name, role);
    request.log.info({ audit: 'token.created', by: personOf(request).name, name, role }, 'token created');
    return reply.code(201).send({ name, role, token });
  });

  fastify.get('/v1/tokens', { onRequest }, () => tokens.list());

  fastify.delete<{ Params: { name: string } }>('/v1/tokens/:name', { onRequest }, async (request, reply) => {
    const name = validate(Name, request.params.name, 'name');
    await tokens.remove(name);
    streams.endOf(name);
    request.log.info({ audit: 'token.removed', by: personOf(request).name, name }, 'token removed');
    return reply.code(204).send();
  });
}
