// The rules of a TupleChainStore over anything that keeps bytes under a pointer and answers at once.

import { QstpError } from '../error.ts';
import { checkTuple, decodeTuple, encodeTuple, tupleAddress } from './record.ts';
import { TUPLE_POINTER_BYTES } from './types.ts';
import type { TupleChainStore, TuplePointer, TuplePut, TupleRecord } from './types.ts';

/** A store whose records can be taken out again. */
export interface TupleStore extends TupleChainStore {
  /** Forgets a record; there is no way back to it. `removed` is false if it is not known to be gone for good. */
  remove(pointer: TuplePointer, done: (removed: boolean) => void): void;
}

/** Keeps bytes under pointers of 16 bytes. What throws has failed: then the old bytes are there, or the new ones. */
export interface TupleBackend {
  /** Null if there is nothing. */
  read(pointer: TuplePointer): Uint8Array | null;
  /** Durable when it returns, and whole: a cut leaves what was there, or these bytes. */
  write(pointer: TuplePointer, bytes: Uint8Array): void;
  remove(pointer: TuplePointer): void;
  /** Runs what reads and then writes with nobody else in between; absent: nobody else is there. */
  together?(run: () => void): void;
}

/** Whether a record goes in the place of the bytes that are there. Damaged ones make way. */
export function replaces(record: TupleRecord, held: Uint8Array | null, pointer: TuplePointer): boolean {
  const old = held === null ? null : decodeTuple(held, pointer);
  return old === null || old.version < record.version;
}

/** Throws `invalid_input` for what is no pointer. */
export function checkPointer(pointer: TuplePointer): void {
  if (pointer.length !== TUPLE_POINTER_BYTES) {
    throw new QstpError('invalid_input', 'tuple: the pointer has not 16 bytes');
  }
}

/** The outcome for a record that is not to replace what is there: under its own hash that is the record itself. */
export function keptOutcome(record: TupleRecord): TuplePut {
  return record.version === 0 ? 'stored' : 'stale';
}

export function createTupleStore(backend: TupleBackend): TupleStore {
  return {
    put(record, pointer, done) {
      checkTuple(record, pointer);
      const address = pointer ?? tupleAddress(record);
      let outcome: TuplePut = 'failed';
      const keep = (): void => {
        const replacing = replaces(record, backend.read(address), address);
        if (replacing) backend.write(address, encodeTuple(record, address));
        outcome = replacing ? 'stored' : keptOutcome(record);
      };
      try {
        if (backend.together === undefined) keep();
        else backend.together(keep);
      } catch {
        // Whatever `keep` found out: it is not known to have lasted.
        outcome = 'failed';
      }
      done(outcome, address);
    },
    fetch(pointer, done) {
      checkPointer(pointer);
      let bytes: Uint8Array | null;
      try {
        bytes = backend.read(pointer);
      } catch {
        done('failed', null);
        return;
      }
      const record = bytes === null ? null : decodeTuple(bytes, pointer);
      done(bytes === null ? 'missing' : record === null ? 'failed' : 'found', record);
    },
    remove(pointer, done) {
      checkPointer(pointer);
      let removed = true;
      try {
        backend.remove(pointer);
      } catch {
        removed = false;
      }
      done(removed);
    },
  };
}
