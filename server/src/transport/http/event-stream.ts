/** Newline-delimited JSON that stays open. */
import { once } from 'node:events';
import { PassThrough } from 'node:stream';

/** An empty line now and then keeps proxies and idle timeouts from closing a quiet stream: milliseconds. */
const HEARTBEAT_MS = 20_000;

/**
 * Ends with the events; whoever wants to end it before calls `end`.
 * @param open is given a signal that fires when the reader is gone.
 */
export function eventStream(
  open: (signal: AbortSignal) => AsyncIterable<unknown>,
  onError: (error: unknown) => void,
): PassThrough {
  const stream = new PassThrough();
  // Sends the headers at once, too.
  stream.write('\n');
  const gone = new AbortController();
  const heartbeat = setInterval(() => {
    if (!stream.writableNeedDrain && !stream.writableEnded) stream.write('\n');
  }, HEARTBEAT_MS);
  stream.once('close', () => {
    clearInterval(heartbeat);
    gone.abort();
  });
  const copy = async () => {
    for await (const event of open(gone.signal)) {
      if (!stream.writable) return;
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
