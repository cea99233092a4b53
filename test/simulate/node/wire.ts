/** HTTP as a node sees it, under `connection/bulk.ts`: requests and answers get lost, late, or break off in the middle. */
import { Readable } from 'node:stream';
import type { Wire } from '@tributary/client-sdk/parts';
import { asTributaryError, TributaryError } from '@tributary/protocol';
import type { CoordinatorProcess, Running } from '../coordinator/coordinator-process.ts';
import type { Faults } from '../faults/table.ts';
import { answerOf, type Life } from '../process.ts';
import type { World } from '../world.ts';

type Request = Parameters<Wire['send']>[0];

export interface NodeWire extends Wire {
  /** The process is gone, or its machine. */
  cut(): void;
}

/** What an honest node and an honest coordinator never say to each other's transfers. */
const WRONG: readonly string[] = [
  'internal',
  'malformed',
  'too-large',
  'hash-mismatch',
  'conflict',
  'wrong-offset',
];
/** Pieces of a body: at most. */
const PIECES = 4;

export function createWire(
  world: World,
  index: number,
  born: Life,
  coordinator: CoordinatorProcess,
  faults: Faults,
): NodeWire {
  const { ports, dice, timeline, oracle } = world;
  const member = world.everybody[index]!.id;
  const bodies = new Set<Readable>();
  const gone = (): TributaryError => new TributaryError('unavailable', 'The connection broke.');

  async function putBody(
    running: Running,
    { url, body = new Uint8Array(0), headers }: Request,
    most: number,
  ) {
    const stream = new Readable({ read() {} });
    stream.on('error', () => {});
    bodies.add(stream);
    const update = { attempt: attemptOf(url), member, sha256: headers!.authorization! };
    const offset = Number(url.searchParams.get('offset') ?? 0);
    const answer = running.transfers.put(update, offset, body.length, stream);
    answer.catch(() => {});
    await ports.call(born, 'bulk.upload', (torn) => {
      if (torn) stream.push(Buffer.from(body.subarray(0, body.length >> 1)));
    });
    const end = Math.min(most, body.length);
    const pieces = 1 + dice.below(PIECES);
    for (let piece = 0; piece < pieces; piece++) {
      const [from, to] = [(piece * end) / pieces, ((piece + 1) * end) / pieces].map(Math.floor);
      stream.push(Buffer.from(body.subarray(from, to)));
      await ports.pause(born, dice.between(0, 30));
    }
    bodies.delete(stream);
    if (end < body.length) {
      stream.destroy();
      throw gone();
    }
    stream.push(null);
    await answer;
    return new Uint8Array(0);
  }

  async function getBlob(running: Running, { url, headers, into }: Request, most: number) {
    await ports.call(born, 'bulk.download', () => undefined);
    const whole = await running.transfers.blob(member, url.pathname.slice('/v1/blobs/'.length));
    const from = Number(/^bytes=(\d+)-/.exec(headers!.range ?? '')?.[1] ?? 0);
    const part = { 'content-range': `bytes ${from}-${whole.length - 1}/${whole.length}` };
    const buffer = into!(from > 0 ? 206 : 200, from > 0 ? part : {});
    buffer.append(whole.subarray(from, from + most));
    if (from + most < whole.length) throw gone();
    return buffer.bytes();
  }

  async function status(running: Running, { url }: Request) {
    const sha256 = url.searchParams.get('sha256')!;
    const answer = await running.transfers.status({ attempt: attemptOf(url), member, sha256 });
    return Buffer.from(JSON.stringify(answer));
  }

  return {
    async send(request) {
      const { body, url, signal } = request;
      const blob = url.pathname.startsWith('/v1/blobs/');
      const fault = faults.transfer(index, blob ? 'bulk.download' : 'bulk.upload');
      await ports.pause(born, dice.between(1, 60) + (fault?.what === 'delay' ? fault.ms : 0));
      signal?.throwIfAborted();
      const running = coordinator.current();
      if (fault?.what === 'lost-request' || !running) {
        await ports.pause(born, fault?.ms ?? 20);
        throw gone();
      }
      const most = fault?.what === 'broken-off' ? fault.ms % (body?.length || 64) : Number.POSITIVE_INFINITY;
      const answer = blob ? getBlob : body ? putBody : status;
      const bytes = await answerOf(timeline, running.life, () => answer(running, request, most)).catch(
        (thrown) => {
          const { code } = asTributaryError(thrown);
          if (WRONG.includes(code)) oracle.violation('transfer', `node ${index}: ${code} ${String(thrown)}`);
          signal?.throwIfAborted();
          throw thrown;
        },
      );
      await ports.pause(born, dice.between(1, 60));
      signal?.throwIfAborted();
      if (fault?.what === 'lost-answer') throw gone();
      return bytes;
    },
    async pause({ minMs, maxMs }, failures, signal) {
      await ports.pause(born, dice.between(0, Math.min(maxMs, minMs * 2 ** failures)));
      signal.throwIfAborted();
    },
    cut() {
      for (const body of bodies)
        timeline.after(dice.chance(0.7) ? dice.between(0, 50) : 45_000, () => body.destroy());
    },
  };
}

function attemptOf({ pathname }: URL): string {
  return pathname.slice('/v1/updates/'.length);
}
