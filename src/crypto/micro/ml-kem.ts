// ML-KEM (FIPS 203) for interpreters: int32 arithmetic, one polynomial at a time, the matrix never stored.
// Where to find what, by its number in the standard:
//
//   Alg 3, 5, 6   ByteEncode, ByteDecode     encode12, decode12, compressEncode, decodeDecompress
//   Alg 7         SampleNTT                  sampleNtt
//   Alg 8         SamplePolyCBD              sampleCbd
//   Alg 9, 10     NTT, NTT^-1                ntt, inverseNtt
//   Alg 11, 12    MultiplyNTTs               multiplyAdd
//   Alg 13, 14, 15  K-PKE                    inside mlKemKeygenStep, encryptStep, mlKemDecapsulateStep
//   Alg 16, 19    ML-KEM.KeyGen              mlKemKeygen
//   Alg 17, 20    ML-KEM.Encaps, §7.2        mlKemEncapsulate
//   Alg 18, 21    ML-KEM.Decaps, §7.3        mlKemDecapsulate
//
// Each operation is a machine: `mlKemBegin(arena)`, then its `...Step` with the same arguments until it
// returns true, then `mlKemVerdict(arena)`. The plain form does just that. A step is one polynomial's work.
//
// Memory of an operation, in words of the arena (MlKem.arenaBytes in all; k = 3: 3,664 bytes):
//
//       0..  51   sponge                               140..271   A: one matrix entry, noise or key row,
//     104..  111  STEP, ROW, COLUMN, VERDICT, ...                 256 halves and 8 to spare
//     112..  139  SEED, KEY, MESSAGE: 32 bytes each     272..527   ACC: one polynomial of sums
//                 and 16 to spare                       528..      VECTOR: k polynomials of 256 halves
//
// Coefficients are representatives modulo q of either sign, kept small enough for their next product.
// Reduction is Barrett's with a multiplication of 31 bits at the most: no division, no branch, no look-up
// depends on a secret (docs/side-channels.md). FIPS 203's "q" is Q = 3329 here.

import { copy, equalAt } from '../../bytes.ts';
import { ARENA_FREE, clearWords } from './arena.ts';
import type { Arena } from './arena.ts';
import { keccakF1600 } from './keccak-f.ts';
import {
  absorb,
  absorbByte,
  RATE_128,
  RATE_256,
  RATE_512,
  sha3Pad,
  shakeFinish,
  shakeSeed,
  spongeInit,
  squeeze,
  squeezeWords,
} from './sponge.ts';

const Q = 3329;

/** A parameter set (FIPS 203 §8, table 2) with its sizes in bytes (table 3). */
export interface MlKem {
  readonly k: number;
  readonly eta1: number;
  readonly eta2: number;
  readonly du: number;
  readonly dv: number;
  readonly publicKeyBytes: number;
  readonly secretKeyBytes: number;
  readonly ciphertextBytes: number;
  /** Scratch of any of the three operations. */
  readonly arenaBytes: number;
}

const STEP = ARENA_FREE;
const ROW = ARENA_FREE + 1;
const COLUMN = ARENA_FREE + 2;
const VERDICT = ARENA_FREE + 3;
const DIFFERENCE = ARENA_FREE + 4;
/** Byte offsets: sigma or r; the shared secret; m. */
const SEED = 4 * (ARENA_FREE + 8);
const KEY = SEED + 32;
const MESSAGE = KEY + 32;
const A_WORD = ARENA_FREE + 36;
const A = 2 * A_WORD;
const ACC = A_WORD + 132;
const VECTOR_WORD = ACC + 256;
const VECTOR = 2 * VECTOR_WORD;

function mlKem(k: number, eta1: number, eta2: number, du: number, dv: number): MlKem {
  return {
    k,
    eta1,
    eta2,
    du,
    dv,
    publicKeyBytes: 384 * k + 32,
    secretKeyBytes: 768 * k + 96,
    ciphertextBytes: 32 * (du * k + dv),
    arenaBytes: 4 * (VECTOR_WORD + 128 * k + 4),
  };
}

export const ML_KEM_512: MlKem = /* @__PURE__ */ mlKem(2, 3, 2, 10, 4);
export const ML_KEM_768: MlKem = /* @__PURE__ */ mlKem(3, 2, 2, 10, 4);
export const ML_KEM_1024: MlKem = /* @__PURE__ */ mlKem(4, 2, 2, 11, 5);

/** zeta^BitRev7(i) mod q (Appendix A), zeta = 17, between -q/2 and q/2. */
function zetas(): Int16Array {
  const out = new Int16Array(128);
  let power = 1;
  for (let i = 0; i < 128; i++) {
    let reversed = 0;
    for (let bit = 0; bit < 7; bit++) reversed |= ((i >> bit) & 1) << (6 - bit);
    out[reversed] = power > Q >> 1 ? power - Q : power;
    power = (power * 17) % Q;
  }
  return out;
}

const ZETAS: Int16Array = /* @__PURE__ */ zetas();

