/** A real coordinator in this process, on a free port and an empty folder, with a person's token at hand. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  decodeInvite,
  encodeSafetensors,
  type Identity,
  identityFromSeed,
  type Plan,
  parsePlan,
  type RunDetail,
  type RunSummary,
  sign,
  toHex,
} from '@tributary/protocol';
import { nodeCrypto, nodeRandom } from '@tributary/protocol/node';
import { type App, createApp, createLog } from '@tributary/server';

export const PARAMETERS = 70_000;

export interface TestCoordinator {
  readonly app: App;
  readonly url: string;
  readonly folder: string;
  call(
    method: string,
    path: string,
    body?: object,
    token?: string,
  ): Promise<{ status: number; body: unknown }>;
  /** Invites and enrols a new identity. */
  enrol(name: string, role?: 'partner' | 'evaluator'): Promise<Identity>;
  startRun(plan?: Plan, values?: Float32Array): Promise<RunSummary>;
  show(run: string): Promise<RunDetail>;
  /** Resolves with the run once `when` holds. */
  until(run: string, when: (detail: RunDetail) => boolean): Promise<RunDetail>;
  close(): Promise<void>;
}

export async function startTestCoordinator(): Promise<TestCoordinator> {
  const folder = mkdtempSync(join(tmpdir(), 'tributary-test-'));
  const app = await createApp({ folder, log: createLog('silent') });
  const { url } = await app.listen({ host: '127.0.0.1', port: 0 });
  const admin = app.adminToken!;

  async function call(method: string, path: string, body?: object, token = admin) {
    const response = await fetch(url + path, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body && {
          'content-type': body instanceof Uint8Array ? 'application/octet-stream' : 'application/json',
        }),
      },
      ...(body && { body: body instanceof Uint8Array ? Buffer.from(body) : JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, body: text ? JSON.parse(text) : null };
  }
  async function ok<T>(method: string, path: string, body?: object): Promise<T> {
    const answer = await call(method, path, body);
    if (answer.status >= 300)
      throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body as T;
  }
  const show = (run: string) => ok<RunDetail>('GET', `/v1/runs/${run}`);

  return {
    app,
    url,
    folder,
    call,
    show,
    async enrol(name, role = 'partner') {
      const { invite } = await ok<{ invite: string }>('POST', '/v1/partners/invites', { name, role });
      const { secret } = decodeInvite(invite);
      const identity = identityFromSeed(nodeCrypto, nodeRandom(32));
      const payload = { coordinator: app.identity.id, secret, key: identity.id };
      const signature = sign(nodeCrypto, identity, 'enrol', payload);
      await ok('POST', '/v1/enrol', { secret, key: identity.id, signature });
      return identity;
    },
    async startRun(plan = testPlan(), values = new Float32Array(PARAMETERS)) {
      const file = encodeSafetensors({
        tensors: [{ name: 'dense_1/kernel', shape: [values.length], offset: 0, length: values.length }],
        values,
      });
      const model = toHex(nodeCrypto.sha256(file));
      await ok('PUT', `/v1/blobs/${model}`, file);
      return ok<RunSummary>('POST', '/v1/runs', { plan, model });
    },
    async until(run, when) {
      for (;;) {
        const detail = await show(run);
        if (when(detail)) return detail;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
    async close() {
      await app.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** For runs in which everybody counts: on a busy machine nobody is to be taken for a straggler. */
export const PATIENT = { patience: 20, grace: 20, maximum: 60 };

/** A plan for partners that do not really train: nothing looks into its topology. */
export function testPlan(changes: Record<string, unknown> = {}): Plan {
  return parsePlan({
    name: 'test',
    model: { topology: { class_name: 'Sequential', config: { layers: [] } } },
    features: { kind: 'image', height: 2, width: 2, channels: 1, classes: ['a', 'b'] },
    training: {
      optimizer: { name: 'sgd', learningRate: 0.1 },
      loss: 'sparseCategoricalCrossentropy',
      metrics: ['accuracy'],
    },
    aggregation: { clip: 10, weightCap: 1000 },
    cohort: { min: 3 },
    rounds: 1,
    timing: { patience: 5, grace: 0.3, maximum: 20 },
    ...changes,
  });
}
