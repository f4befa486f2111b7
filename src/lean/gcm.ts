// AES-256-GCM (FIPS 197, SP 800-38D) in few bytes of code, for engines that run source text: the same answers as
// src/crypto/micro/aes-gcm.ts, in a third of its size. It is bit-sliced too, two blocks at a time: neither indices nor
// branches depend on keys or data (docs/side-channels.md).
//
// A state is one Int32Array of GCM_WORDS:
//
//   words  0..119   the 15 round keys, 8 words each: bit k of all bytes in word k, as of the two blocks
//        120..125   H / x of GHASH, first coefficient in the highest bit, and the sums of its halves
//             126   first four bytes of the nonce (X10)

import { equalAt, getI32, part } from '../bytes.ts';
import { HEADER, TAG } from './packets.ts';
import { subBytes } from './sbox.ts';

const H = 120;
const SALT = 126;
const GCM_WORDS = 127;
/** Words of two blocks, and one that is written over. */
const BLOCKS = 9;

/** Bit k of all bytes into word k, and back: bit `i` of each byte of word `j` changes places with bit `j` of word `i`. */
function transpose(q: Int32Array): void {
  for (let s = 1; s < 8; s += s) {
    // 0x55555555, 0x33333333, 0x0f0f0f0f
    const m = (0xffffffff / ((1 << s) + 1)) | 0;
    for (let i = 0; i < 8; i = ((i | s) + 1) & ~s) {
      const x = ((q[i]! >> s) ^ q[i + s]!) & m;
      q[i + s]! ^= x;
      q[i]! ^= x << s;
    }
  }
}

/** Encrypts two blocks in place: words of the first in even places of `q`, of the second in odd ones, low byte first. */
function encrypt(g: Int32Array, q: Int32Array): void {
  let i: number,
    x: number,
    y: number,
    above = 0,
    top = 0;
  transpose(q);
  for (i = 8; i--;) q[i]! ^= g[i]!;
  for (let k = 8; k < H; k += 8) {
    subBytes(q);
    for (i = 8; i--;) {
      // ShiftRows: a row is a byte, a column two bits of it.
      x = q[i]!;
      x =
        (x & 255) |
        ((x >> 2) & 0x3f00) |
        ((x & 0x300) << 6) |
        ((x >> 4) & 0xf0000) |
        ((x & 0xf0000) << 4) |
        ((x >> 6) & 0x3000000) |
        ((x & 0x3f000000) << 2);
      if (k > 111) above = x;
      else {
        // MixColumns: 2 (p ^ q) ^ q ^ r ^ s for rows p, q, r, s; the double of a bit belongs to the one above.
        y = ((x >> 8) & 0xffffff) | (x << 24);
        x ^= y;
        if (i > 6) top = x;
        q[i + 1] = above ^ x ^ g[k + i + 1]!;
        above = y ^ ((x >> 16) & 65535) ^ (x << 16) ^ ((27 >> i) & 1 ? top : 0);
      }
      q[i] = above ^ g[k + i]!;
    }
  }
  transpose(q);
}

function swap(x: number): number {
  return (x << 24) | ((x & 0xff00) << 8) | ((x >> 8) & 0xff00) | ((x >> 24) & 255);
}

/** A state keyed with 32 bytes, and the 4 that nonces begin with behind them. They are wiped. */
export function gcmKey(key: Uint8Array): Int32Array {
  const g = new Int32Array(GCM_WORDS);
  const q = new Int32Array(BLOCKS);
  let i: number,
    j: number,
    x: number,
    y: number,
    rcon = 1;
  for (i = 0; i < 8; i++) g[i] = getI32(key, 4 * i);
  // KeyExpansion (FIPS 197 §5.2)
  for (; i < 60; i++) {
    x = g[i - 1]!;
    if ((i & 3) === 0) {
      if ((i & 7) === 0) x = ((x >> 8) & 0xffffff) | (x << 24);
      for (j = 0; j < 8; j++) q[j] = (x >> j) & 0x1010101;
      subBytes(q);
      x = 0x63636363;
      while (j--) x ^= q[j]! << j;
      if ((i & 7) === 0) {
        x ^= rcon;
        rcon += rcon;
      }
    }
    g[i] = g[i - 8]! ^ x;
  }
  for (i = 60; i > 0;) {
    i -= 4;
    for (j = 0; j < 8; j++) q[j] = g[i + (j >> 1)]! ^ (i > 0 ? 0x63636363 : 0);
    transpose(q);
    g.set(part(q, 0, 8), 2 * i);
  }
  q.fill(0);
  encrypt(g, q);
  // Divided by x: a product of integers stands one bit lower than that of the polynomials they mean.
  x = 0;
  for (j = 4; j--;) {
    y = swap(q[2 * j]!);
    g[H + j] = (y << 1) | ((x >> 31) & 1);
    x = y;
  }
  x >>= 31;
  g[H + 3]! ^= x & 1;
  g[H]! ^= x & 0xc2000000;
  g[H + 4] = g[H]! ^ g[H + 2]!;
  g[H + 5] = g[H + 1]! ^ g[H + 3]!;
  g[SALT] = getI32(key, 32);
  key.fill(0);
  return g;
}

