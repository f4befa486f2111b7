// AES-256-GCM (FIPS 197, SP 800-38D) for interpreters, with 96-bit nonces and 128-bit tags.
// Where to find what, by its number in the standard:
//
//   SP 800-38D §6.3     multiplication in GF(2^128), §6.4 GHASH       ghash
//   SP 800-38D §6.5     GCTR                     aes.ts
//   SP 800-38D §7       GCM-AE, GCM-AD           aesGcmSeal, aesGcmOpen
//
// The state is one Int32Array of the caller's, AES_GCM_WORDS long (336 bytes):
//
//   words   0..59   round keys (aes.ts)
//          60..63   the nonce as words, low byte first; then its block under counter 1, which masks the tag
//          64..67   Y of GHASH, 32 coefficients a word, low degrees in high bits
//          68..71   H / x in the same order
//          72..83   three products of ghash
//
// Nothing is looked up, and no branch depends on keys or data: GHASH's products of polynomials are products of
// integers whose bits stand three apart, and AES is bit-sliced (docs/side-channels.md).

import { equalAt } from '../../bytes.ts';
import { aesExpandKey, aesXor } from './aes.ts';

const BLOCK = 60;
const Y = 64;
const H = 68;
const PRODUCTS = 72;

export const AES_GCM_WORDS = 84;
export const AES_GCM_KEY_BYTES = 32;
export const AES_GCM_NONCE_BYTES = 12;
export const AES_GCM_TAG_BYTES = 16;

/**
 * g[to .. to + 4) = the product, over GF(2), of the polynomials x1 x0 and y1 y0 of 64 bits; low word first.
 * Karatsuba down to factors of 16 bits, of each of which every third bit is taken: an integer product then
 * sums at most six bits at any place, which leaves the three places there are for it, and the lowest of the
 * three is their sum modulo 2.
 */
