/** Builds what people build by hand: a coordinator, invited nodes with own keys, pins and policies, all connected. */
import { randomBytes } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ApiClient, createApiClient, splitDigits } from '@tributary/client-sdk';
import { type Plan, planHash } from '@tributary/protocol';
import { nodeCrypto } from '@tributary/protocol/node';
import type { Child, Children } from './children.ts';
import { DROP_ROUND, partnerName, type Victim, victimsOf } from './drop.ts';
import type { DemoOptions } from './options.ts';
import { demoPlan, partnerPolicy } from './plan.ts';
import { pool } from './pool.ts';
import { CLI, ours, SERVER } from './programs.ts';

export const EVALUATOR = 'evaluator';
/** Until all nodes have connected: milliseconds, for each node. */
const CONNECT_MS = 20_000;

export interface Partner {
  readonly name: string;
  readonly folder: string;
  readonly passphrase: string;
}

export interface House {
  readonly folder: string;
  readonly url: string;
  readonly fingerprint: string;
  readonly adminToken: string;
  readonly api: ApiClient;
  readonly plan: Plan;
  readonly partners: readonly Partner[];
  /** Rows of each partner, as dealt. */
  readonly rows: readonly number[];
  readonly victims: readonly Victim[];
}

/** What nodes say while they run. */
export interface NodeListener {
  /** One JSON line of `tributary node start --json`. */
  event(name: string, event: Readonly<Record<string, unknown>>): void;
  killed(name: string): void;
}

export interface Build {
  readonly options: DemoOptions;
  readonly folder: string;
  readonly children: Children;
  readonly cores: number;
  readonly phase: (text: string) => void;
}

/** Deals the digits and writes plan and policies. Refuses what cannot be dealt before anything is started. */
export async function deal({ options, folder, cores }: Omit<Build, 'children' | 'phase'>) {
  const { partners, partition, seed } = options;
  const { partners: parts } = await splitDigits({ partners, out: folder, partition, seed, force: true });
  const rows = parts.map((part) => part.rows);
  const plan = demoPlan(options, Math.max(...rows), cores);
  await rm(join(folder, 'plan.yaml'));
  await writeFile(join(folder, 'plan.json'), `${JSON.stringify(plan, null, 2)}\n`);
  return { rows, plan };
}

export async function build(
  given: Build,
  dealt: Awaited<ReturnType<typeof deal>>,
  listener: NodeListener,
): Promise<House> {
  const { options, folder, children, cores, phase } = given;
  const { plan, rows } = dealt;
  phase('the coordinator starts');
  const server = await startServer(given);
  const api = createApiClient({ url: server.url, token: server.adminToken });
  const names = Array.from({ length: options.partners }, (_, i) => partnerName(i));

  phase(`${names.length} partners and an evaluator make their keys and enrol`);
  const nodes: Partner[] = [...names, EVALUATOR].map((name) => ({
    name,
    folder: join(folder, name),
    passphrase: randomBytes(24).toString('base64url'),
  }));
  const fingerprints = new Map<string, string>();
  await pool(nodes, 2 * cores, async (node) => {
    await writeFile(join(node.folder, 'node.yaml'), nodeFile(node.name, options, planHash(nodeCrypto, plan)));
    const role = node.name === EVALUATOR ? 'evaluator' : 'partner';
    const { invite } = await api.invite({ name: node.name, role, ttl: 3600 });
    const answer = await children.run({
      name: `${node.name} node init`,
      args: [CLI, 'node', 'init', invite, '--dir', node.folder, '--json'],
      env: { TRIBUTARY_PASSPHRASE: node.passphrase },
    });
    fingerprints.set(node.name, (JSON.parse(answer) as { fingerprint: string }).fingerprint);
    if (options.data !== undefined)
      await writeFile(join(node.folder, 'passphrase'), `${node.passphrase}\n`, { mode: 0o600 });
  });

  phase('each partner compares the fingerprints of the others and accepts their keys');
  const partners = nodes.slice(0, -1);
  await pool(partners, 2 * cores, (partner) => acceptOthers(children, partner, names, fingerprints));

  phase('the nodes start and connect');
  const victims = victimsOf(options);
  for (const node of nodes) startNode(children, node, victims, listener);
  await allConnected(api, nodes.length);
  return { folder, ...server, api, plan, partners, rows, victims };
}