// Barrett reductions, written out where they are used since a call costs more than they do:
//   product t, |t| < 2^26.6:  t - (((t >> 10) * 20159 + 32768) >> 16) * Q    in (-1.12 q, 1.12 q)
//   the same, 2^25.7:         t - (((t >> 10) * 20159) >> 16) * Q            in (-0.17 q, 1.48 q)
//   sum x, |x| < 2^15:        x - ((x * 20159 + 33554432) >> 26) * Q         in [-q/2, q/2]
// 20159 = round(2^26 / q).

/**
 * Algorithm 9 in place on `f[at .. at + 256)`, |f| < q, then multiplied by `scale`. Three layers in one pass
 * and twice two: a coefficient is loaded and stored three times instead of seven. A layer adds at most
 * 1.48 q: behind the fifth, the last that is stored unreduced, no sum exceeds 8.4 q, which 16 bits hold.
 * Results are within 0.97 q.
 */
function ntt(f: Int16Array, at: number, scale: number): void {
  const zeta = ZETAS;
  const z4 = zeta[4]!,
    z5 = zeta[5]!,
    z6 = zeta[6]!,
    z7 = zeta[7]!;
  let z1 = zeta[1]!,
    z2 = zeta[2]!,
    z3 = zeta[3]!;
  let i = 0,
    i1 = 0,
    i2 = 0,
    i3 = 0,
    stop = at + 32,
    x0 = 0,
    x1 = 0,
    x2 = 0,
    x3 = 0,
    x4 = 0,
    x5 = 0,
    x6 = 0,
    x7 = 0,
    t = 0;
  // Layers of length 128, 64, 32.
  for (i = at; i < stop; i++) {
    x0 = f[i]!;
    x1 = f[i + 32]!;
    x2 = f[i + 64]!;
    x3 = f[i + 96]!;
    t = f[i + 128]! * z1;
    x4 = x0 - (t -= (((t >> 10) * 20159) >> 16) * 3329);
    x0 += t;
    t = f[i + 160]! * z1;
    x5 = x1 - (t -= (((t >> 10) * 20159) >> 16) * 3329);
    x1 += t;
    t = f[i + 192]! * z1;
    x6 = x2 - (t -= (((t >> 10) * 20159) >> 16) * 3329);
    x2 += t;
    t = f[i + 224]! * z1;
    x7 = x3 - (t -= (((t >> 10) * 20159) >> 16) * 3329);
    x3 += t;
    t = x2 * z2;
    x2 = x0 - (t -= (((t >> 10) * 20159) >> 16) * 3329);
    x0 += t;
    t = x3 * z2;
    x3 = x1 - (t -= (((t >> 10) * 20159) >> 16) * 3329);
    x1 += t;
    t = x6 * z3;
    x6 = x4 - (t -= (((t >> 10) * 20159) >> 16) * 3329);
    x4 += t;
    t = x7 * z3;
    x7 = x5 - (t -= (((t >> 10) * 20159) >> 16) * 3329);
    x5 += t;
    t = x1 * z4;
    f[i + 32] = x0 - (t -= (((t >> 10) * 20159) >> 16) * 3329);
    f[i] = x0 + t;
    t = x3 * z5;
    f[i + 96] = x2 - (t -= (((t >> 10) * 20159) >> 16) * 3329);
    f[i + 64] = x2 + t;
    t = x5 * z6;
    f[i + 160] = x4 - (t -= (((t >> 10) * 20159) >> 16) * 3329);
    f[i + 128] = x4 + t;
    t = x7 * z7;
    f[i + 224] = x6 - (t -= (((t >> 10) * 20159) >> 16) * 3329);
    f[i + 192] = x6 + t;
  }
  // Layers of length 16 and 8.
  i = at;
  for (let k = 8; k < 16; k++) {
    z1 = zeta[k]!;
    z2 = zeta[k + k]!;
    z3 = zeta[k + k + 1]!;
    stop = i + 8;
    i1 = stop;
    i2 = i + 16;
    i3 = i + 24;
    for (; i < stop; i++) {
      x0 = f[i]!;
      x1 = f[i1]!;
      t = f[i2]! * z1;
      x2 = x0 - (t -= (((t >> 10) * 20159) >> 16) * 3329);
      x0 += t;
      t = f[i3]! * z1;
      x3 = x1 - (t -= (((t >> 10) * 20159) >> 16) * 3329);
      x1 += t;
      t = x1 * z2;
      f[i1] = x0 - (t -= (((t >> 10) * 20159) >> 16) * 3329);
      f[i] = x0 + t;
      t = x3 * z3;
      f[i3] = x2 - (t -= (((t >> 10) * 20159) >> 16) * 3329);
      f[i2] = x2 + t;
      i1++;
      i2++;
      i3++;
    }
    i = i3;
  }
  // Layers of length 4 and 2.
  i = at;
  for (let k = 32; k < 64; k++) {
    z1 = zeta[k]!;
    z2 = zeta[k + k]!;
    z3 = zeta[k + k + 1]!;
    for (stop = i + 2; i < stop; i++) {
      x0 = f[i]!;
      x1 = f[i + 2]!;
      t = f[i + 4]! * z1;
      x2 = x0 - (t -= (((t >> 10) * 20159) >> 16) * 3329);
      x0 += t;
      t = f[i + 6]! * z1;
      x3 = x1 - (t -= (((t >> 10) * 20159) >> 16) * 3329);
      x1 += t;
      t = x1 * z2;
      x1 = (x0 - (t -= (((t >> 10) * 20159) >> 16) * 3329)) * scale;
      x0 = (x0 + t) * scale;
      t = x3 * z3;
      x3 = (x2 - (t -= (((t >> 10) * 20159) >> 16) * 3329)) * scale;
      x2 = (x2 + t) * scale;
      f[i] = x0 - (((x0 >> 10) * 20159 + 32768) >> 16) * 3329;
      f[i + 2] = x1 - (((x1 >> 10) * 20159 + 32768) >> 16) * 3329;
      f[i + 4] = x2 - (((x2 >> 10) * 20159 + 32768) >> 16) * 3329;
      f[i + 6] = x3 - (((x3 >> 10) * 20159 + 32768) >> 16) * 3329;
    }
    i += 6;
  }
}

