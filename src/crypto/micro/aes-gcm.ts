// AES-256-GCM (FIPS 197, SP 800-38D) for interpreters, with 96-bit nonces and 128-bit tags.
// Where to find what, by its number in the standard:
//
//   SP 800-38D §6.3     multiplication in GF(2^128), §6.4 GHASH       ghash
//   SP 800-38D §6.5     GCTR                     aes.ts
//   SP 800-38D §7       GCM-AE, GCM-AD           aesGcmSeal, aesGcmOpen
//
// The state is one Int32Array of the caller's, AES_GCM_WORDS long (308 bytes):
//
//   words   0..59   round keys (aes.ts)
//          60..63   the nonce as words, low byte first; then its block under counter 1, which masks the tag
//          64..67   Y of GHASH, 32 coefficients a word, low degrees in high bits
//          68..71   H / x in the same order
//              72   0 without a key, 1 with one, 2 with H, which the first record of a key computes
//          73..76   a block that is not full
//
// Nothing is looked up, and no branch depends on keys or data: GHASH's products of polynomials are products of
// integers whose bits stand three apart, and AES is bit-sliced (docs/side-channels.md).

import { QstpError } from '../../error.ts';
import { equalAt, getI32 } from '../../bytes.ts';
import { aesExpandKey, aesXor } from './aes.ts';

/** Words of round keys, and of whether there are any. */
export const AES_GCM_KEYS = 60;
export const AES_GCM_STAGE = 72;

const BLOCK = AES_GCM_KEYS;
const Y = 64;
const H = 68;
const STAGE = AES_GCM_STAGE;
const PART = 73;

const KEYED = 1;
const READY = 2;

export const AES_GCM_WORDS = 77;
export const AES_GCM_KEY_BYTES = 32;
export const AES_GCM_NONCE_BYTES = 12;
export const AES_GCM_TAG_BYTES = 16;

/**
 * Y = (Y + block) H for every block of `length` bytes at `data[at]`, the last filled up with zeros.
 *
 * The product of two polynomials of 128 bits is Karatsuba's, down to factors of 16 bits, of each of which every third
 * bit is taken: an integer product then sums at most six bits at any place, which leaves the three places there are
 * for it, and the lowest of the three is their sum modulo 2.
 */
