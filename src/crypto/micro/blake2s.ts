// BLAKE2s (RFC 7693) with digests of 1 to 32 bytes, keyed or not.
//
// The state is one Int32Array of the caller's, BLAKE2S_WORDS long (112 bytes):
//
//   words   0.. 7   h (§3.1)
//           8..23   the block being filled, 64 bytes, low byte first
//          24, 25   t: bytes hashed so far, low and high word
//              26   bytes in the block
//              27   digest length
//
// No look-up and no branch depends on the data.

import { wipe } from '../../bytes.ts';

const BLOCK = 8;
const TOTAL = 24;
const FILLED = 26;
const LENGTH = 27;

export const BLAKE2S_WORDS = 28;

/** IV (§2.6). */
const IV = [
  0x6a09e667,
  0xbb67ae85 | 0,
  0x3c6ef372,
  0xa54ff53a | 0,
  0x510e527f,
  0x9b05688c | 0,
  0x1f83d9ab,
  0x5be0cd19,
];

/** Message schedule (§2.7), a row of sixteen a round. */
const SIGMA = [
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3,
  11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4, 7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8,
  9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13, 2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9,
  12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11, 13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10,
  6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5, 10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0,
];

/** Compression F (§3.2) of the block; `last` is -1 for the final one, else 0. */
function compress(b: Int32Array, last: number): void {
  let v0 = b[0]!,
    v1 = b[1]!,
    v2 = b[2]!,
    v3 = b[3]!,
    v4 = b[4]!,
    v5 = b[5]!,
    v6 = b[6]!,
    v7 = b[7]!,
    v8 = IV[0]!,
    v9 = IV[1]!,
    v10 = IV[2]!,
    v11 = IV[3]!,
    v12 = IV[4]! ^ b[TOTAL]!,
    v13 = IV[5]! ^ b[TOTAL + 1]!,
    v14 = IV[6]! ^ last,
    v15 = IV[7]!;
  for (let r = 0; r < 160; r += 16) {
    v0 = (v0 + v4 + b[BLOCK + SIGMA[r]!]!) | 0;
    v12 ^= v0;
    v12 = (v12 >>> 16) | (v12 << 16);
    v8 = (v8 + v12) | 0;
    v4 ^= v8;
    v4 = (v4 >>> 12) | (v4 << 20);
    v0 = (v0 + v4 + b[BLOCK + SIGMA[r + 1]!]!) | 0;
    v12 ^= v0;
    v12 = (v12 >>> 8) | (v12 << 24);
    v8 = (v8 + v12) | 0;
    v4 ^= v8;
    v4 = (v4 >>> 7) | (v4 << 25);
    v1 = (v1 + v5 + b[BLOCK + SIGMA[r + 2]!]!) | 0;
    v13 ^= v1;
    v13 = (v13 >>> 16) | (v13 << 16);
    v9 = (v9 + v13) | 0;
    v5 ^= v9;
    v5 = (v5 >>> 12) | (v5 << 20);
    v1 = (v1 + v5 + b[BLOCK + SIGMA[r + 3]!]!) | 0;
    v13 ^= v1;
    v13 = (v13 >>> 8) | (v13 << 24);
    v9 = (v9 + v13) | 0;
    v5 ^= v9;
    v5 = (v5 >>> 7) | (v5 << 25);
    v2 = (v2 + v6 + b[BLOCK + SIGMA[r + 4]!]!) | 0;
    v14 ^= v2;
    v14 = (v14 >>> 16) | (v14 << 16);
    v10 = (v10 + v14) | 0;
    v6 ^= v10;
    v6 = (v6 >>> 12) | (v6 << 20);
    v2 = (v2 + v6 + b[BLOCK + SIGMA[r + 5]!]!) | 0;
    v14 ^= v2;
    v14 = (v14 >>> 8) | (v14 << 24);
    v10 = (v10 + v14) | 0;
    v6 ^= v10;
    v6 = (v6 >>> 7) | (v6 << 25);
    v3 = (v3 + v7 + b[BLOCK + SIGMA[r + 6]!]!) | 0;
    v15 ^= v3;
    v15 = (v15 >>> 16) | (v15 << 16);
    v11 = (v11 + v15) | 0;
    v7 ^= v11;
    v7 = (v7 >>> 12) | (v7 << 20);
    v3 = (v3 + v7 + b[BLOCK + SIGMA[r + 7]!]!) | 0;
    v15 ^= v3;
    v15 = (v15 >>> 8) | (v15 << 24);
    v11 = (v11 + v15) | 0;
    v7 ^= v11;
    v7 = (v7 >>> 7) | (v7 << 25);
    v0 = (v0 + v5 + b[BLOCK + SIGMA[r + 8]!]!) | 0;
    v15 ^= v0;
    v15 = (v15 >>> 16) | (v15 << 16);
    v10 = (v10 + v15) | 0;
    v5 ^= v10;
    v5 = (v5 >>> 12) | (v5 << 20);
    v0 = (v0 + v5 + b[BLOCK + SIGMA[r + 9]!]!) | 0;
    v15 ^= v0;
    v15 = (v15 >>> 8) | (v15 << 24);
    v10 = (v10 + v15) | 0;
    v5 ^= v10;
    v5 = (v5 >>> 7) | (v5 << 25);
    v1 = (v1 + v6 + b[BLOCK + SIGMA[r + 10]!]!) | 0;
    v12 ^= v1;
    v12 = (v12 >>> 16) | (v12 << 16);
    v11 = (v11 + v12) | 0;
    v6 ^= v11;
    v6 = (v6 >>> 12) | (v6 << 20);
    v1 = (v1 + v6 + b[BLOCK + SIGMA[r + 11]!]!) | 0;
    v12 ^= v1;
    v12 = (v12 >>> 8) | (v12 << 24);
    v11 = (v11 + v12) | 0;
    v6 ^= v11;
    v6 = (v6 >>> 7) | (v6 << 25);
    v2 = (v2 + v7 + b[BLOCK + SIGMA[r + 12]!]!) | 0;
    v13 ^= v2;
    v13 = (v13 >>> 16) | (v13 << 16);
    v8 = (v8 + v13) | 0;
    v7 ^= v8;
    v7 = (v7 >>> 12) | (v7 << 20);
    v2 = (v2 + v7 + b[BLOCK + SIGMA[r + 13]!]!) | 0;
    v13 ^= v2;
    v13 = (v13 >>> 8) | (v13 << 24);
    v8 = (v8 + v13) | 0;
    v7 ^= v8;
    v7 = (v7 >>> 7) | (v7 << 25);
    v3 = (v3 + v4 + b[BLOCK + SIGMA[r + 14]!]!) | 0;
    v14 ^= v3;
    v14 = (v14 >>> 16) | (v14 << 16);
    v9 = (v9 + v14) | 0;
    v4 ^= v9;
    v4 = (v4 >>> 12) | (v4 << 20);
    v3 = (v3 + v4 + b[BLOCK + SIGMA[r + 15]!]!) | 0;
    v14 ^= v3;
    v14 = (v14 >>> 8) | (v14 << 24);
    v9 = (v9 + v14) | 0;
    v4 ^= v9;
    v4 = (v4 >>> 7) | (v4 << 25);
  }
  b[0]! ^= v0 ^ v8;
  b[1]! ^= v1 ^ v9;
  b[2]! ^= v2 ^ v10;
  b[3]! ^= v3 ^ v11;
  b[4]! ^= v4 ^ v12;
  b[5]! ^= v5 ^ v13;
  b[6]! ^= v6 ^ v14;
  b[7]! ^= v7 ^ v15;
}

