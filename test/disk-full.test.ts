/** The coordinator's disk fills up in the middle of a run: it stays up, says so, loses nothing, and goes on with space. */
import { spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeSafetensors } from '@tributary/protocol';
import { afterAll, expect, it } from 'vitest';
import { benchPlan, startFleet } from './support/fleet.ts';

const disk = mkdtempSync(join(tmpdir(), 'tributary-disk-'));
const log = `${disk}.log`;
mkdirSync(disk, { recursive: true });
const mount = ['-t', 'tmpfs', '-o', 'size=6m', 'tmpfs', disk];
const mounted = process.platform === 'linux' && spawnSync('mount', mount).status === 0;
afterAll(() => {
  if (mounted) spawnSync('umount', [disk]);
  for (const path of [disk, log]) rmSync(path, { recursive: true, force: true });
});

/** Takes every byte that is left. */
function fill(path: string): void {
  const file = openSync(path, 'w');
  try {
    for (let size = 65_536; size >= 1; ) {
      try {
        writeSync(file, Buffer.alloc(size));
      } catch {
        size >>= 1;
      }
    }
  } finally {
    closeSync(file);
  }
}

it.skipIf(!mounted)(
  'a full disk stops the run, and space lets it go on',
  async () => {
    const usual = process.env.TMPDIR;
    process.env.TMPDIR = disk;
    const fleet = await startFleet({
      clients: 3,
      parameters: 20_000,
      log,
      backoff: { minMs: 20, maxMs: 100 },
    });
    if (usual === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = usual;
    try {
      expect(fleet.folder.startsWith(disk)).toBe(true);
      const ballast = join(disk, 'ballast');
      const refusals = new Set<string>();
      const full = new Promise<void>((resolve) => {
        fleet.clients[1]!.on('disconnected', ({ code, final }) => {
          expect(final).toBe(false);
          refusals.add(code);
          resolve();
        });
      });
      fleet.clients[0]!.on('announced', ({ round }) => {
        if (round === 2) fill(ballast);
      });
      // Later for a moment only: while an upload is refused, and before the new model is stored.
      const short = (when: number) => (place: { round: number }) => {
        if (place.round !== when) return;
        fill(ballast);
        setTimeout(() => rmSync(ballast), 400);
      };
      fleet.clients[0]!.on('uploading', short(4));
      fleet.clients[0]!.on('unmasked', short(5));
      const { id } = await fleet.start(benchPlan(3, 'secure', 6));
      await full;
      expect([...refusals]).toEqual(['storage-failed']);
      // It stays up, and people see the run as it was.
      expect((await fetch(`${fleet.coordinator.url}/healthz`)).status).toBe(200);
      const before = await fleet.api.run(id);
      expect(before).toMatchObject({ status: 'running', round: 1 });
      await expect(fleet.api.createToken('ada', 'researcher')).rejects.toMatchObject({
        code: 'storage-failed',
        message: expect.stringContaining('the disk is full'),
        remedy: expect.stringContaining('df -h'),
      });
      rmSync(ballast);
      for await (const _ of fleet.api.events(id, 0));
      const run = await fleet.api.run(id);
      expect(run).toMatchObject({ status: 'done', round: 6, reason: null });
      expect(run.history.map(({ attempts, dropped }) => ({ attempts, dropped }))).toEqual(
        Array.from({ length: 6 }, () => ({ attempts: 1, dropped: [] })),
      );
      expect(run.history[0]).toEqual(before.history[0]);
      const { model } = decodeSafetensors(await fleet.api.getBlob(run.model));
      expect(model.values[19_999]).toBeCloseTo(6e-3, 4);
      const said = readFileSync(log, 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line));
      for (const { err } of said)
        expect(err).toMatchObject({
          code: 'storage-failed',
          message: expect.stringContaining('the disk is full'),
        });
    } finally {
      await fleet.close();
    }
  },
  60_000,
);
