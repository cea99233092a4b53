/** The HTTP API `/v1` (PROTOCOL.md 8) as typed calls, for people's tokens. Every answer is checked against its schema. */
import { createHash } from 'node:crypto';
import {
  CoordinatorInfo,
  type InviteRequest,
  InviteResponse,
  LIMITS,
  ModelSummary,
  Name,
  Partner,
  type PersonRole,
  PersonRole as PersonRoleSchema,
  type RunAction,
  RunDetail,
  type RunEvent,
  type RunRequest,
  RunSummary,
  TokenSummary,
  TributaryError,
  validate,
} from '@tributary/protocol';
import { type Static, type TSchema, Type } from '@tributary/protocol/typebox';
import { readEvents } from './api-events.ts';
import { type HttpOptions, httpCaller, type Json } from './api-http.ts';

const TokenCreated = Type.Object({ name: Name, role: PersonRoleSchema, token: Type.String() });
type TokenCreated = Static<typeof TokenCreated>;

export interface ApiClient {
  /** Who the coordinator says it is; needs no token. */
  coordinator(): Promise<CoordinatorInfo>;
  invite(request: InviteRequest): Promise<InviteResponse>;
  partners(): Promise<Partner[]>;
  setPartnerStatus(name: string, action: 'suspend' | 'resume'): Promise<Partner>;
  /** For good: its key counts no longer, its name is free. */
  removePartner(name: string): Promise<void>;
  tokens(): Promise<TokenSummary[]>;
  /** The only time that the token is shown. */
  createToken(name: string, role: PersonRole): Promise<TokenCreated>;
  revokeToken(name: string): Promise<void>;
  /** Uploads bytes under their SHA-256, which is returned. Idempotent. */
  putBlob(bytes: Uint8Array): Promise<string>;
  /** @throws hash-mismatch when what arrives is not what was asked for */
  getBlob(hash: string): Promise<Uint8Array>;
  runs(): Promise<RunSummary[]>;
  run(id: string): Promise<RunDetail>;
  startRun(request: RunRequest): Promise<RunSummary>;
  cancelRun(id: string): Promise<RunSummary>;
  /** No attempt is opened before `resumeRun`; one that is open goes on to its end. */
  pauseRun(id: string): Promise<RunSummary>;
  resumeRun(id: string): Promise<RunSummary>;
  /** Events after number `after`, as they come; returns when the coordinator ends the stream. */
  events(id: string, after: number, signal?: AbortSignal): AsyncGenerator<RunEvent>;
  models(run?: string): Promise<ModelSummary[]>;
}

/**
 * Every call throws TributaryError: the coordinator's own refusal, `unavailable` when it does not answer,
 * `unsupported-version` when its answer does not fit the schema.
 */
export function createApiClient(options: HttpOptions): ApiClient {
  const http = httpCaller(options);

  async function call<S extends TSchema>(
    method: string,
    path: string,
    schema: S,
    body?: Json,
  ): Promise<Static<S>> {
    const what = `answer to ${method} ${path}`;
    return fits(schema, await http.json(method, path, body), what);
  }
  const at = (...parts: string[]) => `/v1/${parts.map(encodeURIComponent).join('/')}`;
  const control = (id: string, action: RunAction) => call('POST', at('runs', id, action), RunSummary);

  return {
    coordinator: () => call('GET', at('coordinator'), CoordinatorInfo),
    invite: (request) => call('POST', at('partners', 'invites'), InviteResponse, request),
    partners: () => call('GET', at('partners'), Type.Array(Partner)),
    setPartnerStatus: (name, action) => call('POST', at('partners', name, action), Partner),
    async removePartner(name) {
      await http.send('DELETE', at('partners', name));
    },
    tokens: () => call('GET', at('tokens'), Type.Array(TokenSummary)),
    createToken: (name, role) => call('POST', at('tokens'), TokenCreated, { name, role }),
    async revokeToken(name) {
      await http.send('DELETE', at('tokens', name));
    },
    async putBlob(bytes) {
      const hash = createHash('sha256').update(bytes).digest('hex');
      await http.send('PUT', at('blobs', hash), bytes);
      return hash;
    },
    async getBlob(hash) {
      const bytes = await http.bytes(at('blobs', hash), LIMITS.blob);
      const got = createHash('sha256').update(bytes).digest('hex');
      if (got !== hash)
        throw new TributaryError('hash-mismatch', `Asked for ${hash}, the bytes that came hash to ${got}.`);
      return bytes;
    },
    runs: () => call('GET', at('runs'), Type.Array(RunSummary)),
    run: (id) => call('GET', at('runs', id), RunDetail),
    startRun: (request) => call('POST', at('runs'), RunSummary, request as Json),
    cancelRun: (id) => control(id, 'cancel'),
    pauseRun: (id) => control(id, 'pause'),
    resumeRun: (id) => control(id, 'resume'),
    async *events(id, after, signal) {
      yield* readEvents(await http.stream(`${at('runs', id, 'events')}?after=${after}`, signal));
    },
    models: (run) =>
      call(
        'GET',
        run === undefined ? at('models') : `${at('models')}?run=${encodeURIComponent(run)}`,
        Type.Array(ModelSummary),
      ),
  };
}

function fits<S extends TSchema>(schema: S, value: unknown, what: string): Static<S> {
  return validate(schema, value, what, 'unsupported-version');
}
