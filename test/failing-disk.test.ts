/**
 * The coordinator's disk fails every fsync for a while, with EIO and without syncing, as a dying disk does: the real
 * program with a shim before the C library. Nothing that was not synced counts, and the run goes on when the disk does.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeSafetensors } from '@tributary/protocol';
import { checkFolder } from '@tributary/server';
import { afterAll, expect, it } from 'vitest';
import { benchPlan, startFleet } from './support/fleet.ts';
import { startCoordinator } from './support/processes.ts';

const home = mkdtempSync(join(tmpdir(), 'tributary-failing-'));
afterAll(() => rmSync(home, { recursive: true, force: true }));

/** While this file is there, the disk fails; the shim writes a byte into the other one each time. */
const [fault, count, log] = ['fault', 'count', 'log'].map((name) => join(home, name)) as [
  string,
  string,
  string,
];
const shim = join(home, 'shim.so');
const source = `
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
static int fails(void) {
  if (access("${fault}", F_OK) != 0) return 0;
  int file = open("${count}", O_WRONLY | O_CREAT | O_APPEND, 0600);
  if (file >= 0) { (void)!write(file, "x", 1); close(file); }
  errno = EIO;
  return 1;
}
#define SYNC(name) int name(int fd) { \\
  static int (*real)(int); \\
  if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, #name); \\
  return fails() ? -1 : real(fd); }
SYNC(fsync)
SYNC(fdatasync)
`;
writeFileSync(join(home, 'shim.c'), source);
const made =
  process.platform === 'linux' &&
  spawnSync('cc', ['-shared', '-fPIC', '-o', shim, join(home, 'shim.c'), '-ldl']).status === 0;
const failures = () => readFileSync(count, { flag: 'a+' }).length;

it.skipIf(!made)(
  'a disk that fails to sync loses nothing: what was refused comes again',
  async () => {
    process.env.LD_PRELOAD = shim;
    const fleet = await startFleet({
      clients: 3,
      parameters: 20_000,
      rounds: [4],
      log,
      backoff: { minMs: 20, maxMs: 100 },
    });
    delete process.env.LD_PRELOAD;
    let running = fleet.coordinator;
    try {
      /** Fails from that instant of round `when` on, until something was refused, and a little longer. */
      let faults = 0;
      const fail = (when: number) => (place: { round: number }) => {
        if (place.round !== when) return;
        const before = failures();
        writeFileSync(fault, '');
        const timer = setInterval(() => {
          if (failures() === before) return;
          clearInterval(timer);
          rmSync(fault);
          faults++;
        }, 200);
      };
      fleet.clients[0]!.on('announced', fail(1));
      fleet.clients[0]!.on('uploading', fail(2));
      fleet.clients[0]!.on('unmasked', fail(3));
      const { id } = await fleet.start(benchPlan(3, 'secure', 4));
      for await (const _ of fleet.api.events(id, 0));
      const run = await fleet.api.run(id);
      expect(run).toMatchObject({ status: 'done', round: 4, reason: null });
      expect(faults).toBe(3);
      const { model } = decodeSafetensors(await fleet.api.getBlob(run.model));
      expect(model.values[19_999]).toBeCloseTo(4e-3, 4);
      const said = readFileSync(log, 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line));
      for (const { err } of said)
        expect(err).toMatchObject({ code: 'storage-failed', remedy: expect.stringContaining('dmesg') });

      await running.stop('SIGKILL');
      running = await startCoordinator(fleet.folder, Number(new URL(running.url).port));
      expect((await fleet.api.run(id)).history).toEqual(run.history);
      await running.stop();
      expect((await checkFolder(fleet.folder)).filter(({ level }) => level !== 'ok')).toEqual([]);
    } finally {
      await running.stop();
      await fleet.close();
    }
  },
  60_000,
);
