/**
 * Whole rounds of real clients at a real coordinator, in which one message or body is changed on its way: up, as a hostile
 * partner would send it, or down, as a hostile coordinator would, signed again with the key of the one who speaks.
 */
import { join } from 'node:path';
import { createMemoryLedger, FederatedClient, parsePolicy } from '@tributary/client-sdk';
import {
  decodeInvite,
  encodeSafetensors,
  type Identity,
  identityFromSeed,
  sign,
  toHex,
} from '@tributary/protocol';
import { nodeCrypto, nodeRandom } from '@tributary/protocol/node';
import { createApp, createLog } from '@tributary/server';
import { createDice, type Dice } from '../../chaos/random.ts';
import { PATIENT, testPlan } from '../../support/coordinator.ts';
import { trivial } from '../../support/fleet.ts';
import { type Direction, startMiddle, type Tamper } from '../middle.ts';
import { mutateBytes, mutateJson } from '../mutate.ts';
import type { Json, Target } from '../target.ts';

interface Input {
  readonly direction: Direction | 'none';
  readonly type: string;
  /** Which of the three. */
  readonly client: number;
  /** Of the changes. */
  readonly seed: number;
  readonly how: 'change' | 'repeat' | 'drop' | 'reorder';
  readonly signed: boolean;
}

const UP = ['engine', 'consent', 'progress', 'advert', 'shares', 'agree', 'unmask', 'abandon'];
const DOWN = [
  'ready',
  'proposal',
  'announce',
  'roster',
  'cohort',
  'survivors',
  'agreed',
  'published',
  'run-ended',
];
/** Longer than any phase may last without its stragglers. */
const CASE_MS = 4000;
const HONEST_MS = 20_000;
const HASTY = { patience: 1, grace: 0.2, maximum: 5 };
const as = <T>(value: unknown): T => value as T;

export interface RoundTarget extends Target {
  close(): Promise<void>;
}

