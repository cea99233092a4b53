/**
 * A TCP proxy that is as bad as a network can be: slow, late, silent, cut off. What arrives during a fault is not read,
 * so that its sender feels the back pressure as it would on a real link.
 */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface LinkFaults {
  /** Each byte arrives this much later, in both directions. */
  readonly latencyMs: number;
  /** Of each connection and direction; 0 is unlimited. */
  readonly bytesPerSecond: number;
  /** Nothing passes, nothing is closed: connections, old and new, are open and silent, as behind a dead router. */
  readonly blackhole: boolean;
}

export interface FaultProxy {
  readonly port: number;
  /** Bytes that went on from the side that connects, and from the other one, since the start. */
  readonly passed: { up: number; down: number };
  /** The same when they came: what a reset swallowed is in here. */
  readonly taken: { up: number; down: number };
  /** Changes what is named; holds for the connections there are, too. */
  set(faults: Partial<LinkFaults>): void;
  /** Ends every connection in order (FIN) after what is on its way; new ones go through. */
  cut(): void;
  /** Breaks every connection (RST), what is on its way is lost; new ones go through. */
  reset(): void;
  close(): Promise<void>;
}

/** A throttled link moves this many times a second. */
const SLICES = 20;
/** Bytes read at once and held for their time: bounds memory, and what a reset loses. */
const HELD = 256 * 1024;

export interface FaultProxyOptions {
  readonly to: { readonly host: string; readonly port: number };
  /** 0, the default: any. */
  readonly port?: number;
}

export async function startFaultProxy({ to, port: own = 0 }: FaultProxyOptions): Promise<FaultProxy> {
  let faults: LinkFaults = { latencyMs: 0, bytesPerSecond: 0, blackhole: false };
  const passed = { up: 0, down: 0 };
  const taken = { up: 0, down: 0 };
  const sockets = new Set<Socket>();
  const pipes = new Set<Pipe>();
  const track = (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
  };
  const join = (from: Socket, into: Socket, way: 'up' | 'down') => {
    const pipe = startPipe(
      from,
      into,
      () => faults,
      (bytes) => {
        passed[way] += bytes;
      },
    );
    pipes.add(pipe);
    from.on('data', ({ length }) => {
      taken[way] += length;
    });
    from.on('close', () => pipes.delete(pipe));
  };
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (near) => {
    const far = connect({ host: to.host, port: to.port, allowHalfOpen: true });
    track(near);
    track(far);
    join(near, far, 'up');
    join(far, near, 'down');
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(own, '127.0.0.1', resolve);
  });
  const reset = () => {
    for (const socket of sockets) socket.resetAndDestroy();
  };
  return {
    port: (server.address() as AddressInfo).port,
    passed,
    taken,
    set(changes) {
      faults = { ...faults, ...changes };
      for (const pipe of pipes) pipe.wake();
    },
    cut() {
      for (const pipe of pipes) pipe.end();
    },
    reset,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        reset();
      }),
  };
}

interface Pipe {
  /** The faults changed. */
  wake(): void;
  /** No more is read; what was read still goes out. */
  end(): void;
}

/** One direction of one connection. */
function startPipe(from: Socket, into: Socket, now: () => LinkFaults, count: (bytes: number) => void): Pipe {
  const queue: { bytes: Buffer; due: number }[] = [];
  let held = 0;
  let ended = false;
  /** A throttled link is busy with what it sent until then. */
  let busyUntil = 0;
  let timer: NodeJS.Timeout | undefined;

  const pump = () => {
    clearTimeout(timer);
    timer = undefined;
    const { bytesPerSecond, blackhole } = now();
    while (!blackhole && queue.length > 0 && !into.destroyed && !into.writableNeedDrain) {
      const time = performance.now();
      const head = queue[0]!;
      const wait = Math.max(head.due, bytesPerSecond > 0 ? busyUntil : 0) - time;
      if (wait > 0.5) {
        timer = setTimeout(pump, wait);
        return;
      }
      const most = bytesPerSecond > 0 ? Math.max(1, Math.ceil(bytesPerSecond / SLICES)) : head.bytes.length;
      const slice = head.bytes.subarray(0, most);
      if (slice.length === head.bytes.length) queue.shift();
      else head.bytes = head.bytes.subarray(slice.length);
      held -= slice.length;
      if (bytesPerSecond > 0) busyUntil = Math.max(time, busyUntil) + (1000 * slice.length) / bytesPerSecond;
      count(slice.length);
      into.write(slice);
    }
    if (queue.length === 0 && ended && !blackhole) into.end();
    else if (held < HELD && !ended && !blackhole) from.resume();
  };
  from.on('data', (bytes: Buffer) => {
    if (ended) return;
    queue.push({ bytes, due: performance.now() + now().latencyMs });
    held += bytes.length;
    if (held >= HELD || now().blackhole) from.pause();
    pump();
  });
  from.on('end', () => {
    ended = true;
    pump();
  });
  from.on('close', () => {
    // In order it was, if `end` came before; else the other side must notice, too, unless nothing passes.
    if (!ended && !now().blackhole) into.resetAndDestroy();
    if (into.destroyed) clearTimeout(timer);
  });
  into.on('drain', pump);
  into.on('connect', pump);
  return {
    wake() {
      if (now().blackhole) from.pause();
      pump();
    },
    end() {
      from.pause();
      ended = true;
      pump();
    },
  };
}
