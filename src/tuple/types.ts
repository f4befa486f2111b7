// The metadata store as tunnels see it. Stores are in this folder and in targets/.

/** The address of a record, 16 bytes. */
export type TuplePointer = Uint8Array;

export const TUPLE_POINTER_BYTES = 16;
export const TUPLE_NONCE_BYTES = 12;

/** Metadata of a tunnel, encrypted by the tunnel. What a store is given is its to keep; what it gives is the caller's. */
export interface TupleRecord {
  /** From 1 on under one pointer, u32; 0 under a pointer that is the record's hash (mesh/1). */
  readonly version: number;
  /** {@link TUPLE_NONCE_BYTES}. */
  readonly nonce: Uint8Array;
  /** With its tag of 16 bytes. */
  readonly ciphertext: Uint8Array;
}

/**
 * `stored`: durable. `stale`: the store holds this version or a later one, and keeps it. `failed`: it is not known
 * whether the record is durable.
 */
export type TuplePut = 'stored' | 'stale' | 'failed';

/** `failed`: the store could not tell. */
export type TupleFetch = 'found' | 'missing' | 'failed';

/**
 * Keeps records. Every call back comes once: before the call returns on a store that answers at once, as those of
 * devices do, and later on others. Neither call throws over what the store does.
 */
export interface TupleChainStore {
  /**
   * Keeps a record under `pointer` in the place of an older version. Without a pointer its address is the first 16
   * bytes of BLAKE2s-256(nonce || ciphertext), and it replaces the same. Calls back with the address.
   */
  put(
    record: TupleRecord,
    pointer: TuplePointer | null,
    done: (outcome: TuplePut, pointer: TuplePointer) => void,
  ): void;
  /** Calls back with the record of the highest version; null unless found. */
  fetch(pointer: TuplePointer, done: (outcome: TupleFetch, record: TupleRecord | null) => void): void;
}