function multiply64(g: Int32Array, to: number, x0: number, x1: number, y0: number, y1: number): void {
  let u = 0,
    u0 = 0,
    u1 = 0,
    u2 = 0,
    v = 0,
    v0 = 0,
    v1 = 0,
    v2 = 0,
    m = 0,
    r0 = 0,
    r1 = 0,
    r2 = 0,
    r3 = 0,
    m0 = 0,
    m1 = 0;
  r0 =
    ((((u0 = x0 & 0x9249) * (v0 = y0 & 0x9249)) ^
      ((u1 = x0 & 0x2492) * (v2 = y0 & 0x4924)) ^
      ((u2 = x0 & 0x4924) * (v1 = y0 & 0x2492))) &
      0x49249249) |
    (((u0 * v1) ^ (u1 * v0) ^ (u2 * v2)) & 0x92492492) |
    (((u0 * v2) ^ (u1 * v1) ^ (u2 * v0)) & 0x24924924);
  u = x0 >> 16;
  v = y0 >> 16;
  r1 =
    ((((u0 = u & 0x9249) * (v0 = v & 0x9249)) ^
      ((u1 = u & 0x2492) * (v2 = v & 0x4924)) ^
      ((u2 = u & 0x4924) * (v1 = v & 0x2492))) &
      0x49249249) |
    (((u0 * v1) ^ (u1 * v0) ^ (u2 * v2)) & 0x92492492) |
    (((u0 * v2) ^ (u1 * v1) ^ (u2 * v0)) & 0x24924924);
  u ^= x0;
  v ^= y0;
  m =
    ((((u0 = u & 0x9249) * (v0 = v & 0x9249)) ^
      ((u1 = u & 0x2492) * (v2 = v & 0x4924)) ^
      ((u2 = u & 0x4924) * (v1 = v & 0x2492))) &
      0x49249249) |
    (((u0 * v1) ^ (u1 * v0) ^ (u2 * v2)) & 0x92492492) |
    (((u0 * v2) ^ (u1 * v1) ^ (u2 * v0)) & 0x24924924);
  m ^= r0 ^ r1;
  r0 ^= m << 16;
  r1 ^= m >> 16;
  r2 =
    ((((u0 = x1 & 0x9249) * (v0 = y1 & 0x9249)) ^
      ((u1 = x1 & 0x2492) * (v2 = y1 & 0x4924)) ^
      ((u2 = x1 & 0x4924) * (v1 = y1 & 0x2492))) &
      0x49249249) |
    (((u0 * v1) ^ (u1 * v0) ^ (u2 * v2)) & 0x92492492) |
    (((u0 * v2) ^ (u1 * v1) ^ (u2 * v0)) & 0x24924924);
  u = x1 >> 16;
  v = y1 >> 16;
  r3 =
    ((((u0 = u & 0x9249) * (v0 = v & 0x9249)) ^
      ((u1 = u & 0x2492) * (v2 = v & 0x4924)) ^
      ((u2 = u & 0x4924) * (v1 = v & 0x2492))) &
      0x49249249) |
    (((u0 * v1) ^ (u1 * v0) ^ (u2 * v2)) & 0x92492492) |
    (((u0 * v2) ^ (u1 * v1) ^ (u2 * v0)) & 0x24924924);
  u ^= x1;
  v ^= y1;
  m =
    ((((u0 = u & 0x9249) * (v0 = v & 0x9249)) ^
      ((u1 = u & 0x2492) * (v2 = v & 0x4924)) ^
      ((u2 = u & 0x4924) * (v1 = v & 0x2492))) &
      0x49249249) |
    (((u0 * v1) ^ (u1 * v0) ^ (u2 * v2)) & 0x92492492) |
    (((u0 * v2) ^ (u1 * v1) ^ (u2 * v0)) & 0x24924924);
  m ^= r2 ^ r3;
  r2 ^= m << 16;
  r3 ^= m >> 16;
  x0 ^= x1;
  y0 ^= y1;
  m0 =
    ((((u0 = x0 & 0x9249) * (v0 = y0 & 0x9249)) ^
      ((u1 = x0 & 0x2492) * (v2 = y0 & 0x4924)) ^
      ((u2 = x0 & 0x4924) * (v1 = y0 & 0x2492))) &
      0x49249249) |
    (((u0 * v1) ^ (u1 * v0) ^ (u2 * v2)) & 0x92492492) |
    (((u0 * v2) ^ (u1 * v1) ^ (u2 * v0)) & 0x24924924);
  u = x0 >> 16;
  v = y0 >> 16;
  m1 =
    ((((u0 = u & 0x9249) * (v0 = v & 0x9249)) ^
      ((u1 = u & 0x2492) * (v2 = v & 0x4924)) ^
      ((u2 = u & 0x4924) * (v1 = v & 0x2492))) &
      0x49249249) |
    (((u0 * v1) ^ (u1 * v0) ^ (u2 * v2)) & 0x92492492) |
    (((u0 * v2) ^ (u1 * v1) ^ (u2 * v0)) & 0x24924924);
  u ^= x0;
  v ^= y0;
  m =
    ((((u0 = u & 0x9249) * (v0 = v & 0x9249)) ^
      ((u1 = u & 0x2492) * (v2 = v & 0x4924)) ^
      ((u2 = u & 0x4924) * (v1 = v & 0x2492))) &
      0x49249249) |
    (((u0 * v1) ^ (u1 * v0) ^ (u2 * v2)) & 0x92492492) |
    (((u0 * v2) ^ (u1 * v1) ^ (u2 * v0)) & 0x24924924);
  m ^= m0 ^ m1;
  m0 ^= m << 16;
  m1 ^= m >> 16;
  g[to] = r0;
  g[to + 1] = r1 ^ m0 ^ r0 ^ r2;
  g[to + 2] = r2 ^ m1 ^ r1 ^ r3;
  g[to + 3] = r3;
}

