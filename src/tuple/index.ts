// Stores for the metadata of tunnels (docs/mesh-transport.md); those of platforms are in targets/.

export { memoryTuples } from './memory.ts';
export { storageTuples } from './device.ts';
export { createTupleStore } from './store.ts';
export type { TupleBackend, TupleStore } from './store.ts';
export { decodeTuple, encodeTuple, tupleAddress, TUPLE_CIPHERTEXT_MAX } from './record.ts';
export { TUPLE_NONCE_BYTES, TUPLE_POINTER_BYTES } from './types.ts';
export type { TupleChainStore, TupleFetch, TuplePointer, TuplePut, TupleRecord } from './types.ts';
