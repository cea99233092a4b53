/** Newline-delimited JSON, as `GET /v1/runs/:id/events` streams it. */
import { LIMITS, RunEvent, TributaryError, validate } from '@tributary/protocol';

/** @throws unsupported-version for a line that is no event, unavailable when the connection breaks */
export async function* readEvents(stream: ReadableStream<Uint8Array>): AsyncGenerator<RunEvent> {
  const decoder = new TextDecoder();
  let pending = '';
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      pending += done ? decoder.decode() : decoder.decode(value, { stream: true });
      const lines = pending.split('\n');
      // Without its newline the last line was cut off; what it said comes again after reconnecting.
      pending = lines.pop()!;
      for (const line of lines) if (line.trim() !== '') yield parseEvent(line);
      if (done) return;
      if (pending.length > LIMITS.controlFrame)
        throw new TributaryError('too-large', `An event of more than ${LIMITS.controlFrame} characters.`);
    }
  } catch (error) {
    if (error instanceof TributaryError || (error as Error).name === 'AbortError') throw error;
    throw new TributaryError('unavailable', 'The connection to the coordinator broke.', { cause: error });
  } finally {
    await reader.cancel().catch(() => {});
  }
}

function parseEvent(line: string): RunEvent {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    value = line;
  }
  return validate(RunEvent, value, 'run event', 'unsupported-version');
}
