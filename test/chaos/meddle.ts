/** What an operator does while everything burns: pauses, suspends, cancels, gives tokens away, backs up, moves house. */
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createApiClient, enrol, listMembers } from '@tributary/client-sdk';
import { asTributaryError, type ErrorCode } from '@tributary/protocol';
import { SERVER } from '../demo/programs.ts';
import type { House } from './house.ts';
import type { Operator } from './operator.ts';
import { launch } from './parts.ts';
import { PATIENCE } from './plan.ts';
import type { Dice } from './random.ts';
import type { Records } from './records.ts';
import type { Tally } from './tally.ts';

/** Milliseconds between two deeds. */
const PAUSE = [500, 3000] as const;
const PASSPHRASE = 'correct horse battery';
/** An attempt comes so far within, or the deed is done at any time: milliseconds. */
const PHASE_MS = 4000;

export interface Meddling {
  readonly house: House;
  readonly operator: Operator;
  readonly records: Records;
  readonly dice: Dice;
  readonly tally: Tally;
  readonly folder: string;
  readonly enough: () => boolean;
}

/** Goes on until `enough` says so; nothing is left paused or suspended. */
export async function meddle({
  house,
  operator,
  records,
  dice,
  tally,
  folder,
  enough,
}: Meddling): Promise<void> {
  const { persist } = house;
  const deeds: readonly (readonly [weight: number, kind: string, act: () => Promise<void>])[] = [
    [3, 'paused and resumed', pause],
    [3, 'suspended and resumed', suspend],
    [0.5, 'cancelled', cancel],
    [1.5, 'token given and revoked', token],
    [1, 'partner enrolled and removed', guest],
    [1, 'backup of a live coordinator', liveBackup],
    [0.5, 'restored in a new epoch', moveHouse],
    [0.5, 'coordinator with a new key', rotate],
  ];
  const all = deeds.reduce((sum, [weight]) => sum + weight, 0);
  let number = 0;

  /** @returns whether it is over: `done` although an answer got lost counts, too */
  async function unless(done: readonly ErrorCode[], call: () => Promise<unknown>): Promise<boolean> {
    try {
      await call();
      return true;
    } catch (thrown) {
      if (!done.includes(asTributaryError(thrown).code)) throw thrown;
      return false;
    }
  }

  async function reach(phases: readonly string[]): Promise<void> {
    const end = Date.now() + PHASE_MS;
    while (!phases.includes(operator.latest?.current?.phase ?? '') && Date.now() < end) await sleep(30);
  }

  async function pause(): Promise<void> {
    const run = operator.latest?.id;
    if (run === undefined) return;
    await persist('pausing', (api) => unless(['wrong-phase'], () => api.pauseRun(run)));
    await sleep(dice.between(100, 2000));
    await persist('resuming', (api) => unless(['wrong-phase'], () => api.resumeRun(run)));
  }

  async function suspend(): Promise<void> {
    const { name } = dice.pick(house.nodes.slice(0, -1));
    if (dice.chance(0.5)) await reach(['agree', 'unmask', 'summing']);
    else await reach(['upload']);
    const takeBack = () => {
      const { latest } = operator;
      if (latest) records.revoked(name, { run: latest.id, round: latest.round + 1 });
    };
    house.excuse(name);
    takeBack();
    await persist(`suspending ${name}`, (api) => api.setPartnerStatus(name, 'suspend'));
    takeBack();
    await sleep(dice.between(100, 500 * PATIENCE));
    await persist(`resuming ${name}`, (api) => api.setPartnerStatus(name, 'resume'));
    takeBack();
    house.expect(name);
  }

  async function cancel(): Promise<void> {
    const run = operator.latest;
    if (!run || run.status === 'done') return;
    await reach([dice.pick(['advertise', 'share', 'upload', 'agree'])]);
    await persist('cancelling', (api) => unless(['wrong-phase'], () => api.cancelRun(run.id)));
  }

  /** Once it was shown it opens, and once it is revoked it does not. */
  async function token(): Promise<void> {
    const name = `auditor-${++number}`;
    const given = await persist('a token', async (api) => {
      // A token whose answer got lost is known to nobody.
      await unless(['not-found'], () => api.revokeToken(name));
      return api.createToken(name, 'researcher');
    });
    const { url } = house;
    const people = () => createApiClient({ url, token: given.token });
    await persist('looking with a token', () => people().runs());
    await persist('revoking a token', (api) => unless(['not-found'], () => api.revokeToken(name)));
    const opens = await persist('looking with a revoked token', () =>
      unless(['unauthenticated'], () => people().runs()),
    );
    if (opens) tally.violation(`the token ${name} was revoked, and still opens`);
  }

  /** Once it is removed its key is nobody's. */
  async function guest(): Promise<void> {
    const name = `guest-${++number}`;
    const { invite } = await persist(`inviting ${name}`, (api) => api.invite({ name }));
    const home = join(folder, name);
    mkdirSync(home);
    const { identity } = await persist(`enrolling ${name}`, async () =>
      enrol({ invite, folder: home, passphrase: PASSPHRASE }),
    );
    const listed = () => listMembers({ folder: home, identity });
    await persist(`${name} asks who is there`, listed);
    await persist(`removing ${name}`, (api) => unless(['not-found'], () => api.removePartner(name)));
    const known = await persist(`${name} asks again`, () => unless(['unauthenticated', 'forbidden'], listed));
    if (known) tally.violation(`${name} was removed, and its key still counts`);
    rmSync(home, { recursive: true });
  }

  /** While it runs and is killed; what comes out can be restored. */
  async function liveBackup(): Promise<void> {
    const [out, copy] = [join(folder, 'live-backup'), join(folder, 'live-copy')];
    await backup(out);
    await restore(out, copy);
    const { code, words } = await launch(
      'check',
      [SERVER, 'check', '--data', out],
      undefined,
      join(folder, 'logs', 'check.log'),
    ).ended;
    if (code !== 0) tally.violation(`tributary-server check on a backup: ${words}`);
    for (const path of [out, copy]) drop(path);
  }

  /** Nothing that was published may be lost: the backup is of a coordinator that stays away until it is restored. */
  async function moveHouse(): Promise<void> {
    if (dice.chance(0.7)) await reach(['upload', 'agree']);
    const { data } = house;
    const [out, to] = [join(folder, 'backup'), join(folder, `coordinator-${++number}`)];
    await house.coordinator.hold();
    try {
      await backup(out);
      await restore(out, to);
      house.move(to);
    } finally {
      house.coordinator.release();
    }
    for (const path of [out, data]) drop(path);
  }

  /** All nodes follow; its open attempt is void, and so is the one that a rotation which was killed repeats. */
  async function rotate(): Promise<void> {
    if (dice.chance(0.5)) await reach(['upload', 'agree']);
    await house.coordinator.hold();
    try {
      await house.tool('rotate-key', ['--data', house.data]);
    } finally {
      house.coordinator.release();
    }
  }

  /** Killed after the folder had its name, it is whole: nothing is to be done again. */
  const backup = (out: string) => house.tool('backup', ['--data', house.data, '--out', out], () => drop(out));
  const restore = (from: string, to: string) =>
    house.tool('restore', ['--from', from, '--data', to], () => drop(to));
  /** With what those that were killed have left beside it. */
  function drop(path: string): void {
    for (const name of readdirSync(folder))
      if (name === basename(path) || (name.startsWith(`${basename(path)}.`) && name.endsWith('.part')))
        rmSync(join(folder, name), { recursive: true });
  }

  while (!enough()) {
    await sleep(dice.between(...PAUSE));
    if (operator.latest === null || tally.sated()) continue;
    let at = dice.between(0, all);
    for (const [weight, kind, act] of deeds) {
      at -= weight;
      if (at >= 0) continue;
      await act();
      tally.deed(kind);
      break;
    }
  }
}
