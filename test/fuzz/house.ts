/**
 * What is attacked: a real coordinator in a process of its own, three honest clients that train round after round meanwhile,
 * and enrolled partners in the hands of the fuzzer, three of which keep an attempt of theirs open.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type ApiClient, createApiClient } from '@tributary/client-sdk';
import {
  decodeInvite,
  encodeSafetensors,
  hashStatement,
  type Identity,
  identityFromSeed,
  type Plan,
  parsePlan,
  sign,
} from '@tributary/protocol';
import { nodeCrypto, nodeRandom } from '@tributary/protocol/node';
import { testPlan } from '../support/coordinator.ts';
import { residentNow } from '../support/processes.ts';
import { openSession, type RawSession } from '../support/raw-partner.ts';
import { type Control, startControl } from './control.ts';

const SCRIPT = fileURLToPath(new URL('../bin/tributary-server.js', import.meta.resolve('@tributary/server')));
/** Each may open two sessions a second; a fuzzer wants more. */
const MALLORIES = { few: 8, many: 24 };
const KEEPERS = 3;

export interface Measure {
  readonly rss: number;
  readonly files: number;
}

export interface House {
  readonly url: string;
  readonly port: number;
  readonly key: string;
  readonly api: ApiClient;
  readonly token: string;
  readonly control: Control;
  /** In the fuzzer's hands. */
  readonly mallories: readonly Identity[];
  /** What is true now, by the name that inputs have for it. */
  facts(): Readonly<Record<string, string>>;
  /** Opens another run for the fuzzer when the last one failed. */
  refresh(): Promise<void>;
  alive(): boolean;
  measure(): Measure;
  /** What the process logged that it must not, and its end. */
  faults(): readonly string[];
  close(): Promise<void>;
}

export async function openHouse(folder: string, size: keyof typeof MALLORIES): Promise<House> {
  const faults: string[] = [];
  const { child, facts: started } = await spawnCoordinator(join(folder, 'coordinator'), faults);
  const { url, key, adminToken: token } = started;
  const api = createApiClient({ url, token });
  const enrol = (name: string) => enrolOne(api, url, key, name);
  const control = await startControl(api, { url, key }, enrol);
  const mallories: Identity[] = [];
  for (let i = 0; i < MALLORIES[size]; i++) mallories.push(await enrol(`mallory-${i}`));
  const keepers: RawSession[] = [];
  const bait = { run: '', plan: '', attempt: '0'.repeat(64), seed: 0 };
  for (const identity of mallories.slice(0, KEEPERS)) {
    const session = await openSession(url, identity, key);
    keepers.push(session);
    follow(session, bait);
  }

  async function refresh(): Promise<void> {
    if (bait.run !== '') {
      const { status } = await api.run(bait.run);
      if (status !== 'failed' && status !== 'cancelled' && status !== 'done') return;
    }
    const values = new Float32Array(50).fill(++bait.seed);
    const tensor = { name: 'a/kernel', shape: [50], offset: 0, length: 50 };
    const model = await api.putBlob(encodeSafetensors({ tensors: [tensor], values }));
    const { id, plan } = await api.startRun({ plan: baitPlan(bait.seed), model });
    Object.assign(bait, { run: id, plan });
    for (const session of keepers)
      if (session.socket.readyState === 1) session.send({ type: 'consent', run: id, plan });
  }
  await refresh();

  return {
    ...{ url, key, api, token, control, mallories, refresh },
    port: Number(new URL(url).port),
    facts: () => ({
      run: bait.run,
      plan: bait.plan,
      attempt: bait.attempt,
      honest: control.attempt(),
      key,
      zero: '0'.repeat(64),
    }),
    alive: () => child.exitCode === null && child.signalCode === null,
    measure() {
      // Of a process that died nothing can be measured; its end is a fault of its own.
      if (child.exitCode !== null || child.signalCode !== null) return { rss: 0, files: 0 };
      return { rss: residentNow(child.pid!), files: readdirSync(`/proc/${child.pid}/fd`).length };
    },
    faults: () => [...faults, ...control.faults()],
    async close() {
      await control.close();
      for (const { socket } of keepers) socket.terminate();
      child.removeAllListeners('exit');
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, 'exit');
      child.kill('SIGTERM');
      await gone;
    },
  };
}

async function spawnCoordinator(data: string, faults: string[]) {
  const words = ['start', '--data', data, '--port', '0', '--json', '--log-level', 'info'];
  const child: ChildProcess = spawn(process.execPath, [SCRIPT, ...words], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  child.on('exit', (code, signal) => faults.push(`the coordinator ended with ${code ?? signal}`));
  createInterface({ input: child.stderr! }).on('line', (line) => {
    // pino: 50 is error. Two of each are enough to see what it is.
    const fault = /"level":(50|60)|"internal"|nhandled/.test(line) || !line.startsWith('{');
    if (fault && faults.length < 20) faults.push(line.slice(0, 2000));
  });
  const [first] = await once(createInterface({ input: child.stdout! }), 'line');
  return { child, facts: JSON.parse(first) as { url: string; key: string; adminToken: string } };
}

async function enrolOne(api: ApiClient, url: string, key: string, name: string): Promise<Identity> {
  const { secret } = decodeInvite((await api.invite({ name })).invite);
  const identity = identityFromSeed(nodeCrypto, nodeRandom(32));
  const signature = sign(nodeCrypto, identity, 'enrol', { coordinator: key, secret, key: identity.id });
  const response = await fetch(`${url}/v1/enrol`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ secret, key: identity.id, signature }),
  });
  if (!response.ok) throw new Error(await response.text());
  return identity;
}

/** Consents once and for all, and never answers: the attempt stays open for the fuzzer's messages. */
async function follow(session: RawSession, bait: { attempt: string }): Promise<void> {
  for (;;) {
    const { announcement } = await session.next('announce');
    bait.attempt = hashStatement(nodeCrypto, 'announcement', announcement);
  }
}

function baitPlan(seed: number): Plan {
  return parsePlan({
    ...testPlan({ timing: { patience: 600, grace: 600, maximum: 3600 } }),
    name: 'bait',
    cohort: { min: KEEPERS, max: 8 },
    seed,
  });
}
