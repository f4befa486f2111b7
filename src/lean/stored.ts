// Values in flash: kind, version 1, body, and a checksum, the format of src/session/stored.ts.

import { equalAt, part } from '../bytes.ts';
import { sha3 } from './hash.ts';
import { problem } from './problem.ts';
import type { Files } from './types.ts';

export const BOOT_KIND = 2;
export const WALLET_KIND = 4;
export const CREDENTIAL_KIND = 8;
export const ANCHOR_KIND = 10;

/** The body of a stored value; null if it is damaged, or of another kind. */
export function unpackStored(kind: number, b: Uint8Array): Uint8Array | null {
  const end = b.length - 4;
  const good = end > 1 && b[0] === kind && b[1] === 1 && equalAt(sha3([part(b, 0, end)]), 0, b, end, 4);
  return good ? part(b, 2, end) : null;
}

/** The value to store for a body. */
export function packStored(kind: number, body: Uint8Array): Uint8Array {
  const end = body.length + 2;
  const b = new Uint8Array(end + 4);
  b[0] = kind;
  b[1] = 1;
  b.set(body, 2);
  b.set(part(sha3([part(b, 0, end)]), 0, 4), end);
  return b;
}

/** The body of a stored value, `length` bytes (0: any). Throws, `NAME_missing` or `NAME_damaged`, if it has none. */
export function readStored(files: Files, name: string, kind: number, length: number): Uint8Array {
  const b = files.load(name);
  if (b === null) throw problem(name + '_missing');
  const body = unpackStored(kind, b);
  if (body === null || (length > 0 && body.length !== length)) throw problem(name + '_damaged');
  return body;
}

/** Stores a body. False if flash does not keep it. */
export function writeStored(files: Files, name: string, kind: number, body: Uint8Array): boolean {
  const b = packStored(kind, body);
  const there = files.save(name, b) ? files.load(name) : null;
  return there !== null && there.length === b.length && equalAt(there, 0, b, 0, b.length);
}
