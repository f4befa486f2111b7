// Metadata of tunnels as files, one a pointer: for a gateway of one process. Each put and each removal is durable when it
// returns, which blocks for as long as the disk takes; a cut leaves the old record or the new one.

import { mkdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { toHex } from '../../src/bytes.ts';
import { QstpError } from '../../src/error.ts';
import { createTupleStore } from '../../src/tuple/store.ts';
import type { TupleStore } from '../../src/tuple/store.ts';
import { flushFolder, readWhole, replaceFile } from './storage.ts';

/** The store in `folder`, which is made (mode 0700) if it is not there. Throws `storage_failed`. */
export function fileTuples(folder: string): TupleStore {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new QstpError(
      'storage_failed',
      `cannot make the folder ${folder}: ${(error as Error).message}: name another, or make room for it`,
    );
  }
  const place = (pointer: Uint8Array): string => path.join(folder, `${toHex(pointer)}.tuple`);
  return createTupleStore({
    read: (pointer) => readWhole(place(pointer)),
    write: (pointer, bytes) => replaceFile(place(pointer), bytes),
    remove(pointer) {
      rmSync(place(pointer), { force: true });
      flushFolder(folder);
    },
  });
}
