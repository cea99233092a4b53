import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { RunEvent } from '@tributary/protocol';
import { afterEach, describe, expect, it } from 'vitest';
import { type ApiClient, createApiClient } from './api-client.ts';

let server: Server | undefined;

/** Something that answers as no coordinator would; the real one is asked in test/cli.test.ts. */
async function answering(listener: RequestListener): Promise<ApiClient> {
  server = createServer(listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return createApiClient({
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    token: 'secret-token',
  });
}

afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

describe('the API client', () => {
  it('passes a Problem on as it came', async () => {
    const problem = { code: 'forbidden', message: 'Needs operator.', remedy: 'Ask ada.', retryable: false };
    const api = await answering((_, response) => response.writeHead(403).end(JSON.stringify(problem)));
    await expect(api.runs()).rejects.toMatchObject({
      code: 'forbidden',
      message: 'Needs operator.',
      remedy: 'Ask ada.',
    });
  });

  it('refuses an answer that does not fit its schema, and names the field', async () => {
    const api = await answering((_, response) => response.end('[{"name":"a","role":"king","created":1}]'));
    await expect(api.tokens()).rejects.toMatchObject({
      code: 'unsupported-version',
      message: expect.stringMatching(/GET \/v1\/tokens.*0\.role/),
    });
  });

  it('refuses a blob that does not hash to its name', async () => {
    const api = await answering((_, response) => response.end('other bytes'));
    await expect(api.getBlob('0'.repeat(64))).rejects.toMatchObject({ code: 'hash-mismatch' });
  });

  it('takes a gateway that has lost the coordinator for an absence, not for a fault', async () => {
    const api = await answering((_, response) => response.writeHead(502).end('<html>'));
    await expect(api.runs()).rejects.toMatchObject({ code: 'unavailable', retryable: true });
  });

  it('cannot be led to another path by a name', async () => {
    let path = '';
    const api = await answering((request, response) => {
      path = request.url!;
      response.end();
    });
    await api.revokeToken('../runs?x=#y');
    expect(path).toBe('/v1/tokens/..%2Fruns%3Fx%3D%23y');
  });

  it('stops a request when it is interrupted', async () => {
    const controller = new AbortController();
    server = createServer(() => controller.abort());
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const api = createApiClient({ url, signal: controller.signal });
    await expect(api.runs()).rejects.toMatchObject({ name: 'AbortError' });
  });
});

describe('the event stream', () => {
  const event = (seq: number): RunEvent => ({
    seq,
    time: 1,
    kind: 'phase',
    round: 1,
    attempt: 1,
    data: { phase: 'é' },
  });
  const line = (seq: number) => Buffer.from(`${JSON.stringify(event(seq))}\n`);

  async function collect(api: ApiClient): Promise<RunEvent[]> {
    const events: RunEvent[] = [];
    for await (const each of api.events('run', 0)) events.push(each);
    return events;
  }

  it('survives cuts inside lines and inside characters, empty lines, and a last line that is not whole', async () => {
    const whole = Buffer.concat([line(1), Buffer.from('\n\n'), line(2), line(3).subarray(0, 30)]);
    const api = await answering(async (_, response) => {
      for (const byte of whole) {
        response.write(Buffer.of(byte));
        await new Promise(setImmediate);
      }
      response.end();
    });
    expect(await collect(api)).toEqual([event(1), event(2)]);
  });

  it('gives every event at once, not when the run ends', async () => {
    const api = await answering((_, response) => response.write(line(1)));
    const events = api.events('run', 0);
    expect((await events.next()).value).toEqual(event(1));
    await events.return(undefined);
  });

  it('says that the coordinator is away when the connection breaks', async () => {
    const api = await answering((_, response) => {
      response.write(line(1));
      setTimeout(() => response.destroy(), 20);
    });
    await expect(collect(api)).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('refuses a line that is no event', async () => {
    const api = await answering((_, response) => response.end('{"hello":1}\n'));
    await expect(collect(api)).rejects.toMatchObject({ code: 'unsupported-version' });
  });

  it('asks for what comes after the last event', async () => {
    let path = '';
    const api = await answering((request, response) => {
      path = request.url!;
      response.end();
    });
    for await (const _ of api.events('a b', 7)) throw new Error('unexpected event');
    expect(path).toBe('/v1/runs/a%20b/events?after=7');
  });
});