/**
 * What {@link ntt} multiplies by if the product is to go through {@link inverseNtt}: 128^-1 mod q, line 14
 * of algorithm 10. Done there, where a reduction follows anyway.
 */
const INVERSE_128 = 3303 - Q;

/**
 * Algorithm 10 without line 14, in place on `f[at .. at + 256)`, |f| < 2^26.6. Results are within 7 q.
 * Only the first of four results of a pass is a sum in each of its layers: unreduced behind the first pass,
 * it spans 7.7 q, so that no difference exceeds 15.4 q, whose product with a zeta is below 2^26.4.
 */
function inverseNtt(f: Int32Array, at: number): void {
  const zeta = ZETAS;
  const z4 = zeta[7]!,
    z5 = zeta[6]!,
    z6 = zeta[5]!,
    z7 = zeta[4]!;
  let z1 = 0,
    z2 = 0,
    z3 = 0;
  let i = at,
    i1 = 0,
    i2 = 0,
    i3 = 0,
    stop = 0,
    x0 = 0,
    x1 = 0,
    x2 = 0,
    x3 = 0,
    x4 = 0,
    x5 = 0,
    x6 = 0,
    x7 = 0,
    t = 0;
  // Layers of length 2 and 4. Indices of zeta run down.
  for (let k = 63; k >= 32; k--) {
    z1 = zeta[k]!;
    z2 = zeta[k + k + 1]!;
    z3 = zeta[k + k]!;
    for (stop = i + 2; i < stop; i++) {
      x0 = f[i]!;
      x0 -= (((x0 >> 10) * 20159 + 32768) >> 16) * 3329;
      x1 = f[i + 2]!;
      x1 -= (((x1 >> 10) * 20159 + 32768) >> 16) * 3329;
      t = (x1 - x0) * z2;
      x0 += x1;
      x1 = t - (((t >> 10) * 20159) >> 16) * 3329;
      x2 = f[i + 4]!;
      x2 -= (((x2 >> 10) * 20159 + 32768) >> 16) * 3329;
      x3 = f[i + 6]!;
      x3 -= (((x3 >> 10) * 20159 + 32768) >> 16) * 3329;
      t = (x3 - x2) * z3;
      x2 += x3;
      x3 = t - (((t >> 10) * 20159) >> 16) * 3329;
      t = (x2 - x0) * z1;
      f[i] = x0 + x2;
      f[i + 2] = x1 + x3;
      f[i + 4] = t - (((t >> 10) * 20159) >> 16) * 3329;
      t = (x3 - x1) * z1;
      f[i + 6] = t - (((t >> 10) * 20159) >> 16) * 3329;
    }
    i += 6;
  }
  // Layers of length 8 and 16.
  i = at;
  for (let k = 15; k >= 8; k--) {
    z1 = zeta[k]!;
    z2 = zeta[k + k + 1]!;
    z3 = zeta[k + k]!;
    stop = i + 8;
    i1 = stop;
    i2 = i + 16;
    i3 = i + 24;
    for (; i < stop; i++) {
      x0 = f[i]!;
      x1 = f[i1]!;
      t = (x1 - x0) * z2;
      x0 += x1;
      x1 = t - (((t >> 10) * 20159) >> 16) * 3329;
      x2 = f[i2]!;
      x3 = f[i3]!;
      t = (x3 - x2) * z3;
      x2 += x3;
      x3 = t - (((t >> 10) * 20159) >> 16) * 3329;
      t = (x2 - x0) * z1;
      x0 += x2;
      f[i] = x0 - (((x0 >> 10) * 20159 + 32768) >> 16) * 3329;
      f[i1] = x1 + x3;
      f[i2] = t - (((t >> 10) * 20159) >> 16) * 3329;
      t = (x3 - x1) * z1;
      f[i3] = t - (((t >> 10) * 20159) >> 16) * 3329;
      i1++;
      i2++;
      i3++;
    }
    i = i3;
  }
  // Layers of length 32, 64, 128.
  z3 = zeta[2]!;
  z2 = zeta[3]!;
  z1 = zeta[1]!;
  stop = at + 32;
  for (i = at; i < stop; i++) {
    x0 = f[i]!;
    x1 = f[i + 32]!;
    t = (x1 - x0) * z4;
    x0 += x1;
    x1 = t - (((t >> 10) * 20159) >> 16) * 3329;
    x2 = f[i + 64]!;
    x3 = f[i + 96]!;
    t = (x3 - x2) * z5;
    x2 += x3;
    x3 = t - (((t >> 10) * 20159) >> 16) * 3329;
    x4 = f[i + 128]!;
    x5 = f[i + 160]!;
    t = (x5 - x4) * z6;
    x4 += x5;
    x5 = t - (((t >> 10) * 20159) >> 16) * 3329;
    x6 = f[i + 192]!;
    x7 = f[i + 224]!;
    t = (x7 - x6) * z7;
    x6 += x7;
    x7 = t - (((t >> 10) * 20159) >> 16) * 3329;
    t = (x2 - x0) * z2;
    x0 += x2;
    x2 = t - (((t >> 10) * 20159) >> 16) * 3329;
    t = (x3 - x1) * z2;
    x1 += x3;
    x3 = t - (((t >> 10) * 20159) >> 16) * 3329;
    t = (x6 - x4) * z3;
    x4 += x6;
    x6 = t - (((t >> 10) * 20159) >> 16) * 3329;
    t = (x7 - x5) * z3;
    x5 += x7;
    x7 = t - (((t >> 10) * 20159) >> 16) * 3329;
    t = (x4 - x0) * z1;
    f[i + 128] = t - (((t >> 10) * 20159) >> 16) * 3329;
    x0 += x4;
    f[i] = x0 - (((x0 >> 10) * 20159 + 32768) >> 16) * 3329;
    t = (x5 - x1) * z1;
    f[i + 160] = t - (((t >> 10) * 20159) >> 16) * 3329;
    f[i + 32] = x1 + x5;
    t = (x6 - x2) * z1;
    f[i + 192] = t - (((t >> 10) * 20159) >> 16) * 3329;
    f[i + 64] = x2 + x6;
    t = (x7 - x3) * z1;
    f[i + 224] = t - (((t >> 10) * 20159) >> 16) * 3329;
    f[i + 96] = x3 + x7;
  }
}

