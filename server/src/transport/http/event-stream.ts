/** Newline-delimited JSON that stays open. */
import { once } from 'node:events';
import { PassThrough, type Readable } from 'node:stream';

/** An empty line now and then keeps proxies and idle timeouts from closing a quiet stream: milliseconds. */
const HEARTBEAT_MS = 20_000;

/** @param open is given a signal that fires when the reader is gone. */
export function eventStream(
  open: (signal: AbortSignal) => AsyncIterable<unknown>,
  onError: (error: unknown) => void,
): Readable {
  const stream = new PassThrough();
  const gone = new AbortController();
  const heartbeat = setInterval(() => {
    if (!stream.writableNeedDrain) stream.write('\n');
  }, HEARTBEAT_MS);
  stream.once('close', () => {
    clearInterval(heartbeat);
    gone.abort();
  });
  const copy = async () => {
    for await (const event of open(gone.signal)) {
      if (stream.destroyed) return;
      if (!stream.write(`${JSON.stringify(event)}\n`)) await once(stream, 'drain', { signal: gone.signal });
    }
    clearInterval(heartbeat);
    stream.end();
  };
  copy().catch((error) => {
    if (!gone.signal.aborted) onError(error);
    stream.destroy();
  });
  return stream;
}
