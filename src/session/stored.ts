// Small values in a platform's storage: kind, version, body, and a checksum over all of it against flash that
// rots and writes that were cut. No secret and no authenticity: who can write the storage can write the sum.
//
//   kind u8 | version u8 | body | first 4 bytes of SHA3-256 over all before

import { copy, equalAt } from '../bytes.ts';
import { absorb, sha3Finish, spongeInit, RATE_256, SPONGE_WORDS } from '../crypto/micro/sponge.ts';

const HEAD_BYTES = 2;
const SUM_BYTES = 4;

/** Kinds of stored values. */
export const Stored = {
  clock: 1,
  boot: 2,
  useCounter: 3,
  wallet: 4,
  tickets: 5,
  credential: 8,
  anchor: 10,
  parts: 9,
  revocations: 16,
  revocationList: 17,
  trust: 18,
  trustRoot: 19,
  trustServer: 20,
  /** Of src/tuple. */
  tuple: 24,
} as const;

function checksum(value: Uint8Array, length: number): Uint8Array {
  const s = new Int32Array(SPONGE_WORDS);
  const sum = new Uint8Array(32);
  spongeInit(s, RATE_256);
  absorb(s, value, 0, length);
  sha3Finish(s, sum);
  return sum;
}

/** The value to store for a body. */
export function packStored(kind: number, version: number, body: Uint8Array): Uint8Array {
  const end = HEAD_BYTES + body.length;
  const value = new Uint8Array(end + SUM_BYTES);
  value[0] = kind;
  value[1] = version;
  value.set(body, HEAD_BYTES);
  copy(value, end, checksum(value, end), 0, SUM_BYTES);
  return value;
}

/** The body of a stored value; null if it is damaged, of another kind or version, or not `length` bytes (-1: any). */
export function unpackStored(
  kind: number,
  version: number,
  value: Uint8Array,
  length: number,
): Uint8Array | null {
  const end = value.length - SUM_BYTES;
  if (end < HEAD_BYTES || value[0] !== kind || value[1] !== version) return null;
  if (length >= 0 && end - HEAD_BYTES !== length) return null;
  const sum = checksum(value, end);
  if (!equalAt(value, end, sum, 0, SUM_BYTES)) return null;
  const body = new Uint8Array(end - HEAD_BYTES);
  copy(body, 0, value, HEAD_BYTES, body.length);
  return body;
}