/**
 * Adds MultiplyNTTs (algorithms 11, 12) of A and the polynomial at `at` to ACC, without a reduction of the
 * sums: k <= 5 products of coefficients 0 <= a < q and |b| < 0.97 q stay below 2^26.7.
 */
function multiplyAdd(arena: Arena, at: number): void {
  const w = arena.words;
  const h = arena.halves;
  const zeta = ZETAS;
  let a0 = 0,
    a1 = 0,
    b0 = 0,
    b1 = 0,
    z = 0,
    t = 0;
  let a = A;
  let b = at;
  let c = ACC;
  for (let i = 64; i < 128; i++) {
    z = zeta[i]!;
    a0 = h[a]!;
    a1 = h[a + 1]!;
    b0 = h[b]!;
    b1 = h[b + 1]!;
    t = a1 * b1;
    w[c]! += a0 * b0 + (t - (((t >> 10) * 20159) >> 16) * 3329) * z;
    w[c + 1]! += a0 * b1 + a1 * b0;
    a0 = h[a + 2]!;
    a1 = h[a + 3]!;
    b0 = h[b + 2]!;
    b1 = h[b + 3]!;
    t = a1 * b1;
    w[c + 2]! += a0 * b0 - (t - (((t >> 10) * 20159) >> 16) * 3329) * z;
    w[c + 3]! += a0 * b1 + a1 * b0;
    a += 4;
    b += 4;
    c += 4;
  }
}

/** Algorithm 7 into A: the XOF is SHAKE128 of the 32 bytes at `seed[at]`, then `x`, `y`. */
function sampleNtt(arena: Arena, seed: Uint8Array, at: number, x: number, y: number): void {
  const s = arena.sponge;
  const h = arena.halves;
  const end = A + 256;
  let i = 0,
    j = A,
    d = 0,
    w0 = 0,
    w1 = 0,
    w2 = 0;
  shakeSeed(s, RATE_128, seed, at, 32, x | (y << 8), 2);
  // Three words are eight candidates; a block of 42 words is fourteen times that.
  while (j < end) {
    if (i === 42) {
      keccakF1600(s);
      i = 0;
    }
    w0 = s[i]!;
    w1 = s[i + 1]!;
    w2 = s[i + 2]!;
    i += 3;
    d = w0 & 4095;
    if (d < 3329) {
      h[j] = d;
      j++;
    }
    d = (w0 >> 12) & 4095;
    if (d < 3329) {
      h[j] = d;
      j++;
    }
    d = ((w0 >> 24) & 255) | ((w1 & 15) << 8);
    if (d < 3329) {
      h[j] = d;
      j++;
    }
    d = (w1 >> 4) & 4095;
    if (d < 3329) {
      h[j] = d;
      j++;
    }
    d = (w1 >> 16) & 4095;
    if (d < 3329) {
      h[j] = d;
      j++;
    }
    d = ((w1 >> 28) & 15) | ((w2 & 255) << 4);
    if (d < 3329) {
      h[j] = d;
      j++;
    }
    d = (w2 >> 8) & 4095;
    if (d < 3329) {
      h[j] = d;
      j++;
    }
    d = (w2 >> 20) & 4095;
    if (d < 3329) {
      h[j] = d;
      j++;
    }
  }
}

