/** A coordinator and its partners, set up while they are being killed: every step is tried again until it is done. */
import { mkdirSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type ApiClient, createApiClient } from '@tributary/client-sdk';
import { decodeInvite, encodeInvite } from '@tributary/protocol';
import { SERVER } from '../demo/programs.ts';
import type { FaultProxy } from '../support/faults.ts';
import { startFaultProxy } from '../support/faults.ts';
import type { Arsenal, Tool } from './arsenal.ts';
import { createPart, launch, type Part } from './parts.ts';
import { REFEREE } from './plan.ts';
import type { Dice } from './random.ts';
import type { Tally } from './tally.ts';

const NODE = fileURLToPath(new URL('./node.js', import.meta.url));
/** Nobody waits for anything longer: milliseconds. */
const READY_MS = 60_000;
/** After it is resumed: milliseconds. */
const EXCUSED_MS = 5000;
const TOOL_TRIES = 20;
const RENEW = '--new-admin-token';

export interface House {
  readonly coordinator: Part;
  readonly nodes: readonly Part[];
  readonly proxies: readonly FaultProxy[];
  /** Where the coordinator's data are now. */
  readonly data: string;
  /** From the next start on. */
  move(data: string): void;
  /** One of these tools, again and again until it is done, however often it is killed. @param again before each try */
  tool(side: Tool, args: readonly string[], again?: () => void): Promise<void>;
  /** This partner may end by itself, as it is suspended. */
  excuse(name: string): void;
  /** No longer, after a while. */
  expect(name: string): void;
  /** By node, without the evaluator. */
  readonly folders: ReadonlyMap<string, string>;
  readonly url: string;
  api(): ApiClient;
  /** Whether every node has a session. */
  whole(): boolean;
  /** Tries until the coordinator answers. */
  persist<T>(what: string, call: (api: ApiClient) => Promise<T>): Promise<T>;
  /** `tributary-server check` on the running coordinator. @returns what it says when it is not content */
  check(): Promise<string | null>;
  close(): Promise<void>;
}

export interface HouseOptions {
  readonly folder: string;
  readonly nodes: number;
  readonly dice: Dice;
  readonly arsenal: Arsenal;
  readonly tally: Tally;
  readonly kills: number;
  /** So many of them while setting up. */
  readonly setUpKills: number;
  readonly phase: (text: string) => void;
}