export function ghash(g: Int32Array, data: Uint8Array, at: number, length: number): void {
  const end = at + length;
  const h0 = g[H]!,
    h1 = g[H + 1]!,
    h2 = g[H + 2]!,
    h3 = g[H + 3]!,
    hm0 = h0 ^ h2,
    hm1 = h1 ^ h3;
  // Word 0 of y holds the coefficients of x^0 .. x^31, the first in its highest bit.
  let p0 = g[Y]!,
    p1 = g[Y + 1]!,
    p2 = g[Y + 2]!,
    p3 = g[Y + 3]!,
    p4 = 0,
    p5 = 0,
    p6 = 0,
    p7 = 0,
    d0 = 0,
    d1 = 0,
    x0 = 0,
    x1 = 0,
    y0 = 0,
    y1 = 0,
    u = 0,
    u0 = 0,
    u1 = 0,
    u2 = 0,
    v = 0,
    v0 = 0,
    v1 = 0,
    v2 = 0,
    m = 0,
    m0 = 0,
    m1 = 0,
    r0 = 0,
    r1 = 0,
    r2 = 0,
    r3 = 0,
    pass = 0;
  for (; at < end; at += 16) {
    if (end - at >= 16) {
      p0 ^= (data[at]! << 24) | (data[at + 1]! << 16) | (data[at + 2]! << 8) | data[at + 3]!;
      p1 ^= (data[at + 4]! << 24) | (data[at + 5]! << 16) | (data[at + 6]! << 8) | data[at + 7]!;
      p2 ^= (data[at + 8]! << 24) | (data[at + 9]! << 16) | (data[at + 10]! << 8) | data[at + 11]!;
      p3 ^= (data[at + 12]! << 24) | (data[at + 13]! << 16) | (data[at + 14]! << 8) | data[at + 15]!;
    } else {
      for (let i = 0; i < 4; i++) g[PART + i] = 0;
      for (let i = 0; at + i < end; i++) g[PART + (i >> 2)]! |= data[at + i]! << (24 - ((i & 3) << 3));
      p0 ^= g[PART]!;
      p1 ^= g[PART + 1]!;
      p2 ^= g[PART + 2]!;
      p3 ^= g[PART + 3]!;
    }
    // The high halves of the integers are words 0 and 1: first their product, then that of the low halves, then
    // that of the sums. x1 x0 and y1 y0 are the factors, r3 .. r0 is the product.
    d0 = p0 ^ p2;
    d1 = p1 ^ p3;
    x0 = p1;
    x1 = p0;
    y0 = h1;
    y1 = h0;
    for (pass = 0; ; pass++) {
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
      v = r1 ^ m0 ^ r0 ^ r2;
      u = r2 ^ m1 ^ r1 ^ r3;
      if (pass === 0) {
        x0 = p3;
        x1 = p2;
        y0 = h3;
        y1 = h2;
        p3 = r0;
        p2 = v;
        p1 = u;
        p0 = r3;
      } else if (pass === 1) {
        x0 = d1;
        x1 = d0;
        y0 = hm1;
        y1 = hm0;
        p7 = r0;
        p6 = v;
        p5 = u;
        p4 = r3;
      } else {
        break;
      }
    }
    d0 = r3 ^ p0 ^ p4;
    d1 = u ^ p1 ^ p5;
    v ^= p2 ^ p6;
    r0 ^= p3 ^ p7;
    p2 ^= d0;
    p3 ^= d1;
    p4 ^= v;
    p5 ^= r0;
    // x^128 = 1 + x + x^2 + x^7 (§6.3)
    p4 ^= (p7 << 31) ^ (p7 << 30) ^ (p7 << 25);
    p3 ^=
      p7 ^
      ((p7 >> 1) & 0x7fffffff) ^
      ((p7 >> 2) & 0x3fffffff) ^
      ((p7 >> 7) & 0x1ffffff) ^
      (p6 << 31) ^
      (p6 << 30) ^
      (p6 << 25);
    p2 ^=
      p6 ^
      ((p6 >> 1) & 0x7fffffff) ^
      ((p6 >> 2) & 0x3fffffff) ^
      ((p6 >> 7) & 0x1ffffff) ^
      (p5 << 31) ^
      (p5 << 30) ^
      (p5 << 25);
    p1 ^=
      p5 ^
      ((p5 >> 1) & 0x7fffffff) ^
      ((p5 >> 2) & 0x3fffffff) ^
      ((p5 >> 7) & 0x1ffffff) ^
      (p4 << 31) ^
      (p4 << 30) ^
      (p4 << 25);
    p0 ^= p4 ^ ((p4 >> 1) & 0x7fffffff) ^ ((p4 >> 2) & 0x3fffffff) ^ ((p4 >> 7) & 0x1ffffff);
  }
  g[Y] = p0;
  g[Y + 1] = p1;
  g[Y + 2] = p2;
  g[Y + 3] = p3;
}

/** Keys a state with 32 bytes. */
export function aesGcmInit(g: Int32Array, key: Uint8Array): void {
  aesExpandKey(g, key);
  for (let i = BLOCK; i < AES_GCM_WORDS; i++) g[i] = 0;
  g[STAGE] = KEYED;
}

/** H = CIPHER(0), whose bytes are the words at H, becomes what ghash takes. */
function readyH(g: Int32Array): void {
  for (let i = H; i < STAGE; i++) {
    const x = g[i]!;
    g[i] = (x << 24) | ((x << 8) & 0xff0000) | ((x >> 8) & 0xff00) | ((x >> 24) & 255);
  }
  // Divided by x: the product of two integers stands one bit lower than that of what they mean.
  // x^-1 = x^127 + x^6 + x + 1.
  const out = g[H]! >> 31;
  for (let i = H; i < H + 3; i++) g[i] = (g[i]! << 1) | ((g[i + 1]! >> 31) & 1);
  g[H + 3] = (g[H + 3]! << 1) ^ (out & 1);
  g[H]! ^= out & 0xc2000000;
  g[STAGE] = READY;
}

