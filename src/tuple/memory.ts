// Records that last as long as the process: for tests, and for tunnels that need no more.

import { QstpError } from '../error.ts';
import { toHex } from '../bytes.ts';
import { createTupleStore } from './store.ts';
import type { TupleStore } from './store.ts';

/** Default number of records: some 20 MB of the common ones. */
const RECORDS_MAX = 65536;

/** A store in memory of at most `records` records; puts of more fail. */
export function memoryTuples(records: number = RECORDS_MAX): TupleStore {
  const held: Record<string, Uint8Array | undefined> = Object.create(null) as Record<
    string,
    Uint8Array | undefined
  >;
  let count = 0;
  return createTupleStore({
    read: (pointer) => held[toHex(pointer)] ?? null,
    write(pointer, bytes) {
      const key = toHex(pointer);
      if (held[key] === undefined) {
        if (count >= records) throw new QstpError('storage_full', 'tuple: no room for another record');
        count++;
      }
      held[key] = bytes;
    },
    remove(pointer) {
      const key = toHex(pointer);
      if (held[key] !== undefined) count--;
      delete held[key];
    },
  });
}
