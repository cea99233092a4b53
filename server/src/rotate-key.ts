/** A new key for a stopped coordinator, signed by the old one (PROTOCOL.md 4.8). */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Identity, signRotation, TributaryError } from '@tributary/protocol';
import { crashPoint, nodeCrypto } from '@tributary/protocol/node';
import type { Logger } from 'pino';
import { voidForKey } from './coordinator/void-for-key.ts';
import { createLog } from './log.ts';
import {
  adoptNextIdentity,
  IDENTITY_FILE,
  openNextIdentity,
  readIdentity,
} from './registry/identity-file.ts';
import { finishOwnRotation, ownRotations, requireKeyOf } from './registry/own-keys.ts';
import { asFileError, removeStrays } from './storage/files.ts';
import { requireFewRotations } from './storage/rules.ts';
import { DATABASE_FILE } from './storage/sqlite/open.ts';
import { openSqliteStore, type SqliteStore } from './storage/sqlite/store.ts';

export interface RotatedOwnKey {
  readonly old: string;
  readonly key: string;
  /** Runs whose open attempt is void. */
  readonly voided: readonly string[];
}

export interface RotateOwnKeyOptions {
  readonly now?: () => number;
  /** Is told who has which key now. */
  readonly log?: Logger;
}

/**
 * Interrupted at any point it can be called again: it finishes what it began.
 * @throws already-running (the coordinator is not stopped), storage-failed, unsupported-version, conflict (too many)
 */
export async function rotateOwnKey(
  folder: string,
  { now = Date.now, log = createLog('silent') }: RotateOwnKeyOptions = {},
): Promise<RotatedOwnKey> {
  await stat(join(folder, DATABASE_FILE)).catch((cause) => {
    if (cause.code === 'ENOENT')
      throw new TributaryError('not-found', `There is no ${DATABASE_FILE} in ${folder}.`, {
        remedy: 'Name the data folder of a coordinator, as in `tributary-server start --data DIR`.',
      });
    throw asFileError(cause, `${folder} holds no coordinator`);
  });
  const store = await openSqliteStore(folder);
  try {
    const file = join(folder, IDENTITY_FILE);
    const before = await readIdentity(file).catch((cause) => {
      throw asFileError(cause, `The identity file ${file} cannot be used`);
    });
    const finished = await finishOwnRotation(folder, store);
    if (!finished) await requireKeyOf(store, before.id);
    const report = finished
      ? { old: before.id, key: finished.id, voided: [] }
      : await rotate(folder, store, before, now());
    log.info({ audit: 'coordinator.rotated', ...report }, 'the coordinator has a new key');
    return report;
  } finally {
    await store.close();
  }
}

async function rotate(
  folder: string,
  store: SqliteStore,
  before: Identity,
  now: number,
): Promise<RotatedOwnKey> {
  // Before anything is declared void for it.
  requireFewRotations((await ownRotations(store, before.id)).length, 'coordinator');
  // A try that died may have left half a file with a key that nobody ever heard of.
  await removeStrays(folder);
  const after = await openNextIdentity(folder);
  const context = { store, crypto: nodeCrypto, identity: before, log: createLog('silent') };
  const voided = await voidForKey(context, now);
  const terms = { subject: 'coordinator', coordinator: before.id, time: now } as const;
  await store.addOwnRotation(signRotation(nodeCrypto, before, after, terms));
  crashPoint('coordinator.rotate.own');
  await adoptNextIdentity(folder);
  return { old: before.id, key: after.id, voided };
}
