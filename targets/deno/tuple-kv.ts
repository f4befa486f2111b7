// Metadata of tunnels in a Deno.Kv, for one or many processes: a put is a compare and swap, and is called back once the
// KV has it.
//
//   PREFIX, pointer  ->  the record as bytes (src/tuple/record.ts)

import { checkTuple, decodeTuple, encodeTuple, tupleAddress } from '../../src/tuple/record.ts';
import { checkPointer, keptOutcome, replaces } from '../../src/tuple/store.ts';
import type { TupleStore } from '../../src/tuple/store.ts';
import type { TuplePointer, TuplePut, TupleRecord } from '../../src/tuple/types.ts';
import { bytesOf } from './kv.ts';
import type { KeyValue, KvKey } from './kv.ts';

/** Puts of one pointer that may come between, until this one gives up. */
const TRIES = 16;

export interface KvTuplesOptions {
  /** The beginning of all its keys. Default `qstp`, `tuple`. */
  readonly prefix?: KvKey;
}

export function kvTuples(kv: KeyValue, options: KvTuplesOptions = {}): TupleStore {
  const prefix = options.prefix ?? ['qstp', 'tuple'];
  const keyOf = (pointer: TuplePointer): KvKey => [...prefix, pointer];

  const put = async (record: TupleRecord, pointer: TuplePointer): Promise<TuplePut> => {
    const key = keyOf(pointer);
    for (let i = 0; i < TRIES; i++) {
      const entry = await kv.get(key);
      if (!replaces(record, bytesOf(entry), pointer)) return keptOutcome(record);
      const { versionstamp } = entry;
      const changes = kv.atomic().check({ key, versionstamp }).set(key, encodeTuple(record, pointer));
      if ((await changes.commit()).ok) return 'stored';
    }
    return 'failed';
  };

  return {
    put(record, pointer, done) {
      checkTuple(record, pointer);
      const address = pointer ?? tupleAddress(record);
      void put(record, address)
        .catch((): TuplePut => 'failed')
        .then((outcome) => done(outcome, address));
    },
    fetch(pointer, done) {
      checkPointer(pointer);
      void kv.get(keyOf(pointer)).then(
        (entry) => {
          const bytes = bytesOf(entry);
          const record = bytes === null ? null : decodeTuple(bytes, pointer);
          done(entry.versionstamp === null ? 'missing' : record === null ? 'failed' : 'found', record);
        },
        () => done('failed', null),
      );
    },
    remove(pointer, done) {
      checkPointer(pointer);
      void kv
        .atomic()
        .delete(keyOf(pointer))
        .commit()
        .then(
          ({ ok }) => done(ok),
          () => done(false),
        );
    },
  };
}
