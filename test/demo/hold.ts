/**
 * Loaded with `--import` before `tributary node start` in a partner that the demo is going to kill. The node writes each
 * event as a line, synchronously, before it goes on; this stops the whole process right after the line that says
 * TRIBUTARY_DEMO_HOLD, `ROUND:EVENT`, so that SIGKILL meets it at exactly that instant. The node's own code is untouched.
 */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const [round, event] = (process.env.TRIBUTARY_DEMO_HOLD ?? '').split(':');
const { writeSync } = fs;

function isTheOne(line: string): boolean {
  if (!line.includes(`"${event}"`)) return false;
  try {
    const told = JSON.parse(line) as Record<string, unknown>;
    return told.event === event && told.round === Number(round);
  } catch {
    return false;
  }
}

fs.writeSync = ((...given: Parameters<typeof writeSync>) => {
  const written = writeSync(...given);
  const [, text] = given as unknown as [number, string | Uint8Array];
  const lines = (typeof text === 'string' ? text : Buffer.from(text).toString('utf8')).split('\n');
  if (lines.some(isTheOne)) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  return written;
}) as typeof writeSync;
syncBuiltinESMExports();
