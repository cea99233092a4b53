/** Builds what people build by hand: a coordinator, invited nodes with own keys, pins and policies, all connected. */
import { randomBytes } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ApiClient, createApiClient, momentsPlan } from '@tributary/client-sdk';
import { type Plan, planHash, topologyHash } from '@tributary/protocol';
import { nodeCrypto } from '@tributary/protocol/node';
import type { Children } from './children.ts';
import { datasetOf } from './datasets/index.ts';
import { partnerName, type Victim, victimsOf } from './drop.ts';
import { EVALUATOR, type NodeListener, type Partner, startNode } from './nodes.ts';
import type { DemoOptions } from './options.ts';
import { demoPlan, nodeFile } from './plan.ts';
import { LEASH, SERVER } from './programs.ts';

/** Until all nodes have connected: milliseconds, for every four nodes. */
const CONNECT_MS = 60_000;

export interface House {
  readonly folder: string;
  readonly url: string;
  readonly api: ApiClient;
  readonly plan: Plan;
  /** What is asked first, where partners agree on constants of the plan. */
  readonly asked: Plan | undefined;
  readonly partners: readonly Partner[];
  /** Rows of each partner, as dealt. */
  readonly rows: readonly number[];
  readonly victims: readonly Victim[];
}

export interface Build {
  readonly options: DemoOptions;
  readonly folder: string;
  readonly children: Children;
  readonly cores: number;
  readonly phase: (text: string) => void;
}

/** Deals the rows and makes the plans. Refuses what cannot be dealt before anything is started. */
export async function deal({ options, folder, cores }: Pick<Build, 'options' | 'folder' | 'cores'>) {
  const { partners, partition, seed } = options;
  const dataset = datasetOf(options);
  const rows = await dataset.deal({ partners, out: folder, partition, seed });
  const plan = demoPlan(options, Math.max(...rows), cores);
  const asked = dataset.agrees ? momentsPlan(plan) : undefined;
  // The split's own plan is for runs by hand.
  await rm(join(folder, 'plan.yaml'));
  await writeFile(join(folder, 'plan.json'), `${JSON.stringify(plan, null, 2)}\n`);
  if (asked) await writeFile(join(folder, 'moments.json'), `${JSON.stringify(asked, null, 2)}\n`);
  return { rows, plan, asked };
}

export async function build(
  given: Build,
  { plan, asked, rows }: Awaited<ReturnType<typeof deal>>,
  listener: NodeListener,
): Promise<House> {
  const { options, folder, children, phase } = given;
  phase('the coordinator starts');
  const { url, adminToken } = await startServer(given);
  const api = createApiClient({ url, token: adminToken });
  const names = Array.from({ length: options.partners }, (_, i) => partnerName(i));
  const nodes: Partner[] = [...names, EVALUATOR].map((name) => ({
    name,
    folder: join(folder, name),
    passphrase: randomBytes(24).toString('base64url'),
  }));
  // The constants are not known yet: what partners allow is to agree on them, and then this network.
  const plans = asked
    ? [{ plan: planHash(nodeCrypto, asked) }, { topology: topologyHash(nodeCrypto, plan) }]
    : [{ plan: planHash(nodeCrypto, plan) }];
  const victims = victimsOf(options);

  phase(`${names.length} partners and an evaluator make their keys and enrol`);
  const started = await Promise.all(
    nodes.map(async (node) => {
      const { name } = node;
      await writeFile(join(node.folder, 'node.yaml'), nodeFile(name, options, plans));
      if (options.data !== undefined) await writeSecret(join(node.folder, 'passphrase'), node.passphrase);
      const role = name === EVALUATOR ? 'evaluator' : 'partner';
      const { invite } = await api.invite({ name, role, ttl: 3600 });
      const victim = victims.find((each) => each.name === name);
      return startNode(children, node, victim, invite, listener);
    }),
  );

  phase('each partner compares the fingerprints of the others, accepts their keys and connects');
  const fingerprints = Object.fromEntries(
    started.slice(0, -1).map(({ name, fingerprint }) => [name, fingerprint]),
  );
  for (const { name, goOn } of started) goOn({ fingerprints: name === EVALUATOR ? {} : fingerprints });
  await allConnected(api, nodes.length);
  return { folder, url, api, plan, asked, partners: nodes.slice(0, -1), rows, victims };
}

async function startServer({ options, folder, children }: Build) {
  const data = join(folder, 'coordinator');
  await mkdir(data, { recursive: true, mode: 0o700 });
  const line = await new Promise<string>((resolve) => {
    children.start({
      name: 'coordinator',
      args: ['--import', LEASH, SERVER, 'start', '--data', data, '--port', String(options.port), '--json'],
      onLine: (text) => text.startsWith('{"url"') && resolve(text),
      keepOut: (text) => text.startsWith('{"url"'),
    });
  });
  const { url, adminToken } = JSON.parse(line) as { url: string; adminToken: string };
  if (options.data !== undefined) await writeSecret(join(folder, 'admin-token'), adminToken);
  return { url, adminToken };
}

function writeSecret(path: string, secret: string): Promise<void> {
  return writeFile(path, `${secret}\n`, { mode: 0o600 });
}

async function allConnected(api: ApiClient, wanted: number): Promise<void> {
  const until = Date.now() + CONNECT_MS * Math.max(1, wanted / 4);
  for (;;) {
    const nodes = await api.partners();
    const missing = nodes.filter(({ connected }) => !connected).map(({ name }) => name);
    if (missing.length === 0 && nodes.length === wanted) return;
    if (Date.now() > until) throw new Error(`${missing.join(', ')} did not connect in time.`);
    await sleep(100);
  }
}
