import {
  EnrolRequest,
  InviteRequest,
  Name,
  SignedRotation,
  TributaryError,
  validate,
} from '@tributary/protocol';
import type { FastifyInstance } from 'fastify';
import { personOf } from '../../plugins/auth.ts';
import type { PartnersDeps } from './ports.ts';

export function partnerRoutes(fastify: FastifyInstance, { auth, partners }: PartnersDeps): void {
  const operator = { onRequest: auth.person('operator') };

  /** The one time that the invite is shown. */
  fastify.post('/v1/partners/invites', operator, async (request, reply) => {
    const response = await partners.invite(validate(InviteRequest, request.body, 'invite'));
    const { name, role, expires } = response;
    request.log.info(
      { audit: 'partner.invited', by: personOf(request).name, partner: name, role, expires },
      'partner invited',
    );
    return reply.code(201).send(response);
  });

  fastify.get('/v1/partners', { onRequest: auth.person('researcher') }, () => partners.list());

  for (const [action, status] of [
    ['suspend', 'suspended'],
    ['resume', 'active'],
  ] as const)
    fastify.post<{ Params: { name: string } }>(`/v1/partners/:name/${action}`, operator, async (request) => {
      const partner = await partners.setStatus(validate(Name, request.params.name, 'name'), status);
      request.log.info(
        { audit: `partner.${status}`, by: personOf(request).name, partner: partner.name },
        `partner ${status}`,
      );
      return partner;
    });

  fastify.delete<{ Params: { name: string } }>('/v1/partners/:name', operator, async (request, reply) => {
    const name = validate(Name, request.params.name, 'name');
    await partners.remove(name);
    request.log.info(
      { audit: 'partner.removed', by: personOf(request).name, partner: name },
      'partner removed',
    );
    return reply.code(204).send();
  });

  /** Public: the invite's secret and a signature by the new key are the proof. */
  fastify.post('/v1/enrol', async (request, reply) => {
    const body = validateEnrolment(request.body);
    const response = await auth.guard(request, () => partners.enrol(body));
    request.log.info(
      { audit: 'partner.enrolled', partner: response.name, role: response.role, key: body.key },
      'partner enrolled',
    );
    return reply.code(201).send(response);
  });

  fastify.get('/v1/members', { onRequest: auth.node() }, () => partners.members());

  /** Public: the signatures by both keys are the proof. */
  fastify.post('/v1/rotations', async (request) => {
    const signed = validate(SignedRotation, request.body, 'rotation');
    const response = await auth.guard(request, () => partners.rotate(signed));
    const { old, new: key } = signed.rotation;
    request.log.info({ audit: 'partner.rotated', partner: response.name, old, key }, 'partner has a new key');
    return response;
  });

  fastify.get('/v1/rotations', { onRequest: auth.node() }, () => partners.rotations());
}

/** Without the usual preview of what came, which would show the invite's secret. @throws malformed */
function validateEnrolment(body: unknown): EnrolRequest {
  try {
    return validate(EnrolRequest, body, 'enrolment');
  } catch {
    throw new TributaryError(
      'malformed',
      'enrolment: must be exactly {secret, key, signature}, of 32, 32 and 64 bytes in base64url.',
    );
  }
}