export async function roundTarget(folder: string): Promise<RoundTarget> {
  const faults: string[] = [];
  const stream = {
    write(line: string) {
      if (faults.length < 20 && /"level":(50|60)|"internal"/.test(line)) faults.push(line.slice(0, 2000));
    },
  };
  const app = await createApp({ folder: join(folder, 'round'), log: createLog('info', stream as never) });
  const { url } = await app.listen({ host: '127.0.0.1', port: 0 });
  const middle = await startMiddle({ url, identity: app.identity });
  let cases = 0;
  let before: Promise<unknown> = Promise.resolve();

  async function call<T>(method: string, path: string, body?: object): Promise<T> {
    const binary = body instanceof Uint8Array;
    const response = await fetch(url + path, {
      method,
      headers: {
        authorization: `Bearer ${app.adminToken}`,
        ...(body && { 'content-type': binary ? 'application/octet-stream' : 'application/json' }),
      },
      ...(body && { body: binary ? Buffer.from(body) : JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`${method} ${path}: ${await response.text()}`);
    return (await response.json()) as T;
  }

  async function enrol(name: string): Promise<Identity> {
    const { invite } = await call<{ invite: string }>('POST', '/v1/partners/invites', { name });
    const { secret } = decodeInvite(invite);
    const identity = identityFromSeed(nodeCrypto, nodeRandom(32));
    const payload = { coordinator: app.identity.id, secret, key: identity.id };
    const signature = sign(nodeCrypto, identity, 'enrol', payload);
    await call('POST', '/v1/enrol', { secret, key: identity.id, signature });
    middle.identities.set(identity.id, identity);
    return identity;
  }

  async function play(input: Input): Promise<string | null> {
    const number = ++cases;
    const seen: string[] = [];
    const identities = await Promise.all([0, 1, 2].map((i) => enrol(`p${number}.${i}`)));
    let over: (how: string) => void = () => {};
    const outcome = new Promise<string>((resolve) => {
      over = resolve;
    });
    const clients = identities.map((identity) => {
      const client = new FederatedClient({
        ...{ coordinator: { url: middle.url, key: app.identity.id }, identity, trainer: trivial },
        policy: parsePolicy({ plans: 'ask', minRoster: 3 }, 'partner'),
        members: identities.map(({ id }) => id),
        ledger: createMemoryLedger(),
        backoff: { minMs: 10, maxMs: 50 },
      });
      for (const type of ['refused', 'warning', 'disconnected'] as const)
        client.on(type, ({ code, message }) => {
          if (code === 'internal') seen.push(`a client says ${type} internal: ${message}`);
        });
      client.on('proposal', ({ planHash }) => client.decide(planHash, 'approved'));
      client.on('published', () => over('published'));
      client.on('abandoned', () => over('abandoned'));
      return client;
    });
    const tamper = tamperWith(input, identities, app.identity);
    for (const { id } of identities) middle.tampers.set(id, tamper);
    try {
      const connected = Promise.all(clients.map((client) => client.connect()));
      connected.catch(() => {});
      const id = await startRun(call, number, input.direction === 'none' ? PATIENT : HASTY);
      const ms = input.direction === 'none' ? HONEST_MS : CASE_MS;
      const timer = setTimeout(() => over('nothing'), ms);
      const how = await outcome;
      clearTimeout(timer);
      if (input.direction === 'none' && how !== 'published') seen.push(`an honest round ended with ${how}`);
      await call('POST', `/v1/runs/${id}/cancel`).catch(() => {});
    } finally {
      for (const client of clients) await client.close();
      for (const { id } of identities) {
        middle.identities.delete(id);
        middle.tampers.delete(id);
      }
    }
    return seen[0] ?? faults.splice(0)[0] ?? null;
  }

  return {
    name: 'round',
    share: 0.5,
    generate(dice) {
      const direction = dice.pick(['up', 'down', 'up', 'down', 'up', 'down', 'get', 'put', 'none'] as const);
      const type = direction === 'up' ? dice.pick(UP) : direction === 'down' ? dice.pick(DOWN) : '';
      const how = dice.pick(['change', 'change', 'change', 'change', 'repeat', 'drop', 'reorder'] as const);
      const client = Math.floor(dice.next() * 3);
      return {
        direction,
        type,
        client,
        how,
        seed: Math.floor(dice.next() * 2 ** 31),
        signed: dice.chance(0.7),
      };
    },
    // One after the other: every run is proposed to all who are connected.
    play(input) {
      const played = before.then(() => play(as<Input>(input)));
      before = played.catch(() => {});
      return played;
    },
    async close() {
      await middle.close();
      await app.close();
    },
  };
}

type Call = <T>(method: string, path: string, body?: object) => Promise<T>;

/** From other weights each time, so that nobody sits out. */
async function startRun(call: Call, number: number, timing: typeof PATIENT): Promise<string> {
  const plan = testPlan({ timing, seed: number });
  const values = new Float32Array(40).fill(number);
  const file = encodeSafetensors({
    tensors: [{ name: 'a/kernel', shape: [40], offset: 0, length: 40 }],
    values,
  });
  const model = toHex(nodeCrypto.sha256(file));
  await call('PUT', `/v1/blobs/${model}`, file);
  return (await call<{ id: string }>('POST', '/v1/runs', { plan, model })).id;
}

/** Changes the first message that is meant, and passes everything else on. */
function tamperWith(input: Input, identities: readonly Identity[], coordinator: Identity): Tamper {
  const victim = identities[input.client]!.id;
  const dice = createDice(input.seed);
  let done = false;
  let held: Json | null = null;
  return {
    message(direction, member, message) {
      const given = as<Json>(message);
      if (held !== null && direction === input.direction && member.id === victim) {
        const before = held;
        held = null;
        return [given, before];
      }
      if (done || direction !== input.direction || member.id !== victim || message.type !== input.type)
        return [given];
      done = true;
      if (input.how === 'drop') return [];
      if (input.how === 'repeat') return [given, given, given];
      if (input.how === 'reorder') {
        held = given;
        return [];
      }
      return [changed(dice, message, input.signed ? (direction === 'up' ? member : coordinator) : null)];
    },
    body(direction, member, bytes) {
      if (done || direction !== input.direction || member !== victim || bytes.length === 0) return bytes;
      done = true;
      return mutateBytes(dice, bytes);
    },
  };
}

const SIGNED = {
  announce: 'announcement',
  roster: 'roster',
  cohort: 'cohort',
  survivors: 'survivors',
} as const;

function changed(dice: Dice, message: { type: string }, signer: Identity | null): Json {
  const fields = as<Record<string, Json>>(message);
  if (!signer) return mutateJson(dice, fields);
  const name = SIGNED[message.type as keyof typeof SIGNED];
  if (name) return signAgain(dice, fields, name, name, signer);
  if (message.type === 'advert')
    return {
      ...fields,
      advert: signAgain(dice, as<Record<string, Json>>(fields.advert), 'advert', 'advert', signer),
    };
  if (message.type === 'shares') {
    const [first, ...rest] = as<Record<string, Json>[]>(fields.deals ?? []);
    if (first) return { ...fields, deals: [signAgain(dice, first, 'deal', 'shares', signer), ...rest] };
  }
  return mutateJson(dice, fields);
}

function signAgain(
  dice: Dice,
  fields: Readonly<Record<string, Json>>,
  name: string,
  domain: Parameters<typeof sign>[2],
  signer: Identity,
): Json {
  const payload = mutateJson(dice, fields[name]!);
  try {
    return { ...fields, [name]: payload, signature: sign(nodeCrypto, signer, domain, payload) };
  } catch {
    // What canonical JSON cannot hold cannot be signed.
    return { ...fields, [name]: payload };
  }
}
