/** Small adapters: the coordinator's clock, and files to read from. */
import type { Clock } from '@tributary/server/parts';
import type { Life } from '../process.ts';
import type { World } from '../world.ts';
import type { Disk } from './disk.ts';

export function createClock({ timeline, ports }: World, life: Life): Clock {
  return {
    now: timeline.now,
    after: (ms, run) => ports.after(life, ms, () => void ports.now(life, 'clock.timer', run)),
    pause: (ms) => ports.pause(life, ms),
    tick: () =>
      new Promise((resolve) => {
        ports.after(life, 0, () => void ports.now(life, 'clock.tick', resolve));
      }),
  };
}

/** `blob/HASH`, or the path of an update in the spool. */
export function openSimulated(disk: Disk) {
  return (path: string) => {
    const bytes = path.startsWith('blob/') ? disk.blobs.get(path.slice(5)) : disk.spool.get(path);
    if (!bytes) throw Object.assign(new Error(`ENOENT: ${path}`), { code: 'ENOENT' });
    return {
      size: bytes.length,
      read(into: Uint8Array, position: number): number {
        const part = bytes.subarray(position, position + into.length);
        into.set(part);
        return part.length;
      },
      close() {},
    };
  };
}