/** Starts a digest of `length` bytes (1 to 32), with a key of up to 32 bytes or null. */
export function blake2sInit(b: Int32Array, length: number, key: Uint8Array | null): void {
  for (let i = 0; i < BLAKE2S_WORDS; i++) b[i] = i < 8 ? IV[i]! : 0;
  b[0]! ^= 0x01010000 ^ length;
  b[LENGTH] = length;
  if (key !== null && key.length > 0) {
    b[0]! ^= key.length << 8;
    blake2sAbsorb(b, key, 0, key.length);
    b[FILLED] = 64;
  }
}

/** Absorbs `length` bytes of `data` from `from` on. */
export function blake2sAbsorb(b: Int32Array, data: Uint8Array, from: number, length: number): void {
  const end = from + length;
  let at = b[FILLED]!;
  for (let i = from; i < end; i++) {
    if (at === 64) {
      // Not before there is more: the last block is compressed by blake2sFinish.
      b[TOTAL] = b[TOTAL]! + 64;
      if (b[TOTAL] === 0) b[TOTAL + 1]!++;
      compress(b, 0);
      for (let j = BLOCK; j < TOTAL; j++) b[j] = 0;
      at = 0;
    }
    b[BLOCK + (at >> 2)]! |= data[i]! << ((at & 3) << 3);
    at++;
  }
  b[FILLED] = at;
}

/** The digest into `out[outAt ..]`; the state is wiped. */
export function blake2sFinish(b: Int32Array, out: Uint8Array, outAt: number): void {
  const before = b[TOTAL]!;
  b[TOTAL] = before + b[FILLED]!;
  if (b[TOTAL]! >>> 0 < before >>> 0) b[TOTAL + 1]!++;
  compress(b, -1);
  for (let i = 0; i < b[LENGTH]!; i++) out[outAt + i] = b[i >> 2]! >> ((i & 3) << 3);
  wipe(b);
}

/** BLAKE2s-256 of `data`: 32 bytes. */
export function blake2s256(data: Uint8Array): Uint8Array {
  const b = new Int32Array(BLAKE2S_WORDS);
  const out = new Uint8Array(32);
  blake2sInit(b, 32, null);
  blake2sAbsorb(b, data, 0, data.length);
  blake2sFinish(b, out, 0);
  return out;
}
