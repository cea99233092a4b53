/**
 * One partner under fire, as a process of its own: enrols, accepts the others, and is the real node from then on, with a
 * trainer that moves the model in a way that is new in each attempt. Killed in between, it goes on where it was.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  acceptMember,
  enrol,
  type FederatedClient,
  listMembers,
  loadEnrolment,
  loadIdentity,
  loadNodeConfig,
  loadPinned,
  startNode,
  type Trainer,
} from '@tributary/client-sdk';
import { asTributaryError, fromHex, type Identity, type Plan, toHex, utf8 } from '@tributary/protocol';
import { nodeCrypto } from '@tributary/protocol/node';
import { openNodeLog, vectorPath } from './log.ts';
import { type LocalUpdate, quantised } from './vector.ts';

const PASSPHRASE = 'correct horse battery';
const [folder = '', invite = '', names = ''] = process.argv.slice(2);
const state = join(folder, 'state');

/** What was trained for attempts that are under way, by the hash of their announcement. */
const updates = new Map<string, { plan: Plan; weights: string; update: LocalUpdate }>();
/** The seed of an attempt, hex, to the hash of its announcement. */
const attempts = new Map<string, string>();

const trainer: Trainer = {
  engine: 'chaos',
  speed: 'fast',
  async train({ plan, weights, seed, onProgress }) {
    const id = attempts.get(toHex(seed)) ?? '';
    const drift = new DataView(seed.buffer, seed.byteOffset).getUint16(0) / 2 ** 16;
    const base = weights.values.slice();
    const values = base.map((value, i) => value + 0.002 * Math.sin(i * (1 + drift)));
    const samples = 100 + Math.floor(800 * drift);
    const result = { samples, loss: 1 + drift, holdout: { count: 10, loss: 0.5 + drift, metrics: {} } };
    onProgress?.(1);
    const bytes = new Uint8Array(base.buffer, base.byteOffset, base.byteLength);
    const update = { base, values: values.slice(), ...result };
    updates.set(id, { plan, weights: toHex(nodeCrypto.sha256(bytes)), update });
    return { values, ...result };
  },
  evaluate: async () => ({ count: 1, loss: 0, metrics: {} }),
  close: async () => {},
};

/** Everything that leaves is written down before it does: listeners run before the next effect. */
function writeDown(client: FederatedClient, identity: Identity): void {
  const log = openNodeLog(folder);
  client.on('announced', ({ id, run, round, attempt }) => {
    const seed = nodeCrypto.hkdf(identity.seed, fromHex(id), utf8('tributary/1/training'), 32);
    attempts.set(toHex(seed), id);
    log({ type: 'announced', id, run, round, attempt });
  });
  client.on('cohort', ({ id, members }) => {
    const trained = updates.get(id);
    if (!trained) throw new Error(`Nothing was trained for ${id}.`);
    const words = quantised(trained.plan, trained.update, members.length);
    writeFileSync(vectorPath(folder, id), new Uint8Array(words.buffer));
    log({ type: 'vector', id, members: members.length, weights: trained.weights });
  });
  client.on('uploading', ({ id, sha256 }) => log({ type: 'uploading', id, sha256 }));
  client.on('uploaded', ({ id, sha256 }) => log({ type: 'uploaded', id, sha256 }));
  client.on('published', ({ run, round, model, transcript }) =>
    log({ type: 'published', run, round, model, transcript }),
  );
  client.on('abandoned', ({ id, code, reason }) => {
    updates.delete(id);
    log({ type: 'abandoned', id, code, message: reason });
  });
  client.on('refused', ({ place, code, message }) => {
    if (place) log({ type: 'left', id: place.id, code, message });
  });
  client.on('connected', () => process.stdout.write('connected\n'));
  client.on('disconnected', ({ code, message, final }) => {
    process.stdout.write(`disconnected: ${code}: ${message}\n`);
    if (final) process.exit(1);
  });
  client.on('warning', ({ code, message }) => void process.stdout.write(`warning: ${code}: ${message}\n`));
}

/** Again and again while the coordinator is away. */
async function persist<T>(call: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await call();
    } catch (thrown) {
      if (!asTributaryError(thrown).retryable) throw thrown;
      await sleep(100);
    }
  }
}

/** Enrols, and accepts `names`, unless an earlier life of this node has done so. */
async function join_(invite: string, names: readonly string[]): Promise<Identity> {
  const enrolled = await loadEnrolment(state).catch(() => null);
  if (!enrolled) await persist(() => enrol({ invite, folder: state, passphrase: PASSPHRASE }));
  const identity = await loadIdentity(state, PASSPHRASE);
  // An evaluator is given no names: it is in no sum.
  while ((await loadPinned(state)).length < names.length - 1) {
    for (const { name, key, status } of await persist(() => listMembers({ folder: state, identity })))
      if (names.includes(name) && status !== 'self') await acceptMember(state, name, { key });
    await sleep(100);
  }
  return identity;
}

async function main(): Promise<void> {
  process.channel?.ref();
  mkdirSync(join(folder, 'vectors'), { recursive: true });
  const identity = await join_(invite, names === '' ? [] : names.split(','));
  const config = await loadNodeConfig(join(folder, 'node.yaml'));
  const prepare = (client: FederatedClient) => writeDown(client, identity);
  await startNode({ config, passphrase: PASSPHRASE, trainer, prepare });
}

main().catch((thrown) => {
  const { code, message } = asTributaryError(thrown);
  process.stderr.write(`${code}: ${message} ${code === 'internal' ? (thrown as Error).stack : ''}\n`);
  process.exit(1);
});
