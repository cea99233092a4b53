/** All checks of `tributary-server doctor`. Nothing is made or changed. */
import { type Finding, runChecks } from '@tributary/protocol';
import { folderFindings, identityFindings, isClosed, isHeld } from './data-folder.ts';
import { databaseFindings } from './database.ts';
import { address, clock, nodeVersion, sqliteDriver } from './machine.ts';

export interface ExamineOptions {
  /** Data folder, absolute; undefined checks the machine only. */
  readonly folder: string | undefined;
  readonly host: string;
  readonly port: number;
}

const LIMIT_MS = 10_000;

export async function examine({ folder, host, port }: ExamineOptions): Promise<Finding[]> {
  const held = folder !== undefined && (await isHeld(folder));
  const ownClock = { name: 'clock', run: async () => [clock(Date.now(), 0)] };
  const data = folder === undefined ? [] : [{ name: 'data', run: () => folderFindings(folder) }];
  // What is in a folder that this user may not enter cannot be told.
  const inFolder =
    folder === undefined || (await isClosed(folder))
      ? [...data, ownClock]
      : [
          ...data,
          { name: 'identity', run: () => identityFindings(folder) },
          { name: 'database', run: () => databaseFindings(folder, held) },
        ];
  return runChecks(
    [
      { name: 'node', run: async () => [nodeVersion()] },
      { name: 'sqlite', run: sqliteDriver },
      ...inFolder,
      { name: 'port', run: () => address(host, port, held) },
    ],
    LIMIT_MS,
  );
}
