/** Event streams that are open, by the token that opened them: they end with it, and with the coordinator. */
import type { PassThrough } from 'node:stream';

export interface Streams {
  add(token: string, stream: PassThrough): void;
  endOf(token: string): void;
  endAll(): void;
}

export function createStreams(): Streams {
  const open = new Map<PassThrough, string>();
  return {
    add(token, stream) {
      open.set(stream, token);
      stream.once('close', () => open.delete(stream));
    },
    endOf(token) {
      for (const [stream, owner] of open) if (owner === token) stream.end();
    },
    endAll() {
      for (const stream of open.keys()) stream.end();
    },
  };
}
