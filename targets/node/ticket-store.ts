// A ticket store as a folder with one file a row, named by its id. To take a row is to remove its file, which
// the file system grants to one caller only: several processes of one machine may share the folder.
//
//   "QT1" | expiry u64 | owner[8] | sealed

import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
  unlinkSync,
} from 'node:fs';
import path from 'node:path';
import { QstpError } from '../../src/error.ts';
import { fromHex, getTime, putTime, toHex } from '../../src/bytes.ts';
import {
  rowsToEvict,
  TICKET_OWNER_BYTES,
  TICKET_SEALED_BYTES,
  TICKETS_MAX,
} from '../../src/link/ticket-store.ts';
import type { TicketRow, TicketStore } from '../../src/link/ticket-store.ts';
import { readWhole, replaceFile } from './storage.ts';

const MAGIC = Buffer.from('QT1');
const HEAD_BYTES = MAGIC.length + 8 + TICKET_OWNER_BYTES;
/** No draft takes that long, milliseconds. */
const DRAFT_MS = 60000;
const NAME = /^[0-9a-f]{32}$/;

export interface FileTicketStoreOptions {
  /** Rows kept. Default 10,000. */
  readonly max?: number;
  /** Told in one line of files that are damaged, and of operations that fail. */
  readonly report?: (line: string) => void;
}

function encode(row: TicketRow): Uint8Array {
  const bytes = new Uint8Array(HEAD_BYTES + row.sealed.length);
  bytes.set(MAGIC);
  putTime(bytes, MAGIC.length, row.expiry);
  bytes.set(row.owner, MAGIC.length + 8);
  bytes.set(row.sealed, HEAD_BYTES);
  return bytes;
}

function decode(id: Uint8Array, bytes: Uint8Array): TicketRow | null {
  if (bytes.length !== HEAD_BYTES + TICKET_SEALED_BYTES) return null;
  if (!MAGIC.equals(bytes.subarray(0, MAGIC.length))) return null;
  return {
    id,
    expiry: getTime(bytes, MAGIC.length),
    owner: bytes.slice(MAGIC.length + 8, HEAD_BYTES),
    sealed: bytes.slice(HEAD_BYTES),
  };
}

/** The store in `folder`, which is made (mode 0700) if it is not there. Throws `storage_failed` if it cannot be. */
export function fileTicketStore(folder: string, options: FileTicketStoreOptions = {}): TicketStore {
  const max = options.max ?? TICKETS_MAX;
  const tell = options.report ?? (() => undefined);
  /** Rows there are, as far as this process knows. */
  let count: number;
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    for (const name of readdirSync(folder)) {
      // A draft that a cut left; a young one may be another process's.
      const file = path.join(folder, name);
      if (!name.endsWith('.tmp')) continue;
      // Another process may have put it in its place meanwhile.
      const draft = statSync(file, { throwIfNoEntry: false });
      if (draft !== undefined && Date.now() - draft.mtimeMs > DRAFT_MS) rmSync(file, { force: true });
    }
    count = readdirSync(folder).length;
  } catch (error) {
    throw new QstpError(
      'storage_failed',
      `cannot use the ticket store ${folder}: ${(error as Error).message}`,
    );
  }

  const read = (name: string): TicketRow | null => {
    const file = path.join(folder, name);
    try {
      const bytes = readWhole(file);
      if (bytes === null) return null;
      const row = decode(fromHex(name)!, bytes);
      if (row !== null) return row;
      tell(`${file} is damaged: removed`);
      remove(name);
    } catch (error) {
      tell(`cannot read ${file}: ${(error as Error).message}`);
    }
    return null;
  };

  /** True if it was this call that removed it. */
  const remove = (name: string): boolean => {
    try {
      unlinkSync(path.join(folder, name));
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code !== 'ENOENT') tell(`cannot remove ${path.join(folder, name)}: ${message}`);
      return false;
    }
    count--;
    return true;
  };

  /** Makes removals durable. False if that cannot be had. */
  const flush = (): boolean => {
    if (process.platform === 'win32') return true;
    try {
      const handle = openSync(folder, 'r');
      try {
        fsyncSync(handle);
      } finally {
        closeSync(handle);
      }
      return true;
    } catch (error) {
      tell(`cannot flush ${folder}: ${(error as Error).message}`);
      return false;
    }
  };

  const rows = (): TicketRow[] => {
    const found: TicketRow[] = [];
    const names = readdirSync(folder).filter((name) => NAME.test(name));
    for (const name of names) {
      const row = read(name);
      if (row !== null) found.push(row);
    }
    count = found.length;
    return found;
  };

  const removeIf = (leaves: (row: TicketRow) => boolean): number => {
    let removed = 0;
    try {
      for (const row of rows()) if (leaves(row) && remove(toHex(row.id))) removed++;
    } catch (error) {
      tell(`cannot list ${folder}: ${(error as Error).message}`);
    }
    if (removed > 0) flush();
    return removed;
  };

  return {
    put(row, done) {
      let stored = false;
      try {
        if (count >= max) {
          // Others may have removed rows: look before one has to go.
          const all = rows();
          if (all.length >= max) {
            const leaving = rowsToEvict(all, max);
            if (leaving.length === 0) return done(false);
            for (const { id } of leaving) remove(toHex(id));
          }
        }
        replaceFile(path.join(folder, toHex(row.id)), encode(row));
        count++;
        stored = true;
      } catch (error) {
        tell(`cannot store a ticket in ${folder}: ${(error as Error).message}`);
      }
      done(stored);
    },
    get: (id, done) => done(read(toHex(id))),
    take: (id, done) => done(remove(toHex(id)) && flush()),
    removeOwner(owner, done) {
      const name = toHex(owner);
      done(removeIf((row) => toHex(row.owner) === name));
    },
    sweep: (now, done) => done(removeIf((row) => row.expiry <= now)),
  };
}