/** Y = (Y + block) H for every block of `length` bytes at `data[at]`, the last filled up with zeros. */
export function ghash(g: Int32Array, data: Uint8Array, at: number, length: number): void {
  const end = at + length;
  const h0 = g[H]!,
    h1 = g[H + 1]!,
    h2 = g[H + 2]!,
    h3 = g[H + 3]!;
  // Word 0 of y holds the coefficients of x^0 .. x^31, the first in its highest bit.
  let y0 = g[Y]!,
    y1 = g[Y + 1]!,
    y2 = g[Y + 2]!,
    y3 = g[Y + 3]!,
    z4 = 0,
    z5 = 0,
    z6 = 0,
    z7 = 0,
    m0 = 0,
    m1 = 0,
    m2 = 0,
    m3 = 0;
  for (; at < end; at += 16) {
    if (end - at >= 16) {
      y0 ^= (data[at]! << 24) | (data[at + 1]! << 16) | (data[at + 2]! << 8) | data[at + 3]!;
      y1 ^= (data[at + 4]! << 24) | (data[at + 5]! << 16) | (data[at + 6]! << 8) | data[at + 7]!;
      y2 ^= (data[at + 8]! << 24) | (data[at + 9]! << 16) | (data[at + 10]! << 8) | data[at + 11]!;
      y3 ^= (data[at + 12]! << 24) | (data[at + 13]! << 16) | (data[at + 14]! << 8) | data[at + 15]!;
    } else {
      for (let i = 0; i < 4; i++) g[PRODUCTS + i] = 0;
      for (let i = 0; at + i < end; i++) g[PRODUCTS + (i >> 2)]! |= data[at + i]! << (24 - ((i & 3) << 3));
      y0 ^= g[PRODUCTS]!;
      y1 ^= g[PRODUCTS + 1]!;
      y2 ^= g[PRODUCTS + 2]!;
      y3 ^= g[PRODUCTS + 3]!;
    }
    // The high halves of the integers are words 0 and 1.
    multiply64(g, PRODUCTS, y1, y0, h1, h0);
    multiply64(g, PRODUCTS + 4, y3, y2, h3, h2);
    multiply64(g, PRODUCTS + 8, y1 ^ y3, y0 ^ y2, h1 ^ h3, h0 ^ h2);
    y0 = g[PRODUCTS + 3]!;
    y1 = g[PRODUCTS + 2]!;
    y2 = g[PRODUCTS + 1]!;
    y3 = g[PRODUCTS]!;
    z4 = g[PRODUCTS + 7]!;
    z5 = g[PRODUCTS + 6]!;
    z6 = g[PRODUCTS + 5]!;
    z7 = g[PRODUCTS + 4]!;
    m0 = g[PRODUCTS + 11]! ^ y0 ^ z4;
    m1 = g[PRODUCTS + 10]! ^ y1 ^ z5;
    m2 = g[PRODUCTS + 9]! ^ y2 ^ z6;
    m3 = g[PRODUCTS + 8]! ^ y3 ^ z7;
    y2 ^= m0;
    y3 ^= m1;
    z4 ^= m2;
    z5 ^= m3;
    // x^128 = 1 + x + x^2 + x^7 (§6.3)
    z4 ^= (z7 << 31) ^ (z7 << 30) ^ (z7 << 25);
    y3 ^=
      z7 ^
      ((z7 >> 1) & 0x7fffffff) ^
      ((z7 >> 2) & 0x3fffffff) ^
      ((z7 >> 7) & 0x1ffffff) ^
      (z6 << 31) ^
      (z6 << 30) ^
      (z6 << 25);
    y2 ^=
      z6 ^
      ((z6 >> 1) & 0x7fffffff) ^
      ((z6 >> 2) & 0x3fffffff) ^
      ((z6 >> 7) & 0x1ffffff) ^
      (z5 << 31) ^
      (z5 << 30) ^
      (z5 << 25);
    y1 ^=
      z5 ^
      ((z5 >> 1) & 0x7fffffff) ^
      ((z5 >> 2) & 0x3fffffff) ^
      ((z5 >> 7) & 0x1ffffff) ^
      (z4 << 31) ^
      (z4 << 30) ^
      (z4 << 25);
    y0 ^= z4 ^ ((z4 >> 1) & 0x7fffffff) ^ ((z4 >> 2) & 0x3fffffff) ^ ((z4 >> 7) & 0x1ffffff);
  }
  g[Y] = y0;
  g[Y + 1] = y1;
  g[Y + 2] = y2;
  g[Y + 3] = y3;
}