async function startServer({ options, folder, children }: Build) {
  const data = join(folder, 'coordinator');
  await mkdir(data, { recursive: true, mode: 0o700 });
  const ready = withResolvers<string>();
  const args = [SERVER, 'start', '--data', data, '--port', String(options.port), '--json'];
  children.start({
    name: 'coordinator',
    args,
    onLine(line) {
      if (line.startsWith('{"url"')) ready.resolve(line);
    },
  });
  const line = await Promise.race([ready.promise, children.failure]);
  const { url, fingerprint, adminToken } = JSON.parse(line) as Record<
    'url' | 'fingerprint' | 'adminToken',
    string
  >;
  if (options.data !== undefined)
    await writeFile(join(folder, 'admin-token'), `${adminToken}\n`, { mode: 0o600 });
  return { url, fingerprint, adminToken };
}

function withResolvers<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

/** By telephone: a key counts only when its owner has said the same fingerprint that the coordinator shows. */
async function acceptOthers(
  children: Children,
  partner: Partner,
  names: readonly string[],
  spoken: ReadonlyMap<string, string>,
): Promise<void> {
  const others = names.filter((name) => name !== partner.name);
  const config = join(partner.folder, 'node.yaml');
  const answer = await children.run({
    name: `${partner.name} node members accept`,
    args: [CLI, 'node', 'members', 'accept', ...others, '--config', config, '--json'],
    env: { TRIBUTARY_PASSPHRASE: partner.passphrase },
  });
  for (const { name, fingerprint } of JSON.parse(answer) as { name: string; fingerprint: string }[])
    if (spoken.get(name) !== fingerprint)
      throw new Error(`The coordinator shows ${partner.name} another key of ${name} than ${name} has.`);
}

function startNode(
  children: Children,
  { name, folder, passphrase }: Partner,
  victims: readonly Victim[],
  listener: NodeListener,
): void {
  const victim = victims.find((each) => each.name === name);
  const command = [CLI, 'node', 'start', '--config', join(folder, 'node.yaml'), '--json'];
  const hold = victim && `${DROP_ROUND}:${victim.when === 'before' ? 'uploading' : 'uploaded'}`;
  const child: Child = children.start({
    name,
    args: victim ? ['--import', ours('hold'), ...command] : command,
    env: { TRIBUTARY_PASSPHRASE: passphrase, ...(hold ? { TRIBUTARY_DEMO_HOLD: hold } : {}) },
    onLine(line) {
      const event = parse(line);
      if (!event) return;
      if (hold === `${event.round}:${event.event}`) {
        child.expected = true;
        child.process.kill('SIGKILL');
        listener.killed(name);
      }
      listener.event(name, event);
    },
  });
}

function parse(line: string): Record<string, unknown> | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return undefined;
  }
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

/** node.yaml: JSON values are YAML too. */
function nodeFile(name: string, options: DemoOptions, plan: string): string {
  const set = name === EVALUATOR ? 'test' : 'train';
  const policy = name === EVALUATOR ? { plans: [{ plan }] } : partnerPolicy(options, plan);
  const rules = Object.entries(policy).map(([rule, value]) => `  ${rule}: ${JSON.stringify(value)}`);
  return [
    `name: ${name}`,
    'state: ./state             # encrypted key, accepted members, ledger',
    'data:                      # paths are relative to this file; the rows never leave this process',
    '  kind: idx',
    `  images: ${set}-images.idx3-ubyte`,
    `  labels: ${set}-labels.idx1-ubyte`,
    'policy:                    # exactly the plan of this demo; anything else is refused',
    ...rules,
    '',
  ].join('\n');
}
