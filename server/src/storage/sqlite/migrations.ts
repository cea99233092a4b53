/** The schema, as the steps that lead to it. A step that was released is never changed: add another. */
import { TributaryError } from '@tributary/protocol';
import type { SqliteHandle } from './drivers.ts';

const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE coordinator (id INTEGER PRIMARY KEY CHECK (id = 1), epoch INTEGER NOT NULL) STRICT;
  INSERT INTO coordinator (id, epoch) VALUES (1, 1);

  CREATE TABLE tokens (
    name TEXT PRIMARY KEY, role TEXT NOT NULL, hash TEXT NOT NULL UNIQUE, created INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE partners (
    name TEXT PRIMARY KEY, role TEXT NOT NULL, status TEXT NOT NULL, key TEXT UNIQUE,
    invite_hash TEXT UNIQUE, invite_expires INTEGER, created INTEGER NOT NULL, last_seen INTEGER
  ) STRICT;

  CREATE TABLE runs (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, plan TEXT NOT NULL, plan_hash TEXT NOT NULL, status TEXT NOT NULL,
    reason TEXT, round INTEGER NOT NULL, initial_model TEXT NOT NULL, model TEXT NOT NULL, weights TEXT NOT NULL,
    transcript TEXT, created INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE rounds (
    run TEXT NOT NULL REFERENCES runs (id), round INTEGER NOT NULL, record TEXT NOT NULL, transcript TEXT NOT NULL,
    PRIMARY KEY (run, round)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE evaluations (
    run TEXT NOT NULL REFERENCES runs (id), round INTEGER NOT NULL, evaluator TEXT NOT NULL, report TEXT NOT NULL,
    PRIMARY KEY (run, round, evaluator)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE updates (
    run TEXT NOT NULL REFERENCES runs (id), attempt TEXT NOT NULL, member TEXT NOT NULL, sha256 TEXT NOT NULL,
    bytes INTEGER NOT NULL, received INTEGER NOT NULL,
    PRIMARY KEY (attempt, member)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE journal (
    run TEXT NOT NULL REFERENCES runs (id), seq INTEGER NOT NULL, time INTEGER NOT NULL, machine INTEGER NOT NULL,
    input TEXT NOT NULL, state_hash TEXT NOT NULL,
    PRIMARY KEY (run, seq)
  ) STRICT;

  CREATE TABLE snapshots (
    run TEXT PRIMARY KEY REFERENCES runs (id), seq INTEGER NOT NULL, machine INTEGER NOT NULL, state TEXT NOT NULL
  ) STRICT;
  `,
  `
  ALTER TABLE partners ADD COLUMN instance TEXT;
  ALTER TABLE partners ADD COLUMN incident TEXT;
  `,
  `
  CREATE TABLE voids (
    run TEXT NOT NULL REFERENCES runs (id), round INTEGER NOT NULL, attempt INTEGER NOT NULL, time INTEGER NOT NULL,
    code TEXT NOT NULL, reason TEXT NOT NULL,
    PRIMARY KEY (run, round, attempt)
  ) STRICT, WITHOUT ROWID;
  `,
  `
  CREATE TABLE rotations (
    old TEXT PRIMARY KEY, new TEXT NOT NULL UNIQUE, nth INTEGER NOT NULL, rotation TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE removed_keys (key TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
  `,
  `
  ALTER TABLE coordinator ADD COLUMN key TEXT;
  UPDATE coordinator SET key = (
    SELECT new FROM rotations
    WHERE json_extract(rotation, '$.rotation.subject') = 'coordinator' AND new NOT IN (SELECT old FROM rotations)
  );
  `,
];

/** Of this program. */
export const SCHEMA_VERSION = MIGRATIONS.length;

/** @returns the version that it has. @throws unsupported-version for a newer one. */
export function requireKnownSchema(database: SqliteHandle): number {
  const [row] = database.prepare('PRAGMA user_version').all([]) as { user_version: number }[];
  const version = row?.user_version ?? 0;
  if (version > MIGRATIONS.length)
    throw new TributaryError(
      'unsupported-version',
      `The database has schema ${version}, this program knows schemas up to ${MIGRATIONS.length}.`,
      { remedy: 'Start the newer program that wrote it, or restore the backup made before the upgrade.' },
    );
  return version;
}

/** Brings the database up to this program, each step whole or not at all. @throws unsupported-version for a newer one. */
export function migrate(database: SqliteHandle): void {
  const version = requireKnownSchema(database);
  for (const [index, step] of MIGRATIONS.slice(version).entries())
    database.exec(`BEGIN IMMEDIATE; ${step} PRAGMA user_version = ${version + index + 1}; COMMIT;`);
}
