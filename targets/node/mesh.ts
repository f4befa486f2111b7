// The mesh on a gateway with Node: stores of metadata.

export { fileTuples } from './tuple-files.ts';
export { sqliteTuples } from './tuple-sqlite.ts';
export type { SqliteTuples } from './tuple-sqlite.ts';
