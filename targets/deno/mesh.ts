// The mesh on Deno: a store of metadata.

export { kvTuples } from './tuple-kv.ts';
export type { KvTuplesOptions } from './tuple-kv.ts';
