/**
 * How a partner that the demo is going to kill is stopped at an exact instant. Its node writes each event as a line,
 * synchronously, before it goes on; the whole process stops right behind the line of one event, until SIGKILL comes.
 * The node's own code is untouched.
 */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

/** @param place `ROUND:EVENT`; undefined: never */
export function holdAt(place: string | undefined): void {
  if (place === undefined) return;
  const { writeSync } = fs;
  fs.writeSync = ((...given: Parameters<typeof writeSync>) => {
    const written = writeSync(...given);
    const [, text] = given as unknown as [number, string | Uint8Array];
    const lines = (typeof text === 'string' ? text : Buffer.from(text).toString('utf8')).split('\n');
    if (lines.some((line) => isAt(line, place))) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    return written;
  }) as typeof writeSync;
  syncBuiltinESMExports();
}

/** Whether a line of `tributary node start --json` tells of that event. */
export function isAt(line: string, place: string): boolean {
  const [round, event] = place.split(':');
  if (!line.startsWith('{') || !line.includes(`"${event}"`)) return false;
  try {
    const told = JSON.parse(line) as Record<string, unknown>;
    return told.event === event && told.round === Number(round);
  } catch {
    return false;
  }
}