/** GCTR (§6.5) from the counter 2 on; the block of counter 1, which masks the tag, into the words at BLOCK. */
function gctr(g: Int32Array, nonce: Uint8Array, data: Uint8Array, at: number, length: number): void {
  const stage = g[STAGE]!;
  if (stage === 0) throw new QstpError('cipher_not_keyed', 'the cipher state is wiped or was never keyed');
  for (let i = 0; i < 3; i++) g[BLOCK + i] = getI32(nonce, 4 * i);
  aesXor(g, 1, data, at, length, stage === KEYED);
  if (stage === KEYED) readyH(g);
}

/** 8 `length` as 64 bits, big-endian. Lengths are below 2^31. */
function putBits(out: Uint8Array, at: number, length: number): void {
  out[at] = out[at + 1] = out[at + 2] = 0;
  out[at + 3] = length >> 29;
  out[at + 4] = length >> 21;
  out[at + 5] = length >> 13;
  out[at + 6] = length >> 5;
  out[at + 7] = length << 3;
}

/** Y of associated data and ciphertext (§7.1, steps 4 and 5). `scratch[at .. at + 16)` is written over. */
function hashAll(
  g: Int32Array,
  aad: Uint8Array,
  aadLength: number,
  data: Uint8Array,
  at: number,
  length: number,
  scratch: Uint8Array,
  scratchAt: number,
): void {
  for (let i = Y; i < H; i++) g[i] = 0;
  ghash(g, aad, 0, aadLength);
  ghash(g, data, at, length);
  putBits(scratch, scratchAt, aadLength);
  putBits(scratch, scratchAt + 8, length);
  ghash(g, scratch, scratchAt, 16);
}

/** The tag, Y masked by the block of counter 1, into `out[at .. at + 16)`. What led to it is wiped. */
function putTag(g: Int32Array, out: Uint8Array, at: number): void {
  for (let i = 0; i < 4; i++) {
    const y = g[Y + i]!,
      mask = g[BLOCK + i]!;
    out[at] = (y >> 24) ^ mask;
    out[at + 1] = (y >> 16) ^ (mask >> 8);
    out[at + 2] = (y >> 8) ^ (mask >> 16);
    out[at + 3] = y ^ (mask >> 24);
    at += 4;
    g[Y + i] = g[BLOCK + i] = g[PART + i] = 0;
  }
}

/**
 * GCM-AE (§7.1): encrypts `data[at .. at + length)` in place and writes the tag of 16 bytes behind it. The
 * nonce has 12 bytes and is never used twice under a key. The associated data are the first `aadLength` bytes
 * of `aad`, which may be the same array. Throws `cipher_not_keyed` for a state that is wiped or was never keyed.
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
  gctr(g, nonce, data, at, length);
  hashAll(g, aad, aadLength, data, at, length, data, at + length);
  putTag(g, data, at + length);
}

/**
 * GCM-AD (§7.2): checks the tag behind `data[at .. at + length)` and decrypts in place. False leaves the data
 * encrypted. `scratch` takes the computed tag: at least 16 bytes. With 16 + `length` a key's first record takes one
 * pass of the cipher less. Throws `cipher_not_keyed` as aesGcmSeal does.
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
  // The pass that brings the tag's mask decrypts too. If the tag is wrong, the same again puts the ciphertext back.
  if (g[STAGE] === READY) {
    hashAll(g, aad, aadLength, data, at, length, scratch, 0);
    gctr(g, nonce, data, at, length);
  } else if (scratch.length >= AES_GCM_TAG_BYTES + length) {
    for (let i = 0; i < length; i++) scratch[AES_GCM_TAG_BYTES + i] = data[at + i]!;
    gctr(g, nonce, data, at, length);
    hashAll(g, aad, aadLength, scratch, AES_GCM_TAG_BYTES, length, scratch, 0);
  } else {
    gctr(g, nonce, data, at, 0);
    hashAll(g, aad, aadLength, data, at, length, scratch, 0);
    gctr(g, nonce, data, at, length);
  }
  putTag(g, scratch, 0);
  const good = equalAt(scratch, 0, data, at + length, AES_GCM_TAG_BYTES);
  if (!good) gctr(g, nonce, data, at, length);
  for (let i = BLOCK; i < Y; i++) g[i] = 0;
  for (let i = 0; i < AES_GCM_TAG_BYTES; i++) scratch[i] = 0;
  return good;
}
