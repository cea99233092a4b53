/**
 * The rotation that is under way or was not yet told to the owner: `rotation.json` in the state folder. It is there from
 * before the coordinator hears of the new key until the owner has, so that a command repeated makes no third key.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Closed, Count, Key } from '@tributary/protocol';
import type { Static } from '@tributary/protocol/typebox';
import { readJson, writeJson } from './files.ts';

const RotationFile = Closed({ old: Key, key: Key, time: Count });
/** `time`: when it was begun, milliseconds since 1970. */
export type NotedRotation = Static<typeof RotationFile>;

const pathIn = (folder: string): string => join(folder, 'rotation.json');

export async function findRotation(folder: string): Promise<NotedRotation | undefined> {
  return readJson(pathIn(folder), RotationFile);
}

/** The same one again keeps its time. */
export async function noteRotation(folder: string, rotation: NotedRotation): Promise<NotedRotation> {
  const before = await findRotation(folder);
  if (before?.old === rotation.old && before.key === rotation.key) return before;
  await writeJson(pathIn(folder), rotation);
  return rotation;
}

export async function forgetRotation(folder: string): Promise<void> {
  await rm(pathIn(folder), { force: true });
}