/** Algorithm 8 of PRF_eta(SEED, nonce) = SHAKE256, into the 256 halves at `at`. */
function sampleCbd(arena: Arena, eta: number, nonce: number, at: number): void {
  const s = arena.sponge;
  const w = arena.words;
  const h = arena.halves;
  const end = at + 256;
  let i = 0,
    x = 0,
    n = 0;
  shakeSeed(s, RATE_256, arena.bytes, SEED, 32, nonce, 1);
  if (eta === 2) {
    // A word holds eight coefficients of 2 + 2 bits; 32 words are less than a block.
    for (let j = at; j < end; j += 8) {
      x = s[i]!;
      i++;
      x = (x & 0x55555555) + ((x >> 1) & 0x55555555);
      h[j] = (x & 3) - ((x >> 2) & 3);
      h[j + 1] = ((x >> 4) & 3) - ((x >> 6) & 3);
      h[j + 2] = ((x >> 8) & 3) - ((x >> 10) & 3);
      h[j + 3] = ((x >> 12) & 3) - ((x >> 14) & 3);
      h[j + 4] = ((x >> 16) & 3) - ((x >> 18) & 3);
      h[j + 5] = ((x >> 20) & 3) - ((x >> 22) & 3);
      h[j + 6] = ((x >> 24) & 3) - ((x >> 26) & 3);
      h[j + 7] = ((x >> 28) & 3) - ((x >> 30) & 3);
    }
    return;
  }
  // eta = 3: 24 bits hold four coefficients of 3 + 3 bits. The 48 words are squeezed to the end of the
  // polynomial's own place: each is read before it is written over.
  const from = (at >> 1) + 80;
  squeezeWords(s, w, from, 48);
  for (let j = at; j < end; j += 4) {
    i = from + (n >> 5);
    // n & 31 is 0, 24, 16, 8: what a signed shift brings in from above is masked off where a word ends.
    x = w[i]! >> (n & 31);
    if ((n & 31) > 8) x = (x & (n & 8 ? 255 : 65535)) | (w[i + 1]! << (32 - (n & 31)));
    n += 24;
    x = (x & 0x249249) + ((x >> 1) & 0x249249) + ((x >> 2) & 0x249249);
    h[j] = (x & 7) - ((x >> 3) & 7);
    h[j + 1] = ((x >> 6) & 7) - ((x >> 9) & 7);
    h[j + 2] = ((x >> 12) & 7) - ((x >> 15) & 7);
    h[j + 3] = ((x >> 18) & 7) - ((x >> 21) & 7);
  }
}

/** ByteEncode_12 (algorithm 5) of the 256 halves at `at`, |f| < 2^15, as representatives 0 to q - 1. */
function encode12(arena: Arena, at: number, out: Uint8Array, outAt: number): void {
  const h = arena.halves;
  const end = at + 256;
  let x = 0,
    y = 0;
  for (let i = at; i < end; i += 2) {
    x = h[i]!;
    x -= ((x * 20159 + 33554432) >> 26) * 3329;
    x += (x >> 31) & 3329;
    y = h[i + 1]!;
    y -= ((y * 20159 + 33554432) >> 26) * 3329;
    y += (y >> 31) & 3329;
    out[outAt] = x;
    out[outAt + 1] = (x >> 8) | (y << 4);
    out[outAt + 2] = y >> 4;
    outAt += 3;
  }
}

/** A += ACC mod q. */
function addReduced(arena: Arena): void {
  const w = arena.words;
  const h = arena.halves;
  let a = A,
    t = 0;
  for (let i = ACC; i < ACC + 256; i++) {
    t = w[i]!;
    h[a]! += t - (((t >> 10) * 20159 + 32768) >> 16) * 3329;
    a++;
  }
}

/** ByteDecode_12 (algorithm 6) into A, modulo q. True if every number was below q (§7.2's check). */
function decode12(arena: Arena, from: Uint8Array, at: number): boolean {
  const h = arena.halves;
  let x = 0,
    y = 0,
    below = -1;
  for (let i = A; i < A + 256; i += 2) {
    y = from[at + 1]!;
    x = (from[at]! | ((y & 15) << 8)) - 3329;
    y = ((y >> 4) | (from[at + 2]! << 4)) - 3329;
    below &= x & y;
    h[i] = x + ((x >> 31) & 3329);
    h[i + 1] = y + ((y >> 31) & 3329);
    at += 3;
  }
  return below < 0;
}

/**
 * ByteEncode_d(Compress_d(ACC + A)), §4.2.1, of 32 d bytes. A representative of either sign will do: q more
 * in x is 2^d more in the quotient. That is estimated within [0, 0.12] too high and then corrected, since a
 * division could take a time that depends on x. Bytes go in pairs: 256 d bits are a whole number of those.
 */
