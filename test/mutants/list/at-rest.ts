/** What lies on an encrypted disk cannot be changed, exchanged or read by others unnoticed; a failing disk proves nothing. */
import type { Mutant } from '../mutant.ts';

const ROOM = 'server/src/at-rest';

export const AT_REST: readonly Mutant[] = [
  {
    name: 'frames-in-any-order',
    invariant: 'A frame of an encrypted file counts in its own place only.',
    file: `${ROOM}/frames.ts`,
    find: 'data.writeBigUInt64BE(BigInt(index));',
    replace: '',
    test: {
      file: `${ROOM}/at-rest.test.ts`,
      name: 'on disk are damaged to every reader',
    },
  },
  {
    name: 'files-cut-off',
    invariant: 'An encrypted file ends where it was ended.',
    file: `${ROOM}/frames.ts`,
    find: 'data[8] = last ? 1 : 0;',
    replace: '',
    test: {
      file: `${ROOM}/at-rest.test.ts`,
      name: 'on disk are damaged to every reader',
    },
  },
  {
    name: 'one-key-for-all-places',
    invariant: 'An encrypted update is that of its attempt and member.',
    file: `${ROOM}/key.ts`,
    find: 'const place = HASH.test(name)',
    replace: "const place = path ? 'file' : HASH.test(name)",
    test: {
      file: `${ROOM}/at-rest.test.ts`,
      name: 'in the place of another member’s, or of another attempt’s, is not taken for it',
    },
  },
  {
    name: 'blob-key-that-others-read',
    invariant: 'A key that others may read is not used.',
    file: `${ROOM}/key.ts`,
    find: "if (process.platform !== 'win32') requirePrivate(path, stats);",
    replace: '',
    test: {
      file: `${ROOM}/marker.test.ts`,
      name: 'is refused when it is missing, none, or open to others; what is in it is not shown',
    },
  },
  {
    name: 'key-beside-the-data',
    invariant: 'The key does not lie in the folder that it protects.',
    file: `${ROOM}/marker.ts`,
    find: 'if (keyFile !== undefined) await requireApart(keyFile, folder);',
    replace: '',
    test: { file: `${ROOM}/marker.test.ts`, name: 'does not hold its own key' },
  },
  {
    name: 'encrypted-folder-gone-plain',
    invariant: 'A folder that is encrypted stays so, with or without its marker.',
    file: `${ROOM}/marker.ts`,
    find: "if (kept === 'encrypted')",
    replace: "if (kept === 'new')",
    test: {
      file: `${ROOM}/marker.test.ts`,
      name: 'that lost its marker, or has a damaged one, is not taken for plain',
    },
  },
  {
    name: 'failed-sync-of-a-name',
    invariant: 'What the disk failed to sync is written anew, not synced again.',
    file: 'server/src/storage/files.ts',
    find: 'await rm(path, { force: true }).catch(() => {});',
    replace: '',
    test: {
      file: 'server/src/storage/eio.test.ts',
      name: 'is not acknowledged, and counts only when it has come again',
    },
  },
];