/** The product over GF(2) of the low 16 bits of both: the bits of integer factors stand three apart, for carries to go. */
function product(x: number, y: number): number {
  const a = x & 0x9249,
    b = x & 0x2492,
    c = x & 0x4924,
    d = y & 0x9249,
    e = y & 0x2492,
    f = y & 0x4924;
  return (
    (((a * d) ^ (b * f) ^ (c * e)) & 0x49249249) |
    (((a * e) ^ (b * d) ^ (c * f)) & 0x92492492) |
    (((a * f) ^ (b * e) ^ (c * d)) & 0x24924924)
  );
}

/** y = (y + block) H for each block of `b[at .. end)`, the last filled up with zeros. `y` has two words for sums. */
function ghash(g: Int32Array, y: Int32Array, b: ArrayLike<number>, at: number, end: number): void {
  const r = new Int32Array(12);
  let i: number, u: number, v: number, low: number, high: number, middle: number;
  while (at < end) {
    for (i = 0; i < 16 && at < end; i++) y[i >> 2]! ^= b[at++]! << (24 - 8 * (i & 3));
    y[4] = y[0]! ^ y[2]!;
    y[5] = y[1]! ^ y[3]!;
    r.fill(0);
    // Karatsuba: products of the high halves, of the low ones, and of their sums.
    for (i = 0; i < 12; i++) {
      u = y[i >> 1]!;
      v = g[H + ((i >> 1) & 6) + (i & 1)]!;
      low = product(u, v);
      high = product(u >> 16, v >> 16);
      middle = product(u ^ (u >> 16), v ^ (v >> 16)) ^ low ^ high;
      u = (i & 12) + (((i & 3) + 1) >> 1);
      r[u]! ^= high ^ ((middle >> 16) & 65535);
      r[u + 1]! ^= low ^ (middle << 16);
    }
    for (i = 4; i--;) r[8 + i]! ^= r[i]! ^ r[4 + i]!;
    while (++i < 4) r[2 + i]! ^= r[8 + i]!;
    // x^128 = 1 + x + x^2 + x^7 (SP 800-38D §6.3)
    for (i = 7; i > 3; i--) {
      u = r[i]!;
      r[i - 3]! ^= (u << 31) ^ (u << 30) ^ (u << 25);
      r[i - 4]! ^= u ^ ((u >> 1) & 0x7fffffff) ^ ((u >> 2) & 0x3fffffff) ^ ((u >> 7) & 0x1ffffff);
    }
    y.set(part(r, 0, 4));
  }
}

/**
 * Seals a packet in place, or opens it: a header of 21 bytes as associated data, text, a tag of 16. GCTR (SP 800-38D §6.5)
 * over the text and GHASH, before (opening) or after it, of header and text. The nonce is salt || sequence u64 (X10), of
 * which the high half is 0. False, and the text is not to be used, if a packet to open has another tag: in constant time.
 */
export function gcmRun(g: Int32Array, sequence: number, p: Uint8Array, open: boolean): boolean {
  const length = p.length - HEADER - TAG;
  const q = new Int32Array(BLOCKS);
  const y = new Int32Array(6);
  const tag = new Uint8Array(TAG);
  let i: number,
    x: number,
    counter = 0,
    to = -16;
  const hash = (): void => {
    ghash(g, y, p, 0, HEADER);
    ghash(g, y, p, HEADER, HEADER + length);
    y[1]! ^= 8 * HEADER;
    y[3]! ^= 8 * length;
    ghash(g, y, [0], 0, 1);
    for (i = 0; i < TAG; i++) tag[i]! ^= y[i >> 2]! >> (24 - 8 * (i & 3));
  };
  if (open) hash();
  do {
    q[0] = q[1] = g[SALT]!;
    q[2] = q[3] = sequence;
    q[4] = q[5] = 0;
    q[6] = swap(++counter);
    q[7] = swap(++counter);
    encrypt(g, q);
    for (i = 0; i < 32; i++) {
      x = q[((i >> 1) & 6) | (i >> 4)]! >> (8 * (i & 3));
      // The block of counter 1 masks the tag.
      if (to < 0) tag[i]! ^= x;
      else if (to < length) p[HEADER + to]! ^= x;
      to++;
    }
  } while (to < length);
  if (!open) {
    hash();
    p.set(tag, HEADER + length);
  }
  return equalAt(tag, 0, p, HEADER + length, TAG);
}