function compressEncode(arena: Arena, d: number, out: Uint8Array, outAt: number): void {
  const w = arena.words;
  const h = arena.halves;
  const mask = (1 << d) - 1;
  let a = A,
    x = 0,
    quotient = 0,
    buffer = 0,
    bits = 0;
  for (let i = ACC; i < ACC + 256; i++) {
    x = w[i]! + h[a]!;
    a++;
    x -= ((x * 20159 + 33554432) >> 26) * 3329;
    x = (x << d) + 1664;
    quotient = (x * 315 + 61440) >> 20;
    quotient += (x - quotient * 3329) >> 31;
    buffer |= (quotient & mask) << bits;
    bits += d;
    if (bits >= 16) {
      out[outAt] = buffer;
      out[outAt + 1] = buffer >> 8;
      outAt += 2;
      buffer >>= 16;
      bits -= 16;
    }
  }
}

/** Not 0 if the 32 d bytes of `text` are others than {@link compressEncode} would write there. */
function compressCompare(arena: Arena, d: number, text: Uint8Array, at: number): number {
  const w = arena.words;
  const h = arena.halves;
  const mask = (1 << d) - 1;
  let a = A,
    x = 0,
    quotient = 0,
    buffer = 0,
    bits = 0,
    difference = 0;
  for (let i = ACC; i < ACC + 256; i++) {
    x = w[i]! + h[a]!;
    a++;
    x -= ((x * 20159 + 33554432) >> 26) * 3329;
    x = (x << d) + 1664;
    quotient = (x * 315 + 61440) >> 20;
    if (bits < d) {
      buffer |= (text[at]! | (text[at + 1]! << 8)) << bits;
      at += 2;
      bits += 16;
    }
    difference |= (quotient + ((x - quotient * 3329) >> 31)) ^ buffer;
    buffer >>= d;
    bits -= d;
  }
  return difference & mask;
}

/** Decompress_d(ByteDecode_d(...)), §4.2.1, into the 256 halves at `at`. */
function decodeDecompress(arena: Arena, d: number, from: Uint8Array, fromAt: number, at: number): void {
  const h = arena.halves;
  const mask = (1 << d) - 1;
  const half = 1 << (d - 1);
  const end = at + 256;
  let buffer = 0,
    bits = 0;
  for (let i = at; i < end; i++) {
    if (bits < d) {
      buffer |= (from[fromAt]! | (from[fromAt + 1]! << 8)) << bits;
      fromAt += 2;
      bits += 16;
    }
    h[i] = ((buffer & mask) * 3329 + half) >> d;
    buffer >>= d;
    bits -= d;
  }
}

/** A += Decompress_1(ByteDecode_1(MESSAGE)). */
function addMessage(arena: Arena): void {
  const h = arena.halves;
  let a = A,
    byte = 0;
  for (let i = MESSAGE; i < MESSAGE + 32; i++) {
    byte = arena.bytes[i]!;
    for (let bit = 0; bit < 8; bit++) {
      h[a]! += (0 - ((byte >> bit) & 1)) & 1665;
      a++;
    }
  }
}

/** MESSAGE = ByteEncode_1(Compress_1(A - ACC)): a bit is set from 833 to 2496, nearer to q/2 than to 0. */
function decodeMessage(arena: Arena): void {
  const w = arena.words;
  const h = arena.halves;
  let a = A,
    c = ACC,
    x = 0,
    byte = 0;
  for (let i = MESSAGE; i < MESSAGE + 32; i++) {
    byte = 0;
    for (let bit = 0; bit < 8; bit++) {
      x = h[a]! - w[c]!;
      x -= ((x * 20159 + 33554432) >> 26) * 3329;
      x += (x >> 31) & 3329;
      byte -= (((832 - x) & (x - 2497)) >> 31) << bit;
      a++;
      c++;
    }
    arena.bytes[i] = byte;
  }
}

/** H = SHA3-256 of `data[at .. at + length)`. */
function hashH(
  arena: Arena,
  data: Uint8Array,
  at: number,
  length: number,
  out: Uint8Array,
  outAt: number,
): void {
  spongeInit(arena.sponge, RATE_256);
  absorb(arena.sponge, data, at, length);
  sha3Pad(arena.sponge);
  squeeze(arena.sponge, out, outAt, 32);
}

/** (K, r) = G(MESSAGE || hash), G = SHA3-512. */
function hashG(arena: Arena, hash: Uint8Array, at: number): void {
  const s = arena.sponge;
  spongeInit(s, RATE_512);
  absorb(s, arena.bytes, MESSAGE, 32);
  absorb(s, hash, at, 32);
  sha3Pad(s);
  squeeze(s, arena.bytes, KEY, 32);
  squeeze(s, arena.bytes, SEED, 32);
}

/** Makes the arena ready for a first step. */
export function mlKemBegin(arena: Arena): void {
  const w = arena.words;
  w[STEP] = 0;
  w[ROW] = 0;
  w[COLUMN] = 0;
  w[VERDICT] = 0;
  w[DIFFERENCE] = 0;
}

/** What an operation returned: valid from its last step on, until the arena is used again. */
export function mlKemVerdict(arena: Arena): boolean {
  return arena.words[VERDICT] === 1;
}

function end(p: MlKem, arena: Arena, verdict: number): boolean {
  clearWords(arena.words, 0, p.arenaBytes >> 2);
  arena.words[VERDICT] = verdict;
  return true;
}

/** Steps on to the next matrix entry; true behind the last of a row. */
function nextColumn(p: MlKem, w: Int32Array): boolean {
  w[COLUMN]!++;
  if (w[COLUMN] !== p.k) return false;
  w[COLUMN] = 0;
  w[ROW]!++;
  return true;
}

