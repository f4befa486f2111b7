// Metadata of tunnels in an SQLite database, for gateways of several processes on one machine. The database is the
// engine's own (node:sqlite: Node from 22.13, Deno from 2.2). Each put is durable when it returns.

import { QstpError } from '../../src/error.ts';
import { createTupleStore } from '../../src/tuple/store.ts';
import type { TupleStore } from '../../src/tuple/store.ts';

/** How long a put waits for another process's, milliseconds. */
const BUSY_MS = 5000;

/** What is used of node:sqlite: not every Node has its types, or the module. */
interface Statement {
  run(...values: readonly Uint8Array[]): unknown;
  get(...values: readonly Uint8Array[]): Record<string, unknown> | undefined;
}
interface Database {
  exec(sql: string): void;
  prepare(sql: string): Statement;
  close(): void;
}
interface SqliteModule {
  readonly DatabaseSync: new (file: string) => Database;
}

export interface SqliteTuples extends TupleStore {
  /** Closes the database. What is called later fails. */
  close(): void;
}

function sqlite(): SqliteModule {
  let found: unknown;
  try {
    // By this way an engine that lacks the module says so, rather than not starting at all.
    found = process.getBuiltinModule?.('node:sqlite');
  } catch {
    found = undefined;
  }
  if (found !== undefined) return found as SqliteModule;
  throw new QstpError(
    'sqlite_missing',
    `this engine (${process.version}) has no node:sqlite: use Node 22.13 or later, or fileTuples`,
  );
}

/**
 * The store in the database `file`, which is made if it is not there. Throws `sqlite_missing` where the engine has none,
 * and `storage_failed`.
 */
export function sqliteTuples(file: string): SqliteTuples {
  const { DatabaseSync } = sqlite();
  let db: Database;
  let read: Statement;
  let write: Statement;
  let erase: Statement;
  try {
    db = new DatabaseSync(file);
    db.exec(`PRAGMA busy_timeout = ${BUSY_MS}`);
    // Durable at the end of each transaction: FULL is what makes it so with a write-ahead log.
    db.exec('PRAGMA journal_mode = WAL');
    db.exec('PRAGMA synchronous = FULL');
    db.exec(
      'CREATE TABLE IF NOT EXISTS tuple (pointer BLOB PRIMARY KEY, record BLOB NOT NULL) WITHOUT ROWID',
    );
    read = db.prepare('SELECT record FROM tuple WHERE pointer = ?');
    write = db.prepare('INSERT OR REPLACE INTO tuple (pointer, record) VALUES (?, ?)');
    erase = db.prepare('DELETE FROM tuple WHERE pointer = ?');
  } catch (error) {
    throw new QstpError('storage_failed', `cannot open the database ${file}: ${(error as Error).message}`);
  }
  const store = createTupleStore({
    read(pointer) {
      const record = read.get(pointer)?.['record'];
      return record instanceof Uint8Array ? record : null;
    },
    write: (pointer, bytes) => void write.run(pointer, bytes),
    remove: (pointer) => void erase.run(pointer),
    together(run) {
      db.exec('BEGIN IMMEDIATE');
      try {
        run();
        db.exec('COMMIT');
      } catch (error) {
        db.exec('ROLLBACK');
        throw error;
      }
    },
  });
  return { ...store, close: () => db.close() };
}
