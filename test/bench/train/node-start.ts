/** From `tributary node start` to the first session, as a process: engine, self-test and speed class included. */
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { enrol } from '@tributary/client-sdk';
import type { InviteResponse } from '@tributary/protocol';
import { startTestCoordinator } from '../../support/coordinator.ts';
import { median, type Result } from '../report.ts';

const CLI = join(import.meta.dirname, '../../../../client-sdk/bin/tributary.js');
const PASSPHRASE = 'only for this bench';
const STARTS = 5;
const GOAL_MS = 1500;

const NODE_YAML = `\
name: partner
state: ./state
data: { kind: csv, path: data.csv }
policy: { plans: ask }
`;

export async function measureStart(): Promise<Result> {
  const coordinator = await startTestCoordinator();
  const folder = await mkdtemp(join(tmpdir(), 'tributary-bench-'));
  try {
    const request = { name: 'partner', role: 'partner' };
    const { body } = await coordinator.call('POST', '/v1/partners/invites', request);
    const { invite } = body as InviteResponse;
    await enrol({ invite, folder: join(folder, 'state'), passphrase: PASSPHRASE });
    await writeFile(join(folder, 'node.yaml'), NODE_YAML);
    await writeFile(join(folder, 'data.csv'), 'x,label\n1,a\n2,b\n');
    const times: number[] = [];
    for (let i = 0; i < STARTS; i++) times.push(await startToReady(folder));
    const value = median(times);
    return {
      name: 'start of a node on wasm',
      ...{ value, unit: 'ms', floor: null, ratio: null, goal: `<= ${GOAL_MS} ms`, met: value <= GOAL_MS },
      note: `process start to first session, median of ${STARTS}; opening the key with scrypt included`,
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
    await coordinator.close();
  }
}

async function startToReady(folder: string): Promise<number> {
  const started = performance.now();
  const args = [CLI, 'node', 'start', '--config', join(folder, 'node.yaml'), '--engine', 'wasm', '--json'];
  const env = { PATH: process.env.PATH, TRIBUTARY_PASSPHRASE: PASSPHRASE };
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise((resolve) => child.once('close', resolve));
  let ready: number | null = null;
  for await (const line of createInterface({ input: child.stdout })) {
    if (!line.includes('"connected"')) continue;
    ready = performance.now() - started;
    child.kill('SIGINT');
  }
  await ended;
  if (ready === null) throw new Error('The node ended before its first session.');
  return ready;
}