// ---- Key generation --------------------------------------------------------------------------------------

/** Number of steps of {@link mlKemKeygenStep}. */
export function mlKemKeygenSteps(p: MlKem): number {
  return p.k * p.k + p.k + 2;
}

/** One step of {@link mlKemKeygen}, with the same arguments each time; true after the last. */
export function mlKemKeygenStep(
  p: MlKem,
  arena: Arena,
  seed: Uint8Array,
  publicKey: Uint8Array,
  secretKey: Uint8Array,
): boolean {
  const w = arena.words;
  const s = arena.sponge;
  const k = p.k;
  const rho = 384 * k;
  const step = w[STEP]!;
  w[STEP]!++;
  if (step === 0) {
    // (rho, sigma) = G(d || k)
    spongeInit(s, RATE_512);
    absorb(s, seed, 0, 32);
    absorbByte(s, k);
    sha3Pad(s);
    squeeze(s, publicKey, rho, 32);
    squeeze(s, arena.bytes, SEED, 32);
    return false;
  }
  if (step <= k) {
    // s^ = NTT(s), into the vector and dk_PKE
    const at = VECTOR + 256 * (step - 1);
    sampleCbd(arena, p.eta1, step - 1, at);
    ntt(arena.halves, at, 1);
    encode12(arena, at, secretKey, 384 * (step - 1));
    return false;
  }
  const row = w[ROW]!;
  if (row < k) {
    // t^ = A s^ + e^
    const column = w[COLUMN]!;
    if (column === 0) clearWords(w, ACC, ACC + 256);
    sampleNtt(arena, publicKey, rho, column, row);
    multiplyAdd(arena, VECTOR + 256 * column);
    if (!nextColumn(p, w)) return false;
    sampleCbd(arena, p.eta1, k + row, A);
    ntt(arena.halves, A, 1);
    addReduced(arena);
    encode12(arena, A, publicKey, 384 * row);
    return false;
  }
  copy(secretKey, rho, publicKey, 0, p.publicKeyBytes);
  hashH(arena, publicKey, 0, p.publicKeyBytes, secretKey, 2 * rho + 32);
  copy(secretKey, 2 * rho + 64, seed, 32, 32);
  return end(p, arena, 1);
}

/** ML-KEM.KeyGen_internal (algorithm 16) from `seed` = d || z, 64 bytes. */
export function mlKemKeygen(
  p: MlKem,
  arena: Arena,
  seed: Uint8Array,
  publicKey: Uint8Array,
  secretKey: Uint8Array,
): void {
  mlKemBegin(arena);
  while (!mlKemKeygenStep(p, arena, seed, publicKey, secretKey));
}

// ---- K-PKE.Encrypt ---------------------------------------------------------------------------------------

/** Writes the ciphertext's part ACC + A at `at`; with `compare`, looks whether it stands there already. */
function emit(arena: Arena, d: number, ciphertext: Uint8Array, at: number, compare: boolean): void {
  if (compare) arena.words[DIFFERENCE]! |= compressCompare(arena, d, ciphertext, at);
  else compressEncode(arena, d, ciphertext, at);
}

function encryptSteps(p: MlKem): number {
  return p.k * p.k + p.k + 1;
}

/**
 * Algorithm 14 of MESSAGE with r in SEED, step 0 to {@link encryptSteps} - 1. The second part of the
 * ciphertext comes first: it needs all of t^, so that nothing is written under a key that is none.
 * False if the key is not canonical (§7.2).
 */
function encryptStep(
  p: MlKem,
  arena: Arena,
  step: number,
  key: Uint8Array,
  keyAt: number,
  ciphertext: Uint8Array,
  compare: boolean,
): boolean {
  const w = arena.words;
  const k = p.k;
  let below = true;
  if (step < k) {
    // r^ = NTT(r)
    sampleCbd(arena, p.eta1, step, VECTOR + 256 * step);
    ntt(arena.halves, VECTOR + 256 * step, INVERSE_128);
    return true;
  }
  if (step === k) {
    // v = NTT^-1(t^ r^) + e2 + m
    clearWords(w, ACC, ACC + 256);
    for (let i = 0; i < k; i++) {
      if (!decode12(arena, key, keyAt + 384 * i)) below = false;
      multiplyAdd(arena, VECTOR + 256 * i);
    }
    inverseNtt(w, ACC);
    sampleCbd(arena, p.eta2, 2 * k, A);
    addMessage(arena);
    if (below || compare) emit(arena, p.dv, ciphertext, 32 * p.du * k, compare);
    return below;
  }
  // u = NTT^-1(A^T r^) + e1
  const row = w[ROW]!;
  const column = w[COLUMN]!;
  if (column === 0) clearWords(w, ACC, ACC + 256);
  sampleNtt(arena, key, keyAt + 384 * k, row, column);
  multiplyAdd(arena, VECTOR + 256 * column);
  if (nextColumn(p, w)) {
    inverseNtt(w, ACC);
    sampleCbd(arena, p.eta2, k + row, A);
    emit(arena, p.du, ciphertext, 32 * p.du * row, compare);
  }
  return true;
}

