// Values in flash: kind, version 1, body, and a checksum, the format of src/session/stored.ts.

import { equalAt } from '../bytes.ts';
import { sha3 } from './hash.ts';
import { problem } from './problem.ts';
import type { Files } from './types.ts';

export const BOOT_KIND = 2;
export const WALLET_KIND = 4;
export const CREDENTIAL_KIND = 8;
export const ANCHOR_KIND = 10;

/** The body of a stored value, `length` bytes (0: any). Throws, `NAME_missing` or `NAME_damaged`, if it has none. */
export function readStored(files: Files, name: string, kind: number, length: number): Uint8Array {
  const b = files.read(name);
  if (b === null) throw problem(name + '_missing');
  const end = b.length - 4;
  const fits = length === 0 ? end > 1 : end === length + 2;
  if (!fits || b[0] !== kind || b[1] !== 1 || !equalAt(sha3([b.subarray(0, end)]), 0, b, end, 4)) {
    throw problem(name + '_damaged');
  }
  return b.subarray(2, end);
}

/** Stores a body. False if flash does not keep it. */
export function writeStored(files: Files, name: string, kind: number, body: Uint8Array): boolean {
  const end = body.length + 2;
  const b = new Uint8Array(end + 4);
  b[0] = kind;
  b[1] = 1;
  b.set(body, 2);
  b.set(sha3([b.subarray(0, end)]).subarray(0, 4), end);
  const kept = files.write(name, b);
  const there = kept ? files.read(name) : null;
  return there !== null && there.length === b.length && equalAt(there, 0, b, 0, b.length);
}