/** Keys a state with 32 bytes. */
export function aesGcmInit(g: Int32Array, key: Uint8Array): void {
  aesExpandKey(g, key);
  // H = CIPHER(0), then divided by x: the product of two integers stands one bit lower than that of what
  // they mean. x^-1 = x^127 + x^6 + x + 1.
  for (let i = BLOCK; i < AES_GCM_WORDS; i++) g[i] = 0;
  aesXor(g, 0, key, 0, 0);
  for (let i = 0; i < 4; i++) {
    const x = g[BLOCK + i]!;
    g[H + i] = (x << 24) | ((x << 8) & 0xff0000) | ((x >> 8) & 0xff00) | ((x >> 24) & 255);
    g[BLOCK + i] = 0;
  }
  const out = g[H]! >> 31;
  for (let i = 0; i < 3; i++) g[H + i] = (g[H + i]! << 1) | ((g[H + i + 1]! >> 31) & 1);
  g[H + 3] = (g[H + 3]! << 1) ^ (out & 1);
  g[H]! ^= out & 0xc2000000;
}

function loadNonce(g: Int32Array, nonce: Uint8Array): void {
  for (let i = 0; i < 3; i++) {
    g[BLOCK + i] =
      nonce[4 * i]! | (nonce[4 * i + 1]! << 8) | (nonce[4 * i + 2]! << 16) | (nonce[4 * i + 3]! << 24);
  }
}

/** 8 `length` as 64 bits, big-endian. Lengths are below 2^31. */
function putBits(out: Uint8Array, at: number, length: number): void {
  out[at + 3] = length >> 29;
  out[at + 4] = length >> 21;
  out[at + 5] = length >> 13;
  out[at + 6] = length >> 5;
  out[at + 7] = length << 3;
}

/** The tag of associated data and ciphertext, masked by the words at BLOCK, into `out[outAt .. outAt + 16)`. */
function tag(
  g: Int32Array,
  aad: Uint8Array,
  aadLength: number,
  data: Uint8Array,
  at: number,
  length: number,
  out: Uint8Array,
  outAt: number,
): void {
  for (let i = 0; i < 4; i++) g[Y + i] = 0;
  ghash(g, aad, 0, aadLength);
  ghash(g, data, at, length);
  // Lengths in bits, 64 bits each, are the last block; then the tag is Y, masked.
  for (let i = 0; i < 16; i++) out[outAt + i] = 0;
  putBits(out, outAt, aadLength);
  putBits(out, outAt + 8, length);
  ghash(g, out, outAt, 16);
  for (let i = 0; i < 16; i++) {
    const shift = (i & 3) << 3;
    out[outAt + i] = (g[Y + (i >> 2)]! >> (24 - shift)) ^ (g[BLOCK + (i >> 2)]! >> shift);
  }
  for (let i = BLOCK; i < H; i++) g[i] = 0;
  for (let i = PRODUCTS; i < AES_GCM_WORDS; i++) g[i] = 0;
}

/**
 * GCM-AE (§7.1): encrypts `data[at .. at + length)` in place and writes the tag of 16 bytes behind it. The
 * nonce has 12 bytes and is never used twice under a key. The associated data are the first `aadLength` bytes
 * of `aad`, which may be the same array.
 */
export function aesGcmSeal(
  g: Int32Array,
  nonce: Uint8Array,
  aad: Uint8Array,
  aadLength: number,
  data: Uint8Array,
  at: number,
  length: number,
): void {
  loadNonce(g, nonce);
  aesXor(g, 1, data, at, length);
  tag(g, aad, aadLength, data, at, length, data, at + length);
}

/**
 * GCM-AD (§7.2): checks the tag behind `data[at .. at + length)` and decrypts in place. False leaves the data
 * encrypted. `scratch` takes the computed tag: at least 16 bytes.
 */
export function aesGcmOpen(
  g: Int32Array,
  nonce: Uint8Array,
  aad: Uint8Array,
  aadLength: number,
  data: Uint8Array,
  at: number,
  length: number,
  scratch: Uint8Array,
): boolean {
  loadNonce(g, nonce);
  aesXor(g, 1, data, at, 0);
  tag(g, aad, aadLength, data, at, length, scratch, 0);
  const good = equalAt(scratch, 0, data, at + length, AES_GCM_TAG_BYTES);
  if (good) {
    loadNonce(g, nonce);
    aesXor(g, 1, data, at, length);
    for (let i = BLOCK; i < Y; i++) g[i] = 0;
  }
  for (let i = 0; i < AES_GCM_TAG_BYTES; i++) scratch[i] = 0;
  return good;
}
