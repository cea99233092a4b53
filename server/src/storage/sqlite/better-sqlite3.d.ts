/** The few methods used of better-sqlite3, which ships no types of its own. */
declare module 'better-sqlite3' {
  export interface Statement {
    readonly reader: boolean;
    all(parameters: readonly unknown[]): unknown[];
    run(parameters: readonly unknown[]): { changes: number | bigint; lastInsertRowid: number | bigint };
    iterate(parameters: readonly unknown[]): IterableIterator<unknown>;
  }
  export default class Database {
    constructor(file: string, options?: { timeout?: number });
    exec(sql: string): this;
    prepare(sql: string): Statement;
    close(): this;
  }
}
