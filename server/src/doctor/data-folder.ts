/** The data folder: file system, permissions, space, identity key, who holds it. It is only read. */
import { constants } from 'node:fs';
import { access, readFile, stat, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Finding, failed, failedBy, fine, fingerprint, warning } from '@tributary/protocol';
import { nodeCrypto } from '@tributary/protocol/node';
import { IDENTITY_FILE, readIdentity } from '../registry/identity-file.ts';
import { DATABASE_FILE } from '../storage/sqlite/open.ts';

/** statfs(2): f_type of file systems whose locks or fsync a database cannot rely on. */
const NETWORK = new Map([
  [0x6969, 'NFS'],
  [0x517b, 'SMB'],
  [0xff534d42, 'CIFS'],
  [0xfe534d42, 'SMB2'],
  [0x01021997, '9P'],
  [0x5346414f, 'AFS'],
  [0x00c36400, 'Ceph'],
  [0x0bd00bd0, 'Lustre'],
  [0x01161970, 'GFS2'],
  [0x7461636f, 'OCFS2'],
]);
/** sshfs is one, and so are local ones. */
const FUSE = 0x65735546;

const GB = 1e9;
/** A cohort of large updates beside the models. */
const COMFORT = 5 * GB;
const LEAST = 0.2 * GB;

export async function folderFindings(folder: string): Promise<Finding[]> {
  const found = await stat(folder).catch((thrown: NodeJS.ErrnoException) => thrown);
  if (found instanceof Error) {
    if (found.code !== 'ENOENT')
      return [
        failed(
          'data',
          `${folder} cannot be looked at (${found.code}).`,
          `Check its owner: \`ls -ld ${folder}\`.`,
        ),
      ];
    const parent = await nearest(folder);
    return (await may(parent, constants.W_OK | constants.X_OK))
      ? [fine('data', `${folder} is not there yet: the first start makes it`), ...(await disk(parent))]
      : [
          failed(
            'data',
            `${folder} cannot be made: ${parent} cannot be written.`,
            `Check its owner and mount: \`ls -ld ${parent}\`.`,
          ),
        ];
  }
  if (!found.isDirectory())
    return [
      failed('data', `${folder} is no folder.`, 'Name another with `tributary-server start --data DIR`.'),
    ];
  if (!(await may(folder, constants.R_OK | constants.W_OK | constants.X_OK)))
    return [
      failed(
        'data',
        `${folder} cannot be written by this user.`,
        `Check owner and mount: \`ls -ld ${folder}\`.`,
      ),
      ...(await disk(folder)),
    ];
  const open = await openToOthers(folder);
  if (open.length === 0) open.push(fine('data', `${folder} is for its owner only, and can be written`));
  return [...open, ...(await disk(folder))];
}

/** What of the folder other users of the machine could read or change; none on Windows, which has no such modes. */
export async function openToOthers(folder: string): Promise<Finding[]> {
  if (process.platform === 'win32') return [];
  const open: Finding[] = [];
  for (const [path, least] of [
    [folder, '700'],
    [join(folder, DATABASE_FILE), '600'],
    [join(folder, 'blobs'), '700'],
    [join(folder, 'spool'), '700'],
  ] as const) {
    const { mode } = await stat(path).catch(() => ({ mode: 0 }));
    if ((mode & 0o077) === 0) continue;
    const said = `${path} has mode ${(mode & 0o777).toString(8)}: others get at it.`;
    open.push(warning('data', said, `Run \`chmod ${least} ${path}\`.`));
  }
  return open;
}

/** The folder above it that exists. */
async function nearest(folder: string): Promise<string> {
  const parent = dirname(folder);
  if (parent === folder || (await may(parent, constants.F_OK))) return parent;
  return nearest(parent);
}

async function disk(folder: string): Promise<Finding[]> {
  const { type, bavail, bsize } = await statfs(folder);
  return [fileSystem(type), space(bavail * bsize, folder)];
}

export function fileSystem(type: number): Finding {
  const name = NETWORK.get(type >>> 0);
  if (name !== undefined)
    return failed(
      'file system',
      `${name} is a network file system: the lock and the database are not safe on it.`,
      'Move the folder to a local disk, then `tributary-server start --data DIR`.',
    );
  if (type >>> 0 === FUSE)
    return warning(
      'file system',
      'FUSE: safe only if it is local and keeps fsync and locks.',
      'Take a local disk, above all instead of sshfs.',
    );
  return fine('file system', 'local');
}

export function space(free: number, folder: string): Finding {
  const text = `${(free / GB).toFixed(1)} GB free in ${folder}`;
  const remedy = `Free some space there; \`df -h ${folder}\` shows the disk.`;
  if (free < LEAST) return failed('disk', text, remedy);
  if (free < COMFORT)
    return warning('disk', `${text}; a round keeps a model and one update per partner.`, remedy);
  return fine('disk', text);
}

async function may(path: string, mode: number): Promise<boolean> {
  return access(path, mode).then(
    () => true,
    () => false,
  );
}

/** Whether it is there, and this user may not look into it. */
export async function isClosed(folder: string): Promise<boolean> {
  return (await may(folder, constants.F_OK)) && !(await may(folder, constants.R_OK | constants.X_OK));
}

/** Nothing where there is no key yet. */
export async function identityFindings(folder: string): Promise<Finding[]> {
  const path = join(folder, IDENTITY_FILE);
  try {
    await stat(path);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return [];
    return [failedBy('identity', thrown)];
  }
  try {
    const { id } = await readIdentity(path);
    return [fine('identity', `${fingerprint(nodeCrypto, id)}, readable by its owner only`)];
  } catch (thrown) {
    return [failedBy('identity', thrown)];
  }
}

/**
 * Whether a coordinator holds the folder. Trying the lock would mean to write; so Linux is asked who holds one
 * (proc(5), /proc/locks), elsewhere the write-ahead log tells, which a clean end deletes.
 */
export async function isHeld(folder: string): Promise<boolean> {
  const file = join(folder, DATABASE_FILE);
  const found = await stat(file).catch(() => undefined);
  if (!found) return false;
  if (process.platform !== 'linux')
    return stat(`${file}-wal`).then(
      () => true,
      () => false,
    );
  const locks = await readFile('/proc/locks', 'utf8').catch(() => '');
  return locks.split('\n').some((line) => line.includes(`:${found.ino} `));
}
