/** Strangers on the network against the coordinator's real process: whatever they send or break off, it lives on. */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type CoordinatorProcess, startCoordinator } from './support/processes.ts';

let folder: string;
let coordinator: CoordinatorProcess;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tributary-attack-'));
  coordinator = await startCoordinator(folder);
});
afterAll(async () => {
  await coordinator.stop();
  await rm(folder, { recursive: true, force: true });
});

/** Sends `text` and resets the connection after `wait` milliseconds. */
async function sendAndReset(text: string, wait: number): Promise<void> {
  const socket = connect(Number(new URL(coordinator.url).port), '127.0.0.1');
  socket.on('error', () => {});
  await once(socket, 'connect');
  socket.write(text);
  await sleep(wait);
  socket.resetAndDestroy();
}

it.each(['/v1/nothing', '/v1/session'])(
  'an upgrade of %s whose connection is reset at once does not end the process',
  async (path) => {
    const upgrade = `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`;
    for (let i = 0; i < 40; i++) await sendAndReset(upgrade, i % 3);
    const answer = await fetch(`${coordinator.url}/readyz`);
    expect(answer.status).toBe(200);
  },
);
