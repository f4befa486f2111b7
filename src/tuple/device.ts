// Records in a device's storage (src/platform.ts): Moddable's preferences, Espruino's Storage, files. Its keys are too
// short for pointers, so there is a fixed number of places, each with the pointer in front of the record. A place is
// one value, which the storage replaces as a whole.

import { QstpError } from '../error.ts';
import { copyOf, equalAt } from '../bytes.ts';
import type { Storage } from '../platform.ts';
import { TUPLE_KIND } from './record.ts';
import { createTupleStore } from './store.ts';
import type { TupleStore } from './store.ts';
import { TUPLE_POINTER_BYTES } from './types.ts';
import type { TuplePointer } from './types.ts';

/** Default number of records. */
const PLACES = 8;
const PLACES_MAX = 100;
const POINTER_AT = 1;
const RECORD_AT = POINTER_AT + TUPLE_POINTER_BYTES;

/**
 * A store of `places` records under the keys `tuple.0`, `tuple.1` and so on. Records of more pointers are not taken:
 * remove those of tunnels that are gone. Throws `invalid_input` for no number of 1 to 100.
 */
export function storageTuples(storage: Storage, places: number = PLACES): TupleStore {
  if (!(places >= 1 && places <= PLACES_MAX && Math.floor(places) === places)) {
    throw new QstpError('invalid_input', 'tuple: 1 to 100 places, not ' + places);
  }

  /** The place of a pointer, or the first one that is free; -1: neither. */
  const find = (pointer: TuplePointer): { place: number; value: Uint8Array | null } => {
    let free = -1;
    for (let i = 0; i < places; i++) {
      const value = storage.get('tuple.' + i);
      const used = value !== null && value.length > RECORD_AT && value[0] === TUPLE_KIND;
      if (used && equalAt(value, POINTER_AT, pointer, 0, TUPLE_POINTER_BYTES)) return { place: i, value };
      if (!used && free === -1) free = i;
    }
    return { place: free, value: null };
  };

  return createTupleStore({
    read(pointer) {
      const { value } = find(pointer);
      return value === null ? null : copyOf(value, RECORD_AT);
    },
    write(pointer, bytes) {
      const { place } = find(pointer);
      if (place === -1) throw new QstpError('storage_full', 'tuple: no place for another record');
      const value = new Uint8Array(RECORD_AT + bytes.length);
      value[0] = TUPLE_KIND;
      value.set(pointer, POINTER_AT);
      value.set(bytes, RECORD_AT);
      storage.set('tuple.' + place, value);
    },
    remove(pointer) {
      const { place, value } = find(pointer);
      if (value !== null) storage.remove('tuple.' + place);
    },
  });
}
