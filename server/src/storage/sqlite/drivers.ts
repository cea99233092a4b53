/**
 * Two SQLite drivers behind one handle: `node:sqlite` where this Node has it (22.13 and newer), else the optional
 * dependency better-sqlite3. Both are synchronous, and fit Kysely's SQLite dialect.
 */
import { TributaryError } from '@tributary/protocol';
import type { SqliteDatabase, SqliteStatement } from 'kysely';

export interface SqliteHandle extends SqliteDatabase {
  exec(sql: string): void;
}

/**
 * Where SQLite has rolled back by itself (disk full, faults of the disk: sqlite.org/lang_transaction.html), Kysely's
 * rollback fails, and its error would hide the one that tells what happened.
 */
export function withQuietRollback(database: SqliteHandle): SqliteHandle {
  return {
    exec: (sql) => database.exec(sql),
    close: () => database.close(),
    prepare(sql) {
      const statement = database.prepare(sql);
      if (!/^\s*rollback\s*$/i.test(sql)) return statement;
      return {
        reader: statement.reader,
        all: (parameters) => statement.all(parameters),
        iterate: (parameters) => statement.iterate(parameters),
        run(parameters) {
          try {
            return statement.run(parameters);
          } catch (cause) {
            if (!/no transaction is active/.test(String(cause))) throw cause;
            return { changes: 0, lastInsertRowid: 0 };
          }
        },
      };
    },
  };
}

export type SqliteDriver = 'node:sqlite' | 'better-sqlite3';

interface NodeStatement {
  all(...parameters: unknown[]): unknown[];
  run(...parameters: unknown[]): { changes: number | bigint; lastInsertRowid: number | bigint };
  iterate(...parameters: unknown[]): IterableIterator<unknown>;
}

interface NodeSqlite {
  readonly DatabaseSync: new (
    file: string,
  ) => { exec(sql: string): void; prepare(sql: string): NodeStatement; close(): void };
}

type Open = (file: string) => SqliteHandle;

/** @throws storage-failed when there is no driver, or not the one asked for. */
export async function loadDriver(wanted?: SqliteDriver): Promise<Open> {
  const failures: string[] = [];
  for (const driver of wanted ? [wanted] : (['node:sqlite', 'better-sqlite3'] as const)) {
    try {
      return driver === 'node:sqlite' ? nodeDriver() : await betterDriver();
    } catch (cause) {
      failures.push(`${driver}: ${cause instanceof Error ? cause.message.split('\n')[0] : String(cause)}`);
    }
  }
  throw new TributaryError('storage-failed', `No SQLite driver works here (${failures.join('; ')}).`, {
    remedy: 'Use Node 22.13 or newer, or let npm build the optional dependency better-sqlite3.',
  });
}

function nodeDriver(): Open {
  const sqlite = loadNodeSqlite();
  if (!sqlite) throw new Error(`not in Node ${process.versions.node}`);
  return (file) => {
    const database = new sqlite.DatabaseSync(file);
    return {
      exec: (sql) => database.exec(sql),
      prepare: (sql) => nodeStatement(sql, database.prepare(sql)),
      close: () => database.close(),
    };
  };
}

/** Some Nodes warn that the module is experimental when it is loaded; nobody who runs a server can do anything about it. */
function loadNodeSqlite(): NodeSqlite | undefined {
  const { emitWarning } = process;
  process.emitWarning = (warning: string | Error, ...rest: unknown[]) => {
    const expected = rest[0] === 'ExperimentalWarning' && String(warning).startsWith('SQLite ');
    if (!expected) Reflect.apply(emitWarning, process, [warning, ...rest]);
  };
  try {
    return process.getBuiltinModule('node:sqlite') as unknown as NodeSqlite | undefined;
  } finally {
    process.emitWarning = emitWarning;
  }
}

/** Only newer Nodes can ask a statement for its columns; Kysely's own SQL tells as well, as values are parameters. */
function nodeStatement(sql: string, statement: NodeStatement): SqliteStatement {
  return {
    reader: /^\s*(?:select|with|pragma)\b|\breturning\b/i.test(sql),
    all: (parameters) => statement.all(...parameters),
    run: (parameters) => statement.run(...parameters),
    iterate: (parameters) => statement.iterate(...parameters),
  };
}

async function betterDriver(): Promise<Open> {
  const { default: Database } = await import('better-sqlite3');
  // The native part is loaded by the first database, not by the import.
  new Database(':memory:').close();
  return (file) => new Database(file, { timeout: 0 });
}
