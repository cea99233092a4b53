/** Faults of disk and database as `storage-failed`, each with the remedy that fits it. */
import { TributaryError } from '@tributary/protocol';

type Fault = 'full' | 'read-only' | 'forbidden' | 'missing' | 'handles' | 'hardware' | 'damaged' | 'unknown';

/** By errno (errno(3)) and by the primary result code of SQLite (sqlite.org/rescode.html). */
const FAULTS: ReadonlyMap<string, Fault> = new Map([
  ...each('full', 'ENOSPC', 'EDQUOT', 'EFBIG', 'SQLITE_FULL', 'SQLITE_TOOBIG'),
  ...each('read-only', 'EROFS', 'SQLITE_READONLY', 'SQLITE_CANTOPEN', 'SQLITE_PERM'),
  ...each('forbidden', 'EACCES', 'EPERM'),
  ...each('missing', 'ENOENT'),
  ...each('handles', 'EMFILE', 'ENFILE'),
  ...each('hardware', 'EIO', 'ENXIO', 'ENODEV', 'SQLITE_IOERR'),
  ...each('damaged', 'EBADMSG', 'SQLITE_CORRUPT', 'SQLITE_NOTADB'),
]);

const SAID: Record<Exclude<Fault, 'unknown'>, string> = {
  full: 'the disk is full',
  'read-only': 'it cannot be written',
  forbidden: 'this user may not',
  missing: 'it, or a folder on the way, is not there',
  handles: 'too many files are open',
  hardware: 'the disk does not answer as it should',
  damaged: 'it is damaged',
};

function each(fault: Fault, ...codes: string[]): [string, Fault][] {
  return codes.map((code) => [code, fault]);
}

function remedyOf(fault: Fault, folder: string): string | undefined {
  switch (fault) {
    case 'full':
      return `Free some space: \`df -h ${folder}\` shows the disk. What was acknowledged is safe, and what was refused comes again by itself.`;
    case 'read-only':
    case 'forbidden':
      return `Check owner and mount: \`ls -ld ${folder}\`, \`findmnt -T ${folder}\`. The folder belongs to the user that runs the coordinator.`;
    case 'missing':
      return `Check the path: \`ls -ld ${folder}\`.`;
    case 'handles':
      return 'Raise the limit of open files of this process: `ulimit -n`, or LimitNOFILE of the service.';
    case 'hardware':
      return `Look into the kernel's log (\`dmesg\`) for the disk under ${folder}; move the folder to a sound disk or restore a backup there.`;
    case 'damaged':
      return `\`tributary-server check --data ${folder}\` says what is damaged; \`tributary-server restore --from BACKUP --data DIR\` makes a sound folder from a backup. Keep the damaged one.`;
    case 'unknown':
      return undefined;
  }
}

/**
 * @param what what failed, as the start of a sentence
 * @param folder the data folder, or the one that was written to
 */
export function storageFault(what: string, cause: unknown, folder: string): TributaryError {
  if (cause instanceof TributaryError) return cause;
  const code = codeOf(cause);
  const fault = FAULTS.get(code.replace(/^(SQLITE_[A-Z]+)_.*/, '$1')) ?? 'unknown';
  const remedy = remedyOf(fault, folder);
  const why = fault === 'unknown' ? code : `${SAID[fault]} (${code})`;
  return new TributaryError('storage-failed', `${what}: ${why}.`, { ...(remedy ? { remedy } : {}), cause });
}

/** Primary result codes that `node:sqlite` tells as numbers. */
const PRIMARY: ReadonlyMap<number, string> = new Map([
  [3, 'SQLITE_PERM'],
  [8, 'SQLITE_READONLY'],
  [10, 'SQLITE_IOERR'],
  [11, 'SQLITE_CORRUPT'],
  [13, 'SQLITE_FULL'],
  [14, 'SQLITE_CANTOPEN'],
  [18, 'SQLITE_TOOBIG'],
  [26, 'SQLITE_NOTADB'],
]);

function codeOf(cause: unknown): string {
  const { code, errcode, message } = (cause ?? {}) as {
    code?: unknown;
    errcode?: unknown;
    message?: unknown;
  };
  if (typeof errcode === 'number')
    return PRIMARY.get(errcode & 0xff) ?? `SQLite ${errcode}, ${String(message)}`;
  if (typeof code === 'string' && FAULTS.has(code.replace(/^(SQLITE_[A-Z]+)_.*/, '$1'))) return code;
  return typeof message === 'string' ? message : String(code ?? cause);
}