// ---- Encapsulation ---------------------------------------------------------------------------------------

/** Number of steps of {@link mlKemEncapsulateStep}. */
export function mlKemEncapsulateSteps(p: MlKem): number {
  return 1 + encryptSteps(p);
}

/** One step of {@link mlKemEncapsulate}, with the same arguments each time; true after the last. */
export function mlKemEncapsulateStep(
  p: MlKem,
  arena: Arena,
  publicKey: Uint8Array,
  coins: Uint8Array,
  ciphertext: Uint8Array,
  sharedSecret: Uint8Array,
): boolean {
  const w = arena.words;
  const step = w[STEP]!;
  w[STEP]!++;
  if (step === 0) {
    // (K, r) = G(m || H(ek))
    copy(arena.bytes, MESSAGE, coins, 0, 32);
    hashH(arena, publicKey, 0, p.publicKeyBytes, arena.bytes, 2 * A);
    hashG(arena, arena.bytes, 2 * A);
    return false;
  }
  if (!encryptStep(p, arena, step - 1, publicKey, 0, ciphertext, false)) return end(p, arena, 0);
  if (step < encryptSteps(p)) return false;
  copy(sharedSecret, 0, arena.bytes, KEY, 32);
  return end(p, arena, 1);
}

/**
 * ML-KEM.Encaps_internal (algorithm 17) with m = `coins`, 32 bytes. False, and nothing written, if the key
 * has a coefficient that is not below q (§7.2).
 */
export function mlKemEncapsulate(
  p: MlKem,
  arena: Arena,
  publicKey: Uint8Array,
  coins: Uint8Array,
  ciphertext: Uint8Array,
  sharedSecret: Uint8Array,
): boolean {
  mlKemBegin(arena);
  while (!mlKemEncapsulateStep(p, arena, publicKey, coins, ciphertext, sharedSecret));
  return mlKemVerdict(arena);
}

// ---- Decapsulation ---------------------------------------------------------------------------------------

/** Number of steps of {@link mlKemDecapsulateStep}. */
export function mlKemDecapsulateSteps(p: MlKem): number {
  return 2 + p.k + encryptSteps(p);
}

/** One step of {@link mlKemDecapsulate}, with the same arguments each time; true after the last. */
export function mlKemDecapsulateStep(
  p: MlKem,
  arena: Arena,
  ciphertext: Uint8Array,
  secretKey: Uint8Array,
  sharedSecret: Uint8Array,
): boolean {
  const w = arena.words;
  const bytes = arena.bytes;
  const k = p.k;
  const keyAt = 384 * k;
  const hashAt = keyAt + p.publicKeyBytes;
  const step = w[STEP]!;
  w[STEP]!++;
  if (step === 0) {
    // §7.3: the key's hash must be that of the key.
    hashH(arena, secretKey, keyAt, p.publicKeyBytes, bytes, 2 * A);
    return equalAt(bytes, 2 * A, secretKey, hashAt, 32) ? false : end(p, arena, 0);
  }
  if (step <= k) {
    // Algorithm 15: s^ u^, with u' one polynomial at a time
    const i = step - 1;
    if (i === 0) clearWords(w, ACC, ACC + 256);
    decodeDecompress(arena, p.du, ciphertext, 32 * p.du * i, VECTOR);
    ntt(arena.halves, VECTOR, INVERSE_128);
    decode12(arena, secretKey, 384 * i);
    multiplyAdd(arena, VECTOR);
    return false;
  }
  if (step === k + 1) {
    // m' = v' - NTT^-1(s^ u^); (K', r') = G(m' || h)
    inverseNtt(w, ACC);
    decodeDecompress(arena, p.dv, ciphertext, 32 * p.du * k, A);
    decodeMessage(arena);
    hashG(arena, secretKey, hashAt);
    return false;
  }
  const encrypting = step - k - 2;
  encryptStep(p, arena, encrypting, secretKey, keyAt, ciphertext, true);
  if (encrypting < encryptSteps(p) - 1) return false;
  // K' if c' = c, else J(z || c): both are there, and a mask chooses.
  const s = arena.sponge;
  spongeInit(s, RATE_256);
  absorb(s, secretKey, hashAt + 32, 32);
  absorb(s, ciphertext, 0, p.ciphertextBytes);
  shakeFinish(s);
  squeeze(s, bytes, SEED, 32);
  const reject = (0 - w[DIFFERENCE]!) >> 31;
  for (let i = 0; i < 32; i++) {
    sharedSecret[i] = bytes[KEY + i]! ^ (reject & (bytes[KEY + i]! ^ bytes[SEED + i]!));
  }
  return end(p, arena, 1);
}

/**
 * ML-KEM.Decaps_internal (algorithm 18) with implicit rejection. False, and nothing written, if the secret
 * key does not hold the hash of its own public key (§7.3).
 */
export function mlKemDecapsulate(
  p: MlKem,
  arena: Arena,
  ciphertext: Uint8Array,
  secretKey: Uint8Array,
  sharedSecret: Uint8Array,
): boolean {
  mlKemBegin(arena);
  while (!mlKemDecapsulateStep(p, arena, ciphertext, secretKey, sharedSecret));
  return mlKemVerdict(arena);
}
