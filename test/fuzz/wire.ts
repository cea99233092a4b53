/** Bytes on a socket of an address of its own, and WebSocket frames made by hand: also such as no library would send. */
import { connect, type Socket } from 'node:net';

/** Nobody answers longer than that: milliseconds. */
const PATIENCE_MS = 4000;

/** @param from the source: all of 127/8 is this machine, so that a fuzzer is many strangers. */
function dial(port: number, from: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', localAddress: from });
    socket.once('connect', () => resolve(socket)).once('error', reject);
  });
}

/** Sends the parts one after the other, ends its half, and reads until the other side is done. */
export async function exchange(
  port: number,
  from: string,
  parts: readonly Uint8Array[],
): Promise<Buffer | 'silent'> {
  const socket = await dial(port, from);
  const got: Buffer[] = [];
  let size = 0;
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      resolve('silent');
      socket.destroy();
    }, PATIENCE_MS);
    socket.on('data', (part) => {
      size += part.length;
      if (size < 1_000_000) got.push(part);
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(Buffer.concat(got));
    });
    for (const part of parts) socket.write(part);
    socket.end();
  });
}

export interface FrameShape {
  readonly opcode: number;
  readonly payload: Uint8Array;
  readonly fin?: boolean;
  readonly rsv?: number;
  readonly masked?: boolean;
  /** What the header says, if not the truth. */
  readonly length?: number;
}

/** RFC 6455, 5.2. */
export function wsFrame({ opcode, payload, fin = true, rsv = 0, masked = true, length }: FrameShape): Buffer {
  const size = length ?? payload.length;
  const extended = size < 126 ? Buffer.alloc(0) : size < 65_536 ? Buffer.alloc(2) : Buffer.alloc(8);
  if (extended.length === 2) extended.writeUInt16BE(size);
  if (extended.length === 8) extended.writeBigUInt64BE(BigInt(Math.floor(size)));
  const short = extended.length === 0 ? size : extended.length === 2 ? 126 : 127;
  const head = Buffer.from([
    (fin ? 0x80 : 0) | ((rsv & 7) << 4) | (opcode & 15),
    (masked ? 0x80 : 0) | short,
  ]);
  const mask = Buffer.from([1, 2, 3, 4]);
  const body = masked ? Buffer.from(payload).map((byte, i) => byte ^ mask[i % 4]!) : Buffer.from(payload);
  return Buffer.concat([head, extended, ...(masked ? [mask] : []), body]);
}

export interface HttpAnswer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
  readonly rest: Buffer;
}

/** The first answer in the bytes, if it is whole. */
export function parseAnswer(bytes: Buffer): HttpAnswer | null {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0) return null;
  const head = bytes.subarray(0, end).toString('latin1');
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1]);
  if (!status) return null;
  const length = Number(/^content-length: (\d+)/im.exec(head)?.[1] ?? 0);
  const type = /^content-type: ([^\r;]*)/im.exec(head)?.[1] ?? '';
  const body = bytes.subarray(end + 4, end + 4 + length);
  return { status, type, body: body.toString('utf8'), rest: bytes.subarray(end + 4 + length) };
}
