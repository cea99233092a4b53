/** A coordinator that talks without end, or asks without end and reads no answer. */
import { identityFromSeed, LIMITS, type ServerMessage } from '@tributary/protocol';
import { nodeCrypto, nodeRandom } from '@tributary/protocol/node';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type Connection, connect } from './connection.ts';
import { createPace, createReading } from './reading.ts';
import { READY, type ScriptedServer, startScriptedServer } from './scripted-server.ts';

const identity = identityFromSeed(nodeCrypto, nodeRandom(32));

describe('a real session', () => {
  const REFUSED: ServerMessage = { type: 'refused', of: 'advert', code: 'late', reason: 'x' };
  let server: ScriptedServer;
  let connection: Connection;
  let taken = 0;
  let backlog = 0;
  const downs: string[] = [];

  beforeEach(async () => {
    taken = backlog = downs.length = 0;
    server = await startScriptedServer();
  });
  afterEach(async () => {
    connection.close();
    await server.close();
  });

  function flood(count: number): void {
    server.script = {
      session({ socket, channel }) {
        socket.send(channel.seal(READY));
        for (let i = 0; i < count; i++) socket.send(channel.seal(REFUSED));
      },
    };
    connection = connect({
      ...{ url: server.url, identity, coordinator: server.identity.id },
      message: () => taken++,
      backlog: () => backlog,
      down: ({ code }) => downs.push(code),
    });
  }
  const aWhile = () => new Promise((resolve) => setTimeout(resolve, 200));

  test('a flood of messages waits at the end of who sends it', async () => {
    flood(20_000);
    await expect.poll(() => taken, { timeout: 10_000 }).toBeGreaterThan(3000);
    await aWhile();
    expect(taken).toBeLessThan(15_000);
    expect(downs).toEqual([]);
  });

  test('nothing more is read while this node has not taken up what came, and nothing is lost', async () => {
    backlog = 17;
    flood(2000);
    await expect.poll(() => taken).toBeGreaterThan(0);
    await aWhile();
    expect(taken).toBeLessThan(2001);
    backlog = 0;
    await expect.poll(() => taken, { timeout: 10_000 }).toBe(2001);
    expect(downs).toEqual([]);
  });
});

describe('reading', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  function setUp(rate = { perSecond: 10, burst: 5 }) {
    const log: string[] = [];
    const socket = {
      bufferedAmount: 0,
      pause: () => void log.push('pause'),
      resume: () => void log.push('resume'),
    };
    const pace = createPace(rate, Date.now);
    const reading = createReading(
      socket,
      pace,
      () => 0,
      () => void log.push('alive'),
    );
    return { log, socket, pace, reading };
  }

  test('answers that are not read: no further, and that is the silence of the coordinator', () => {
    const { log, socket, reading } = setUp();
    socket.bufferedAmount = 2 * LIMITS.controlFrame + 1;
    reading.heard();
    vi.advanceTimersByTime(60_000);
    expect(log).toEqual(['pause']);
    // A slow link is no silence.
    socket.bufferedAmount -= 1;
    vi.advanceTimersByTime(20);
    expect(log).toEqual(['pause', 'alive', 'resume']);
  });

  test('who is faster than the rate is read at the rate, in the next session too', () => {
    const { log, reading, pace } = setUp();
    for (let i = 0; i < 25; i++) reading.heard();
    expect(log).toEqual(['pause']);
    expect(pace.wait()).toBe(2000);
    vi.advanceTimersByTime(1990);
    expect(log).not.toContain('resume');
    vi.advanceTimersByTime(40);
    expect(log.at(-1)).toBe('resume');
    reading.heard();
    expect(log.at(-1)).toBe('pause');
    reading.stop();
    vi.advanceTimersByTime(60_000);
    expect(log.at(-1)).toBe('pause');
  });
});
