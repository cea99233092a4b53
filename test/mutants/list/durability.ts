/** What is acknowledged is there after any crash; what is damaged is not used. */
import type { Mutant } from '../mutant.ts';

const STORAGE = 'server/src/storage';

export const DURABILITY: readonly Mutant[] = [
  {
    name: 'fsync-of-upload',
    invariant: 'An update is on the disk, not only in its cache, before it is acknowledged.',
    file: `${STORAGE}/partials.ts`,
    find: "crashPoint('coordinator.upload.written');\n    await handle.sync();",
    replace: "crashPoint('coordinator.upload.written');",
    test: {
      file: `${STORAGE}/fsync.test.ts`,
      name: 'an update: its bytes before its name, its name before the answer',
    },
  },
  {
    name: 'fsync-of-model',
    invariant: 'A model is on the disk, not only in its cache, before anything names it.',
    file: `${STORAGE}/blobs.ts`,
    find: 'await handle.sync();',
    replace: '',
    test: {
      file: `${STORAGE}/fsync.test.ts`,
      name: 'a model: its bytes before its name, its name before the answer',
    },
  },
  {
    name: 'fsync-of-folder',
    invariant: 'The name of a file is on the disk before the file is acknowledged.',
    file: `${STORAGE}/files.ts`,
    find: "if (process.platform === 'win32') return;",
    replace: 'return;',
    test: {
      file: `${STORAGE}/fsync.test.ts`,
      name: 'an update: its bytes before its name, its name before the answer',
    },
  },
  {
    name: 'database-without-sync',
    invariant: 'Each transaction of the coordinator is synced.',
    file: `${STORAGE}/sqlite/open.ts`,
    find: 'PRAGMA synchronous = FULL;',
    replace: 'PRAGMA synchronous = NORMAL;',
    test: { file: `${STORAGE}/sqlite/sqlite.test.ts`, name: 'writes ahead, syncs fully' },
  },
  {
    name: 'effects-before-commit',
    invariant: 'Nothing is sent or acknowledged before the journal holds what it follows from.',
    file: 'server/src/coordinator/loop.ts',
    find: 'await deps.store.commit(commit);',
    replace: 'void deps.store.commit(commit).catch(() => {});',
    test: {
      file: 'server/src/coordinator/commit-first.test.ts',
      name: 'sends and acknowledges nothing before the journal holds it',
    },
  },
  {
    name: 'journal-state-not-compared',
    invariant: 'A journal that leads to another state than it did is not gone on with.',
    file: 'server/src/coordinator/recover.ts',
    find: 'return stateHash(crypto, next.state) === entry.stateHash',
    replace: 'return true',
    test: {
      file: 'server/src/coordinator/recover.test.ts',
      name: 'whose journal does not replay goes on behind it',
    },
  },
  {
    name: 'attempt-of-backup',
    invariant:
      'After a restore the attempt of the backup is not gone on with: it could get a second survivor set.',
    file: 'server/src/coordinator/recover.ts',
    find: 'const restored = epochOf(state) !== undefined && epochOf(state) !== epoch;',
    replace: 'const restored = false;',
    test: { file: 'server/src/backup/check.test.ts', name: 'and its open attempt is void with its reason' },
  },
  {
    name: 'restore-in-same-epoch',
    invariant: 'A restored backup goes on in a higher epoch.',
    file: 'server/src/backup/restore.ts',
    find: 'await store.raiseEpoch(epoch);',
    replace: '',
    test: {
      file: 'server/src/backup/check.test.ts',
      name: 'a restored backup goes on in a higher epoch each time',
    },
  },
  {
    name: 'writer-of-another-epoch',
    invariant: 'A coordinator of an older epoch writes nothing any more.',
    file: `${STORAGE}/rules.ts`,
    find: 'if (stored !== given)',
    replace: 'if (stored < given)',
    test: {
      file: `${STORAGE}/memory.test.ts`,
      name: 'refuses a writer of another epoch, older or newer',
      suite: `${STORAGE}/acceptance.ts`,
    },
  },
  {
    name: 'gap-in-journal',
    invariant: 'The entries of a journal follow each other without a gap, and each is written once.',
    file: `${STORAGE}/rules.ts`,
    find: 'if (entry.seq !== head.last + 1)',
    replace: 'if (entry.seq <= head.last)',
    test: {
      file: `${STORAGE}/memory.test.ts`,
      name: 'refuses a journal seq that is taken, and one that leaves a gap',
      suite: `${STORAGE}/acceptance.ts`,
    },
  },
  {
    name: 'second-process-on-data',
    invariant: 'One process at a time uses the data of a coordinator.',
    file: `${STORAGE}/sqlite/open.ts`,
    find: 'PRAGMA locking_mode = EXCLUSIVE;',
    replace: '',
    test: {
      file: `${STORAGE}/sqlite/sqlite.test.ts`,
      name: 'refuses a second process, and a second store in this one, while the first is open',
    },
  },
  {
    name: 'damage-in-log-passed-over',
    invariant: 'A coordinator does not start on a log whose acknowledged transactions are damaged.',
    file: `${STORAGE}/sqlite/open.ts`,
    find: 'if (!options.dropDamaged) await requireSoundLog(',
    replace: 'if (false) await requireSoundLog(',
    test: {
      file: `${STORAGE}/sqlite/faults.test.ts`,
      name: 'is refused when acknowledged transactions lie behind the damage, until somebody decides to drop them',
    },
  },
  {
    name: 'model-that-rotted',
    invariant: 'A model that is not what its name says is not served.',
    file: `${STORAGE}/blobs.ts`,
    find: "createHash('sha256').update(bytes).digest('hex') !== hash)",
    replace: 'false)',
    test: {
      file: `${STORAGE}/folders.test.ts`,
      name: 'reports a blob that rotted on disk instead of serving it',
    },
  },
  {
    name: 'update-not-as-promised',
    invariant: 'An update whose bytes do not have the hash that was promised is not kept.',
    file: `${STORAGE}/spool.ts`,
    find: 'requireSameHash(received.sha256, sha256);',
    replace: '',
    test: {
      file: `${STORAGE}/folders.test.ts`,
      name: 'leaves nothing behind when an update is too short, too long, altered or broken off',
    },
  },
  {
    name: 'second-update-on-disk',
    invariant: 'On disk, too, the first update of a member counts.',
    file: `${STORAGE}/spool.ts`,
    find: 'if (known !== sha256) throw conflict(member);',
    replace: '',
    test: {
      file: `${STORAGE}/folders.test.ts`,
      name: 'takes the same update again without writing, and refuses another',
    },
  },
];