export async function buildHouse(options: HouseOptions): Promise<House> {
  const { folder, dice, arsenal, tally } = options;
  const logs = join(folder, 'logs');
  mkdirSync(logs, { recursive: true });
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  let token = '';
  /** Names of those that were connected, or listening, once. */
  const up = new Set<string>();
  /** Nodes that have a session now. */
  const connected = new Set<string>();
  const excused = new Set<string>();
  const arm = (side: 'coordinator' | 'node', name: string) => {
    const ready = side === 'node' ? up.has(name) : up.size > options.nodes + 1;
    const most = ready ? options.kills : options.setUpKills;
    if (tally.kills() < most && !(ready && side === 'node' && (tally.sated() || tally.thinned(name))))
      return arsenal.arm(side, ready ? 'running' : 'setting-up', name);
    return arsenal.disarm(name);
  };
  const hooks = (side: 'coordinator' | 'node', name: string) => ({
    arm: () => arm(side, name),
    died(how: 'at a crash point' | 'at random', point: string | undefined) {
      connected.delete(name);
      if (point) arsenal.note(name, point);
      tally.killed(side, how, name);
    },
    fault: (text: string) => {
      connected.delete(name);
      if (!excused.has(name)) tally.violation(text);
    },
    pause: () => dice.between(0, 400),
    line: (line: string) => heard(name, line),
  });
  function heard(name: string, line: string): void {
    if (line.startsWith('disconnected')) connected.delete(name);
    if (line === 'connected') {
      up.add(name);
      connected.add(name);
    }
    if (name !== 'coordinator' || !line.startsWith('{"url"')) return;
    up.add(name);
    const { adminToken } = JSON.parse(line) as { adminToken: string | null };
    if (!adminToken) return;
    token = adminToken;
    if (words.at(-1) === RENEW) words.pop();
  }

  let data = join(folder, 'coordinator');
  const words = [SERVER, 'start', '--data', data, '--port', String(port), '--json', '--log-level', 'info'];
  const log = join(logs, 'coordinator.log');
  const coordinator = createPart('coordinator', words, log, hooks('coordinator', 'coordinator'));
  const api = () => createApiClient({ url, token });

  async function persist<T>(what: string, call: (api: ApiClient) => Promise<T>): Promise<T> {
    const end = Date.now() + READY_MS;
    for (;;) {
      try {
        return await call(api());
      } catch (thrown) {
        const { retryable = true, message } = thrown as { retryable?: boolean; message: string };
        if (!retryable || Date.now() > end) throw new Error(`${what}: ${message}`);
        await sleep(50);
      }
    }
  }

  async function tool(side: Tool, args: readonly string[], again = () => {}): Promise<void> {
    for (let tries = 0; tries < TOOL_TRIES; tries++) {
      again();
      const armed = tally.kills() < options.kills ? arsenal.arm(side, 'running', side) : undefined;
      const life = await launch(side, [SERVER, side, ...args], armed, log).ended;
      arsenal.disarm(side);
      if (life.code === 0) return;
      if (life.point) {
        arsenal.note(side, life.point);
        tally.killed('tool', 'at a crash point', side);
      } else if (!/already-running|unavailable/.test(life.words)) {
        throw new Error(`${side} ${args.join(' ')}: ${life.words}`);
      }
      await sleep(200);
    }
    throw new Error(`${side} ${args.join(' ')} never came to its end.`);
  }

  options.phase('setting up');
  coordinator.start();
  for (const end = Date.now() + READY_MS; token === ''; await sleep(20)) {
    if (Date.now() > end) throw new Error('No admin token was ever printed.');
    if (!up.has('coordinator') || words.includes(RENEW)) continue;
    // Killed between the token's row and its print: nobody knows it. What an operator would do.
    words.push(RENEW);
    coordinator.kill();
  }
  const partners = Array.from({ length: options.nodes }, (_, i) => `partner-${i + 1}`);
  const names = [...partners, REFEREE];
  const homes = new Map(names.map((name) => [name, join(folder, name)]));
  const nodes: Part[] = [];
  const proxies: FaultProxy[] = [];
  for (const [name, home] of homes) {
    mkdirSync(home);
    writeFileSync(join(home, 'node.yaml'), nodeFile(name));
    const proxy = await startFaultProxy({ to: { host: '127.0.0.1', port } });
    proxies.push(proxy);
    const { invite } = await persist(`inviting ${name}`, (people) =>
      people.invite({ name, role: roleOf(name) }),
    );
    const reached = { ...decodeInvite(invite), url: `http://127.0.0.1:${proxy.port}` };
    const args = [NODE, home, encodeInvite(reached), name === REFEREE ? '' : partners.join(',')];
    const node = createPart(name, args, join(logs, `${name}.log`), hooks('node', name));
    nodes.push(node);
    node.start();
  }
  for (const end = Date.now() + READY_MS; !names.every((name) => up.has(name)); await sleep(20))
    if (Date.now() > end) throw new Error(`Not all nodes have connected, only ${[...up.keys()].join(', ')}.`);
  return {
    coordinator,
    nodes,
    proxies,
    folders: new Map([...homes].filter(([name]) => name !== REFEREE)),
    get data() {
      return data;
    },
    move(to) {
      words[words.indexOf(data)] = to;
      data = to;
    },
    tool,
    excuse: (name) => void excused.add(name),
    expect: (name) => void setTimeout(() => excused.delete(name), EXCUSED_MS).unref(),
    url,
    api,
    whole: () => connected.size === nodes.length,
    persist,
    async check() {
      const { code, words } = await launch('check', [SERVER, 'check', '--data', data], undefined, log).ended;
      return code === 0 ? null : words;
    },
    async close() {
      await Promise.all(nodes.map((node) => node.stop('SIGTERM')));
      await coordinator.stop('SIGTERM');
      await Promise.all(proxies.map((proxy) => proxy.close()));
    },
  };
}

const roleOf = (name: string) => (name === REFEREE ? ('evaluator' as const) : ('partner' as const));

/** The trainer is put in by node.ts; a node without data names one. */
function nodeFile(name: string): string {
  const policy =
    name === REFEREE ? '{ rotation: follow }' : '{ plans: ask, minRoster: 4, minSum: 3, rotation: follow }';
  return `name: ${name}\nstate: state\ntrainer: { command: [none] }\npolicy: ${policy}\n`;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
