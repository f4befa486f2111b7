// ML-DSA (FIPS 204) for interpreters: one polynomial at a time, the matrix never stored.
// Where to find what, by its number in the standard:
//
//   Alg 1, 6      ML-DSA.KeyGen               mlDsaKeygen
//   Alg 2, 7      ML-DSA.Sign                 mlDsaSign
//   Alg 3, 8      ML-DSA.Verify               mlDsaVerify
//   Alg 16..19    SimpleBitPack, BitPack, ... pack, unpack
//   Alg 20, 21    HintBitPack, HintBitUnpack  makeHints, hintsWellFormed
//   Alg 28        w1Encode                    absorbHighBits
//   Alg 29        SampleInBall                sampleInBall
//   Alg 30, 32    RejNTTPoly, ExpandA         multiplyAddSampled
//   Alg 31, 33    RejBoundedPoly, ExpandS     sampleBounded
//   Alg 34        ExpandMask                  expandMask
//   Alg 35        Power2Round                 in mlDsaKeygenStep
//   Alg 36..40    Decompose, hints            highBits (in absorbHighBits), checkLowBits, makeHints, useHints
//   Alg 41, 42    NTT, NTT^-1                 ntt, inverseNtt
//
// Each operation is a machine: its `...Begin`, then its `...Step` with the same arguments until it returns
// true, then `mlDsaVerdict`. The plain form does just that. A step is about one polynomial's work.
//
// Memory of an operation, in words of the arena:
//
//       0.. 103   both sponges                      192..447   C: the challenge c^, in key generation s2
//     104.. 119   PHASE, ROW, COLUMN, ...           448..      SUM: 256 doubles and 4 to spare; signing has
//     120.. 135   MU                                           one for each attempt it makes at a time
//     136.. 151   RHO: rho' or rho''                then       VECTOR: s1^, z^ or y^, 256 words each
//     152.. 167   COMMITMENT: c~                    then       W: signing only, k times 256 words an attempt
//     168.. 191   HINTS: as encoded
//
// In bytes (44, 65, 87): key generation and verification 7,984, 9,008, 11,056; signing 22,336, 28,480, 19,232.
//
// A product modulo q has 46 bits. It is a double, exact below 2^53, and is reduced by a multiplication with
// 1/q and a subtraction: no division and no remainder, whose time might depend on the operands. Sums of
// products are kept in doubles too and reduced once a row.
//
// Signing branches on nothing secret but the rejections that the standard prescribes (docs/side-channels.md).

import { copy, equalAt } from '../../bytes.ts';
import { ARENA_FREE, clearWords } from './arena.ts';
import type { Arena } from './arena.ts';
import { keccakF1600 } from './keccak-f.ts';
import {
  absorb,
  absorbByte,
  RATE_128,
  RATE_256,
  shakeFinish,
  shakeSeed,
  spongeInit,
  squeeze,
  squeezeWords,
} from './sponge.ts';

const Q = 8380417;
const Q_INVERSE = 1 / Q;
/** Dropped bits of t. */
const D = 13;

/** A parameter set (FIPS 204 §4, table 1) with its sizes in bytes (table 2). */
export interface MlDsa {
  readonly k: number;
  readonly l: number;
  readonly eta: number;
  readonly tau: number;
  readonly beta: number;
  /** gamma1 = 2^gamma1Bits; a coefficient of z takes one bit more. */
  readonly gamma1Bits: number;
  readonly gamma2: number;
  readonly omega: number;
  /** Of c~. */
  readonly commitmentBytes: number;
  readonly publicKeyBytes: number;
  readonly secretKeyBytes: number;
  readonly signatureBytes: number;
  /** Scratch of key generation and verification. */
  readonly arenaBytes: number;
  /** Scratch of signing; see {@link mlDsaSignBytes} for more speed or less memory. */
  readonly signArenaBytes: number;
}

const PHASE = ARENA_FREE;
const ROW = ARENA_FREE + 1;
const COLUMN = ARENA_FREE + 2;
const VERDICT = ARENA_FREE + 3;
const ATTEMPT = ARENA_FREE + 4;
const KAPPA = ARENA_FREE + 5;
const HINT_COUNT = ARENA_FREE + 6;
/** Byte offsets. */
const MU = 4 * (ARENA_FREE + 16);
const RHO = MU + 64;
const COMMITMENT = RHO + 64;
const HINTS = COMMITMENT + 64;
/** Word offsets. */
const C = ARENA_FREE + 88;
const SUM = C + 256;
const SUM_WORDS = 520;
/** A polynomial of 256 words in the second half of the first SUM, for when no sum is there. */
const SPARE = SUM + 256;

function vectorAt(width: number): number {
  return SUM + SUM_WORDS * width;
}

/**
 * Scratch of signing that makes `width` attempts, 1 or 2, at a time. With two, each matrix entry is sampled
 * once for both: the matrix is gone through 2.8 instead of 5.1 times in the mean (ML-DSA-65).
 */
export function mlDsaSignBytes(k: number, l: number, width: number): number {
  return 4 * (vectorAt(width) + 256 * width * (k + l));
}

function mlDsa(
  k: number,
  l: number,
  eta: number,
  tau: number,
  gamma1Bits: number,
  gamma2: number,
  omega: number,
  commitmentBytes: number,
  width: number,
): MlDsa {
  const etaBytes = eta === 2 ? 96 : 128;
  return {
    k,
    l,
    eta,
    tau,
    beta: tau * eta,
    gamma1Bits,
    gamma2,
    omega,
    commitmentBytes,
    publicKeyBytes: 32 + 320 * k,
    secretKeyBytes: 128 + etaBytes * (k + l) + 416 * k,
    signatureBytes: commitmentBytes + 32 * (gamma1Bits + 1) * l + omega + k,
    arenaBytes: 4 * (vectorAt(1) + 256 * l + 4),
    signArenaBytes: mlDsaSignBytes(k, l, width),
  };
}

/** gamma2 of the standard: (q - 1) / 88 and (q - 1) / 32. */
const GAMMA2_88 = 95232;
const GAMMA2_32 = 261888;

export const ML_DSA_44: MlDsa = /* @__PURE__ */ mlDsa(4, 4, 2, 39, 17, GAMMA2_88, 80, 32, 2);
export const ML_DSA_65: MlDsa = /* @__PURE__ */ mlDsa(6, 5, 4, 49, 19, GAMMA2_32, 55, 48, 2);
export const ML_DSA_87: MlDsa = /* @__PURE__ */ mlDsa(8, 7, 2, 60, 19, GAMMA2_32, 75, 64, 1);

/** zeta^BitRev8(i) mod q (Appendix B), zeta = 1753, between -q/2 and q/2. */
function zetas(): Int32Array {
  const out = new Int32Array(256);
  let power = 1;
  for (let i = 0; i < 256; i++) {
    let reversed = 0;
    for (let bit = 0; bit < 8; bit++) reversed |= ((i >> bit) & 1) << (7 - bit);
    out[reversed] = power > Q >> 1 ? power - Q : power;
    power = (power * 1753) % Q;
  }
  return out;
}

const ZETAS: Int32Array = /* @__PURE__ */ zetas();

// A reduction, written out where it is used since a call costs more than it does:
//   (t - ((t * Q_INVERSE) | 0) * Q) | 0    for |t| < 2^53: in (-q, q), of t's sign

/** Algorithm 41 in place, |f| <= q; results are within 9 q. Two layers a pass. */
function ntt(f: Int32Array, at: number): void {
  const zeta = ZETAS;
  const end = at + 256;
  let i = 0,
    i1 = 0,
    i2 = 0,
    i3 = 0,
    stop = 0,
    k = 1,
    x0 = 0,
    x1 = 0,
    x2 = 0,
    x3 = 0,
    z1 = 0,
    z2 = 0,
    z3 = 0,
    t = 0;
  for (let h = 64; h !== 0; h >>= 2) {
    i = at;
    while (i < end) {
      z1 = zeta[k]!;
      z2 = zeta[k + k]!;
      z3 = zeta[k + k + 1]!;
      k++;
      stop = i + h;
      i1 = stop;
      i2 = i1 + h;
      i3 = i2 + h;
      for (; i < stop; i++) {
        x0 = f[i]!;
        x1 = f[i1]!;
        t = f[i2]! * z1;
        x2 = x0 - (t = (t - ((t * Q_INVERSE) | 0) * Q) | 0);
        x0 += t;
        t = f[i3]! * z1;
        x3 = x1 - (t = (t - ((t * Q_INVERSE) | 0) * Q) | 0);
        x1 += t;
        t = x1 * z2;
        f[i1] = x0 - (t = (t - ((t * Q_INVERSE) | 0) * Q) | 0);
        f[i] = x0 + t;
        t = x3 * z3;
        f[i3] = x2 - (t = (t - ((t * Q_INVERSE) | 0) * Q) | 0);
        f[i2] = x2 + t;
        i1++;
        i2++;
        i3++;
      }
      i = i3;
    }
    // k stands behind this pass's first layer, at the start of its second: the next pass is one further.
    k <<= 1;
  }
}

/** 256^-1 mod q, line 21 of algorithm 42. */
const INVERSE_256 = 8347681 - Q;
/** zeta^128 times that, between -q/2 and q/2. */
const ZETA_INVERSE_256 = -46690;

/**
 * Algorithm 42 in place, |f| < q; so are the results. Unreduced, the first of four doubles in every layer:
 * 256 q at the last, below 2^31, and its product with a zeta of at most q/2 is below 2^53.
 */
function inverseNtt(f: Int32Array, at: number): void {
  const zeta = ZETAS;
  const end = at + 256;
  let i = 0,
    i1 = 0,
    i2 = 0,
    i3 = 0,
    stop = 0,
    k = 0,
    x0 = 0,
    x1 = 0,
    x2 = 0,
    x3 = 0,
    z1 = 0,
    z2 = 0,
    z3 = 0,
    t = 0;
  for (let h = 1; h < 64; h <<= 2) {
    // Indices of zeta run down; one of the outer layer goes with two of the inner one before it.
    k = 128 / h - 1;
    i = at;
    while (i < end) {
      z1 = zeta[k]!;
      z2 = zeta[k + k + 1]!;
      z3 = zeta[k + k]!;
      k--;
      stop = i + h;
      i1 = stop;
      i2 = i1 + h;
      i3 = i2 + h;
      for (; i < stop; i++) {
        x0 = f[i]!;
        x1 = f[i1]!;
        t = (x1 - x0) * z2;
        x0 += x1;
        x1 = (t - ((t * Q_INVERSE) | 0) * Q) | 0;
        x2 = f[i2]!;
        x3 = f[i3]!;
        t = (x3 - x2) * z3;
        x2 += x3;
        x3 = (t - ((t * Q_INVERSE) | 0) * Q) | 0;
        f[i] = x0 + x2;
        f[i1] = x1 + x3;
        t = (x2 - x0) * z1;
        f[i2] = t - ((t * Q_INVERSE) | 0) * Q;
        t = (x3 - x1) * z1;
        f[i3] = t - ((t * Q_INVERSE) | 0) * Q;
        i1++;
        i2++;
        i3++;
      }
      i = i3;
    }
  }
  // The layers of length 64 and 128, the latter with 256^-1 worked in.
  z2 = zeta[3]!;
  z3 = zeta[2]!;
  z1 = ZETA_INVERSE_256;
  stop = at + 64;
  for (i = at; i < stop; i++) {
    x0 = f[i]!;
    x1 = f[i + 64]!;
    t = (x1 - x0) * z2;
    x0 += x1;
    x1 = (t - ((t * Q_INVERSE) | 0) * Q) | 0;
    x2 = f[i + 128]!;
    x3 = f[i + 192]!;
    t = (x3 - x2) * z3;
    x2 += x3;
    x3 = (t - ((t * Q_INVERSE) | 0) * Q) | 0;
    t = (x2 - x0) * z1;
    f[i + 128] = t - ((t * Q_INVERSE) | 0) * Q;
    t = (x3 - x1) * z1;
    f[i + 192] = t - ((t * Q_INVERSE) | 0) * Q;
    t = (x0 + x2) * INVERSE_256;
    f[i] = t - ((t * Q_INVERSE) | 0) * Q;
    t = (x1 + x3) * INVERSE_256;
    f[i + 64] = t - ((t * Q_INVERSE) | 0) * Q;
  }
}

// ---- Sampling --------------------------------------------------------------------------------------------

/**
 * Adds A[row, column] (algorithms 30, 32; rho is the 32 bytes at `seed[at]`) times a polynomial of VECTOR to
 * SUM as it is sampled. With `second` not 0, also times the polynomial so many words on to the second SUM.
 */
function multiplyAddSampled(
  arena: Arena,
  seed: Uint8Array,
  at: number,
  row: number,
  column: number,
  vector: number,
  second: number,
): void {
  const s = arena.sponge;
  const w = arena.words;
  const d = arena.doubles;
  const end = (SUM >> 1) + 256;
  const first = vector - (SUM >> 1);
  const other = first + second;
  let i = 0,
    j = SUM >> 1,
    t = 0,
    w0 = 0,
    w1 = 0,
    w2 = 0;
  shakeSeed(s, RATE_128, seed, at, 32, column | (row << 8), 2);
  // Three words are four candidates; a block of 42 words is fourteen times that. Up to three too many fall
  // into the words behind a SUM.
  while (j < end) {
    if (i === 42) {
      keccakF1600(s);
      i = 0;
    }
    w0 = s[i]!;
    w1 = s[i + 1]!;
    w2 = s[i + 2]!;
    i += 3;
    t = w0 & 0x7fffff;
    if (t < Q) {
      d[j]! += t * w[j + first]!;
      if (second !== 0) d[j + 260]! += t * w[j + other]!;
      j++;
    }
    t = ((w0 >> 24) & 255) | ((w1 & 0x7fff) << 8);
    if (t < Q) {
      d[j]! += t * w[j + first]!;
      if (second !== 0) d[j + 260]! += t * w[j + other]!;
      j++;
    }
    t = ((w1 >> 16) & 0xffff) | ((w2 & 0x7f) << 16);
    if (t < Q) {
      d[j]! += t * w[j + first]!;
      if (second !== 0) d[j + 260]! += t * w[j + other]!;
      j++;
    }
    t = (w2 >> 8) & 0x7fffff;
    if (t < Q) {
      d[j]! += t * w[j + first]!;
      if (second !== 0) d[j + 260]! += t * w[j + other]!;
      j++;
    }
  }
}

/** Algorithm 31 of RHO and `nonce`, into the 256 words at `to`. */
function sampleBounded(arena: Arena, eta: number, nonce: number, to: number): void {
  const s = arena.sponge;
  const w = arena.words;
  const end = to + 256;
  let i = 0,
    word = 0,
    n = 0;
  shakeSeed(s, RATE_256, arena.bytes, RHO, 64, nonce, 2);
  while (to < end) {
    if (i === 34) {
      keccakF1600(s);
      i = 0;
    }
    word = s[i]!;
    i++;
    for (let shift = 0; shift < 32 && to < end; shift += 4) {
      n = (word >> shift) & 15;
      if (eta === 4) {
        if (n < 9) {
          w[to] = 4 - n;
          to++;
        }
      } else if (n < 15) {
        // 2 - n mod 5, the quotient by multiplication
        w[to] = 2 - n + ((n * 13) >> 6) * 5;
        to++;
      }
    }
  }
}

/** Algorithm 34: the polynomial of RHO and `nonce`, into the 256 words at `to`. */
function expandMask(arena: Arena, gamma1Bits: number, nonce: number, to: number): void {
  const s = arena.sponge;
  const w = arena.words;
  const bits = gamma1Bits + 1;
  const mask = (1 << bits) - 1;
  const gamma1 = 1 << gamma1Bits;
  const end = to + 256;
  let n = 0,
    i = 0;
  shakeSeed(s, RATE_256, arena.bytes, RHO, 64, nonce, 2);
  // Squeezed to the place of the sums, of which there are none yet.
  squeezeWords(s, w, SUM, 8 * bits);
  for (; to < end; to++) {
    i = SUM + (n >> 5);
    // The low 32 - (n & 31) bits of one word, the rest from the next. No >>>: on a negative number engines
    // take longer for it.
    w[to] =
      gamma1 -
      ((((w[i]! >> (n & 31)) & ~((-1 << (31 - (n & 31))) << 1)) | ((w[i + 1]! << 1) << (31 - (n & 31)))) &
        mask);
    n += bits;
  }
}

/** Algorithm 29 of COMMITMENT into C. Its indices depend on c~, which a signature shows. */
function sampleInBall(arena: Arena, p: MlDsa): void {
  const s = arena.hash;
  const w = arena.words;
  let signs = 0,
    i = 2,
    shift = 0,
    j = 0;
  shakeSeed(s, RATE_256, arena.bytes, COMMITMENT, p.commitmentBytes, 0, 0);
  const low = s[0]!;
  const high = s[1]!;
  clearWords(w, C, C + 256);
  signs = low;
  for (let n = 256 - p.tau; n < 256; n++) {
    do {
      if (i === 34) {
        keccakF1600(s);
        i = 0;
      }
      j = (s[i]! >> shift) & 255;
      shift += 8;
      if (shift === 32) {
        shift = 0;
        i++;
      }
    } while (j > n);
    if (n === 288 - p.tau) signs = high;
    w[C + n] = w[C + j]!;
    w[C + j] = 1 - ((signs & 1) << 1);
    signs >>= 1;
  }
}

// ---- Encoding --------------------------------------------------------------------------------------------

/** Algorithms 18, 19: 256 numbers v of `bits` bits into the words at `to`, as base + scale v. */
function unpack(
  w: Int32Array,
  to: number,
  from: Uint8Array,
  at: number,
  bits: number,
  base: number,
  scale: number,
): void {
  const mask = (1 << bits) - 1;
  const end = to + 256;
  let buffer = 0,
    have = 0;
  for (; to < end; to++) {
    while (have < bits) {
      buffer |= from[at]! << have;
      at++;
      have += 8;
    }
    w[to] = base + scale * (buffer & mask);
    buffer >>>= bits;
    have -= bits;
  }
}

/** Algorithms 16, 17: base + scale w, `bits` bits each, of the words at `from`. */
function pack(
  w: Int32Array,
  from: number,
  out: Uint8Array,
  at: number,
  bits: number,
  base: number,
  scale: number,
): void {
  const end = from + 256;
  let buffer = 0,
    have = 0;
  for (; from < end; from++) {
    buffer |= (base + scale * w[from]!) << have;
    have += bits;
    while (have >= 8) {
      out[at] = buffer;
      at++;
      buffer >>>= 8;
      have -= 8;
    }
  }
}

/** Bits of a coefficient of s1 and s2. */
function etaBits(p: MlDsa): number {
  return p.eta === 2 ? 3 : 4;
}

// ---- Polynomials -----------------------------------------------------------------------------------------

/** Reduces the sums in `doubles` from word `from` on into the 256 words at `to`, which may overlap them. */
function reduceSums(arena: Arena, from: number, to: number): void {
  const w = arena.words;
  const d = arena.doubles;
  const end = to + 256;
  let t = 0;
  for (let i = from >> 1; to < end; i++) {
    t = d[i]!;
    w[to] = t - ((t * Q_INVERSE) | 0) * Q;
    to++;
  }
}

/** The 256 words at `at` from (-q, q) to [0, q). */
function toPositive(w: Int32Array, at: number): void {
  const end = at + 256;
  let x = 0;
  for (; at < end; at++) {
    x = w[at]!;
    w[at] = x + ((x >> 31) & Q);
  }
}

/** c^ = NTT(c), reduced. */
function transformChallenge(w: Int32Array): void {
  let t = 0;
  ntt(w, C);
  for (let i = C; i < C + 256; i++) {
    t = w[i]!;
    w[i] = t - ((t * Q_INVERSE) | 0) * Q;
  }
}

/** The polynomial at `at` becomes NTT^-1(its product with c^). |f| <= 9 q. */
function timesChallenge(w: Int32Array, at: number): void {
  let t = 0,
    j = at;
  for (let i = C; i < C + 256; i++) {
    t = w[i]! * w[j]!;
    w[j] = t - ((t * Q_INVERSE) | 0) * Q;
    j++;
  }
  inverseNtt(w, at);
}

// ---- High and low bits -----------------------------------------------------------------------------------

// Decompose (algorithm 36) without a division: with 2 gamma2 = 2^s n, n = 93 or 1023, HighBits is
// floor(floor((r + gamma2 - 1) / 2^s) / n), and the quotient by n is a product with 2^24 / 93 or 2^26 / 1023
// rounded up, exact for all r < q. The quotient (q - 1) / (2 gamma2), 44 or 16, stands for 0.

/** Fields of {@link DECOMPOSE_88}. */
const SHIFT = 0;
const FACTOR = 1;
const FACTOR_SHIFT = 2;
const COUNT = 3;
const HIGH_BITS = 4;
/** s, factor, its shift, number of values of the high bits and their width in bits. */
const DECOMPOSE_88 = [11, 180401, 24, 44, 6];
const DECOMPOSE_32 = [9, 65601, 26, 16, 4];

function decompose(p: MlDsa): number[] {
  return p.gamma2 === GAMMA2_32 ? DECOMPOSE_32 : DECOMPOSE_88;
}

/** Absorbs w1Encode (algorithm 28) of the high bits of the 256 words at `at`, in [0, q), into the hash. */
function absorbHighBits(arena: Arena, p: MlDsa, at: number): void {
  const w = arena.words;
  const bytes = arena.bytes;
  const c = decompose(p);
  const shift = c[SHIFT]!;
  const factor = c[FACTOR]!;
  const factorShift = c[FACTOR_SHIFT]!;
  const count = c[COUNT]!;
  const bits = c[HIGH_BITS]!;
  const half = p.gamma2 - 1;
  const end = at + 256;
  let out = 4 * SPARE,
    high = 0,
    buffer = 0,
    have = 0;
  for (; at < end; at++) {
    high = (((w[at]! + half) >> shift) * factor) >> factorShift;
    buffer |= (high & ((high - count) >> 31)) << have;
    have += bits;
    if (have >= 8) {
      bytes[out] = buffer;
      out++;
      buffer >>= 8;
      have -= 8;
    }
  }
  absorb(arena.hash, bytes, 4 * SPARE, 32 * bits);
}

/** UseHint (algorithm 40): a hinted coefficient becomes one whose high bits are the hint's. Verification. */
function useHints(
  arena: Arena,
  p: MlDsa,
  at: number,
  signature: Uint8Array,
  from: number,
  end: number,
): void {
  const w = arena.words;
  const c = decompose(p);
  const count = c[COUNT]!;
  const double = 2 * p.gamma2;
  for (let i = from; i < end; i++) {
    const j = at + signature[i]!;
    const r = w[j]!;
    const high = (((r + p.gamma2 - 1) >> c[SHIFT]!) * c[FACTOR]!) >> c[FACTOR_SHIFT]!;
    // Where high = count, r = q - 1 at the most: r0 is negative, and one less than r1 = 0 is count - 1.
    const hinted = r > high * double ? high + 1 : high === 0 ? count - 1 : high - 1;
    w[j] = (hinted === count ? 0 : hinted) * double;
  }
}

/** w - cs2 (at `at` and `other`) into the former, in [0, q). True if its low bits are below gamma2 - beta. */
function checkLowBits(arena: Arena, p: MlDsa, at: number, other: number): boolean {
  const w = arena.words;
  const c = decompose(p);
  const shift = c[SHIFT]!;
  const factor = c[FACTOR]!;
  const factorShift = c[FACTOR_SHIFT]!;
  const count = c[COUNT]!;
  const half = p.gamma2 - 1;
  const double = 2 * p.gamma2;
  const bound = p.gamma2 - p.beta - 1;
  const end = at + 256;
  let x = 0,
    high = 0,
    over = 0;
  for (; at < end; at++) {
    x = w[at]! - w[other]!;
    other++;
    x += (x >> 31) & Q;
    x -= Q;
    x += (x >> 31) & Q;
    w[at] = x;
    high = (((x + half) >> shift) * factor) >> factorShift;
    x -= high * double - ~((high - count) >> 31);
    over |= bound - (x ^ (x >> 31)) + (x >> 31);
  }
  return over >= 0;
}

/** True if every one of the 256 words at `at` is of absolute value `bound` at the most. */
function within(w: Int32Array, at: number, bound: number): boolean {
  const end = at + 256;
  let x = 0,
    over = 0;
  for (; at < end; at++) {
    x = w[at]!;
    over |= bound - (x ^ (x >> 31)) + (x >> 31);
  }
  return over >= 0;
}

/** The 256 words at `at` from (-q, q) to (-q/2, q/2). */
function toCentered(w: Int32Array, at: number): void {
  const end = at + 256;
  let x = 0;
  for (; at < end; at++) {
    x = w[at]!;
    x += (x >> 31) & Q;
    w[at] = x - ((((Q >> 1) - x) >> 31) & Q);
  }
}

/**
 * MakeHint (algorithm 39) of row `row`, into HINTS: where adding ct0 (at `other`) to w - cs2 (at `at`) changes
 * the high bits. False if there are more than omega in all.
 */
function makeHints(arena: Arena, p: MlDsa, row: number, at: number, other: number): boolean {
  const w = arena.words;
  const c = decompose(p);
  const shift = c[SHIFT]!;
  const factor = c[FACTOR]!;
  const factorShift = c[FACTOR_SHIFT]!;
  const count = c[COUNT]!;
  const half = p.gamma2 - 1;
  let n = w[HINT_COUNT]!,
    x = 0,
    high = 0;
  for (let i = 0; i < 256; i++) {
    x = w[at + i]!;
    high = (((x + half) >> shift) * factor) >> factorShift;
    high &= (high - count) >> 31;
    x += w[other + i]!;
    x += (x >> 31) & Q;
    x -= Q;
    x += (x >> 31) & Q;
    x = (((x + half) >> shift) * factor) >> factorShift;
    x &= (x - count) >> 31;
    if (x !== high) {
      if (n === p.omega) return false;
      arena.bytes[HINTS + n] = i;
      n++;
    }
  }
  w[HINT_COUNT] = n;
  arena.bytes[HINTS + p.omega + row] = n;
  return true;
}

/** The checks of HintBitUnpack (algorithm 21): one encoding only for every set of hints. */
function hintsWellFormed(p: MlDsa, signature: Uint8Array): boolean {
  const at = p.signatureBytes - p.omega - p.k;
  let n = 0;
  for (let i = 0; i < p.k; i++) {
    const end = signature[at + p.omega + i]!;
    if (end < n || end > p.omega) return false;
    for (let j = n + 1; j < end; j++) if (signature[at + j]! <= signature[at + j - 1]!) return false;
    n = end;
  }
  for (; n < p.omega; n++) if (signature[at + n] !== 0) return false;
  return true;
}

// ---- Common to all operations ----------------------------------------------------------------------------

/** What an operation returned: valid from its last step on, until the arena is used again. */
export function mlDsaVerdict(arena: Arena): boolean {
  return arena.words[VERDICT] === 1;
}

function begin(arena: Arena): void {
  for (let i = PHASE; i <= HINT_COUNT; i++) arena.words[i] = 0;
}

function end(arena: Arena, bytes: number, verdict: number): boolean {
  clearWords(arena.words, 0, bytes >> 2);
  arena.words[VERDICT] = verdict;
  return true;
}

/** Counts `field` up; at `limit` it is 0 again and true is returned. */
function wraps(w: Int32Array, field: number, limit: number): boolean {
  w[field]!++;
  if (w[field] !== limit) return false;
  w[field] = 0;
  return true;
}

function nextPhase(w: Int32Array): boolean {
  w[PHASE]!++;
  return false;
}

/** MU = H(tr || 0 || |context| || context || message), tr being the 64 bytes at `tr[at]`. */
function hashMessage(
  arena: Arena,
  tr: Uint8Array,
  at: number,
  message: Uint8Array,
  context: Uint8Array | null,
): void {
  const s = arena.hash;
  spongeInit(s, RATE_256);
  absorb(s, tr, at, 64);
  absorbByte(s, 0);
  absorbByte(s, context === null ? 0 : context.length);
  if (context !== null) absorb(s, context, 0, context.length);
  absorb(s, message, 0, message.length);
  shakeFinish(s);
  squeeze(s, arena.bytes, MU, 64);
}

/** H(public key), 64 bytes. */
function hashKey(arena: Arena, p: MlDsa, publicKey: Uint8Array, out: Uint8Array, at: number): void {
  const s = arena.hash;
  spongeInit(s, RATE_256);
  absorb(s, publicKey, 0, p.publicKeyBytes);
  shakeFinish(s);
  squeeze(s, out, at, 64);
}

// ---- Key generation --------------------------------------------------------------------------------------

/** Makes the arena ready for a first {@link mlDsaKeygenStep}. */
export function mlDsaKeygenBegin(arena: Arena): void {
  begin(arena);
}

/** Number of steps of {@link mlDsaKeygenStep}. */
export function mlDsaKeygenSteps(p: MlDsa): number {
  return 2 + p.l + p.k * p.l;
}

/** One step of {@link mlDsaKeygen}, with the same arguments each time; true after the last. */
export function mlDsaKeygenStep(
  p: MlDsa,
  arena: Arena,
  seed: Uint8Array,
  publicKey: Uint8Array,
  secretKey: Uint8Array,
): boolean {
  const w = arena.words;
  const vector = vectorAt(1);
  const bits = etaBits(p);
  const phase = w[PHASE]!;
  const row = w[ROW]!;
  const column = w[COLUMN]!;
  if (phase === 0) {
    // (rho, rho', K) = H(xi || k || l)
    shakeSeed(arena.sponge, RATE_256, seed, 0, 32, p.k | (p.l << 8), 2);
    squeeze(arena.sponge, publicKey, 0, 32);
    copy(secretKey, 0, publicKey, 0, 32);
    squeeze(arena.sponge, arena.bytes, RHO, 64);
    squeeze(arena.sponge, secretKey, 32, 32);
    return nextPhase(w);
  }
  if (phase === 1) {
    const at = vector + 256 * column;
    sampleBounded(arena, p.eta, column, at);
    pack(w, at, secretKey, 128 + 32 * bits * column, bits, p.eta, -1);
    ntt(w, at);
    return wraps(w, COLUMN, p.l) ? nextPhase(w) : false;
  }
  if (phase === 2) {
    // t = NTT^-1(A s1^) + s2; t1 and t0 by Power2Round
    if (column === 0) clearWords(w, SUM, SUM + 512);
    multiplyAddSampled(arena, publicKey, 0, row, column, vector + 256 * column, 0);
    if (!wraps(w, COLUMN, p.l)) return false;
    reduceSums(arena, SUM, SUM);
    inverseNtt(w, SUM);
    sampleBounded(arena, p.eta, p.l + row, C);
    pack(w, C, secretKey, 128 + 32 * bits * (p.l + row), bits, p.eta, -1);
    let x = 0;
    for (let i = 0; i < 256; i++) {
      // Above -q - 5 and below q + 5: three steps to 0 .. q - 1.
      x = w[SUM + i]! + w[C + i]!;
      x += (x >> 31) & Q;
      x += (x >> 31) & Q;
      x -= Q;
      x += (x >> 31) & Q;
      // t1 = ceil((t - 2^12) / 2^13)
      w[SUM + i] = (x + 4095) >> D;
      w[C + i] = x - (((x + 4095) >> D) << D);
    }
    pack(w, SUM, publicKey, 32 + 320 * row, 10, 0, 1);
    pack(w, C, secretKey, 128 + 32 * bits * (p.k + p.l) + 416 * row, D, 4096, -1);
    return wraps(w, ROW, p.k) ? nextPhase(w) : false;
  }
  hashKey(arena, p, publicKey, secretKey, 64);
  return end(arena, p.arenaBytes, 1);
}

/** ML-DSA.KeyGen_internal (algorithm 6) from a 32-byte seed. Arena: `p.arenaBytes`. */
export function mlDsaKeygen(
  p: MlDsa,
  arena: Arena,
  seed: Uint8Array,
  publicKey: Uint8Array,
  secretKey: Uint8Array,
): void {
  mlDsaKeygenBegin(arena);
  while (!mlDsaKeygenStep(p, arena, seed, publicKey, secretKey));
}

// ---- Signing ---------------------------------------------------------------------------------------------

/** Phases of signing; those from CHALLENGE on are about one attempt. */
const START = 0;
const MASK = 1;
const MATRIX = 2;
const CHALLENGE = 3;
const LOW_BITS = 4;
const RESPONSE = 5;
const HINT = 6;

/** Makes the arena, of {@link MlDsa.signArenaBytes} or more, ready for a first {@link mlDsaSignStep}. */
export function mlDsaSignBegin(arena: Arena): void {
  begin(arena);
}

/** The next attempt, or new masks if there is none. */
function nextAttempt(p: MlDsa, w: Int32Array, width: number): boolean {
  w[ROW] = 0;
  w[COLUMN] = 0;
  w[HINT_COUNT] = 0;
  w[PHASE] = CHALLENGE;
  if (wraps(w, ATTEMPT, width)) {
    w[KAPPA]! += width * p.l;
    w[PHASE] = MASK;
  }
  return false;
}

/** True if the coefficients of s1 and s2 in a secret key lie between -eta and eta. */
function secretsWellFormed(p: MlDsa, w: Int32Array, secretKey: Uint8Array): boolean {
  const bits = etaBits(p);
  let good = true;
  for (let i = 0; i < p.k + p.l; i++) {
    unpack(w, SUM, secretKey, 128 + 32 * bits * i, bits, p.eta, -1);
    if (!within(w, SUM, p.eta)) good = false;
  }
  return good;
}

/**
 * One step of {@link mlDsaSign}, with the same arguments each time; true after the last. How many there are
 * depends on the rejections: about k l + 4 k + 3 l for each pair of attempts.
 */
export function mlDsaSignStep(
  p: MlDsa,
  arena: Arena,
  message: Uint8Array,
  secretKey: Uint8Array,
  random: Uint8Array,
  signature: Uint8Array,
  context: Uint8Array | null,
): boolean {
  const w = arena.words;
  const k = p.k;
  const l = p.l;
  const bits = etaBits(p);
  const width = arena.bytes.length >= mlDsaSignBytes(k, l, 2) ? 2 : 1;
  const arenaBytes = mlDsaSignBytes(k, l, width);
  const phase = w[PHASE]!;
  const row = w[ROW]!;
  const column = w[COLUMN]!;
  const attempt = w[ATTEMPT]!;
  const masks = vectorAt(width) + 256 * l * attempt;
  const commitments = vectorAt(width) + 256 * (width * l + k * attempt);
  if (phase === START) {
    if (!secretsWellFormed(p, w, secretKey)) return end(arena, arenaBytes, 0);
    hashMessage(arena, secretKey, 64, message, context);
    // rho'' = H(K || rnd || mu)
    const s = arena.hash;
    spongeInit(s, RATE_256);
    absorb(s, secretKey, 32, 32);
    absorb(s, random, 0, 32);
    absorb(s, arena.bytes, MU, 64);
    shakeFinish(s);
    squeeze(s, arena.bytes, RHO, 64);
    return nextPhase(w);
  }
  if (phase === MASK) {
    // y^ of every attempt
    const at = masks + 256 * column;
    expandMask(arena, p.gamma1Bits, w[KAPPA]! + l * attempt + column, at);
    ntt(w, at);
    return wraps(w, COLUMN, l) && wraps(w, ATTEMPT, width) ? nextPhase(w) : false;
  }
  if (phase === MATRIX) {
    // w = NTT^-1(A y^), of every attempt
    if (column === 0) clearWords(w, SUM, SUM + SUM_WORDS * width);
    multiplyAddSampled(arena, secretKey, 0, row, column, masks + 256 * column, width === 2 ? 256 * l : 0);
    if (!wraps(w, COLUMN, l)) return false;
    for (let i = 0; i < width; i++) {
      const at = commitments + 256 * (k * i + row);
      reduceSums(arena, SUM + SUM_WORDS * i, at);
      inverseNtt(w, at);
      toPositive(w, at);
    }
    return wraps(w, ROW, k) ? nextPhase(w) : false;
  }
  if (phase === CHALLENGE) {
    // c~ = H(mu || w1); c^
    spongeInit(arena.hash, RATE_256);
    absorb(arena.hash, arena.bytes, MU, 64);
    for (let i = 0; i < k; i++) absorbHighBits(arena, p, commitments + 256 * i);
    shakeFinish(arena.hash);
    squeeze(arena.hash, arena.bytes, COMMITMENT, p.commitmentBytes);
    sampleInBall(arena, p);
    transformChallenge(w);
    return nextPhase(w);
  }
  if (phase === LOW_BITS) {
    // r0 = LowBits(w - c s2). The check that fails most often comes first: which one rejects is of no matter.
    unpack(w, SUM, secretKey, 128 + 32 * bits * (l + row), bits, p.eta, -1);
    ntt(w, SUM);
    timesChallenge(w, SUM);
    if (!checkLowBits(arena, p, commitments + 256 * row, SUM)) return nextAttempt(p, w, width);
    return wraps(w, ROW, k) ? nextPhase(w) : false;
  }
  if (phase === RESPONSE) {
    // z = y + c s1 = NTT^-1(y^ + c^ s1^)
    const at = masks + 256 * column;
    let t = 0;
    unpack(w, SUM, secretKey, 128 + 32 * bits * column, bits, p.eta, -1);
    ntt(w, SUM);
    for (let i = 0; i < 256; i++) {
      t = w[at + i]! + w[C + i]! * w[SUM + i]!;
      w[at + i] = t - ((t * Q_INVERSE) | 0) * Q;
    }
    inverseNtt(w, at);
    toCentered(w, at);
    if (!within(w, at, (1 << p.gamma1Bits) - p.beta - 1)) return nextAttempt(p, w, width);
    return wraps(w, COLUMN, l) ? nextPhase(w) : false;
  }
  if (phase === HINT) {
    unpack(w, SUM, secretKey, 128 + 32 * bits * (k + l) + 416 * row, D, 4096, -1);
    ntt(w, SUM);
    timesChallenge(w, SUM);
    toCentered(w, SUM);
    if (!within(w, SUM, p.gamma2 - 1) || !makeHints(arena, p, row, commitments + 256 * row, SUM)) {
      return nextAttempt(p, w, width);
    }
    return wraps(w, ROW, k) ? nextPhase(w) : false;
  }
  const zBytes = 32 * (p.gamma1Bits + 1);
  const hints = p.commitmentBytes + zBytes * l;
  copy(signature, 0, arena.bytes, COMMITMENT, p.commitmentBytes);
  for (let i = 0; i < l; i++) {
    const at = p.commitmentBytes + zBytes * i;
    pack(w, masks + 256 * i, signature, at, p.gamma1Bits + 1, 1 << p.gamma1Bits, -1);
  }
  for (let i = 0; i < p.omega; i++) signature[hints + i] = i < w[HINT_COUNT]! ? arena.bytes[HINTS + i]! : 0;
  copy(signature, hints + p.omega, arena.bytes, HINTS + p.omega, k);
  return end(arena, arenaBytes, 1);
}

/**
 * ML-DSA.Sign (algorithms 2, 7), hedged with `random`, 32 bytes; all zeros make it deterministic. A context
 * is 255 bytes at the most; null is the empty one. False, and nothing written, if a coefficient of the secret
 * key is out of range. Arena: `p.signArenaBytes`, or as {@link mlDsaSignBytes} says.
 */
export function mlDsaSign(
  p: MlDsa,
  arena: Arena,
  message: Uint8Array,
  secretKey: Uint8Array,
  random: Uint8Array,
  signature: Uint8Array,
  context: Uint8Array | null,
): boolean {
  mlDsaSignBegin(arena);
  while (!mlDsaSignStep(p, arena, message, secretKey, random, signature, context));
  return mlDsaVerdict(arena);
}

// ---- Verification ----------------------------------------------------------------------------------------

/** Makes the arena ready for a first {@link mlDsaVerifyStep}. */
export function mlDsaVerifyBegin(arena: Arena): void {
  begin(arena);
}

/** Number of steps of {@link mlDsaVerifyStep}, if the signature has the form of one. */
export function mlDsaVerifySteps(p: MlDsa): number {
  return 3 + p.l + p.k * p.l;
}

/** One step of {@link mlDsaVerify}, with the same arguments each time; true after the last. */
export function mlDsaVerifyStep(
  p: MlDsa,
  arena: Arena,
  signature: Uint8Array,
  message: Uint8Array,
  publicKey: Uint8Array,
  context: Uint8Array | null,
): boolean {
  const w = arena.words;
  const d = arena.doubles;
  const vector = vectorAt(1);
  const bits = p.gamma1Bits + 1;
  const hints = p.commitmentBytes + 32 * bits * p.l;
  const phase = w[PHASE]!;
  const row = w[ROW]!;
  const column = w[COLUMN]!;
  if (phase === 0) {
    if (!hintsWellFormed(p, signature)) return end(arena, p.arenaBytes, 0);
    return nextPhase(w);
  }
  if (phase === 1) {
    // z^, once z is short enough
    const at = vector + 256 * column;
    unpack(w, at, signature, p.commitmentBytes + 32 * bits * column, bits, 1 << p.gamma1Bits, -1);
    if (!within(w, at, (1 << p.gamma1Bits) - p.beta - 1)) return end(arena, p.arenaBytes, 0);
    ntt(w, at);
    return wraps(w, COLUMN, p.l) ? nextPhase(w) : false;
  }
  if (phase === 2) {
    // c^; the hash of mu || w1' is begun
    hashKey(arena, p, publicKey, arena.bytes, MU);
    hashMessage(arena, arena.bytes, MU, message, context);
    copy(arena.bytes, COMMITMENT, signature, 0, p.commitmentBytes);
    sampleInBall(arena, p);
    transformChallenge(w);
    spongeInit(arena.hash, RATE_256);
    absorb(arena.hash, arena.bytes, MU, 64);
    return nextPhase(w);
  }
  if (phase === 3) {
    // w' = NTT^-1(A z^ - c^ NTT(2^d t1)); w1' = UseHint(h, w')
    if (column === 0) {
      unpack(w, SPARE, publicKey, 32 + 320 * row, 10, 0, 1 << D);
      ntt(w, SPARE);
      // A word of SPARE has been read when the double that covers it is written.
      for (let i = 0; i < 256; i++) d[(SUM >> 1) + i] = -(w[C + i]! * w[SPARE + i]!);
    }
    multiplyAddSampled(arena, publicKey, 0, row, column, vector + 256 * column, 0);
    if (!wraps(w, COLUMN, p.l)) return false;
    reduceSums(arena, SUM, SUM);
    inverseNtt(w, SUM);
    toPositive(w, SUM);
    const first = row === 0 ? 0 : signature[hints + p.omega + row - 1]!;
    useHints(arena, p, SUM, signature, hints + first, hints + signature[hints + p.omega + row]!);
    absorbHighBits(arena, p, SUM);
    return wraps(w, ROW, p.k) ? nextPhase(w) : false;
  }
  shakeFinish(arena.hash);
  squeeze(arena.hash, arena.bytes, MU, p.commitmentBytes);
  const good = equalAt(arena.bytes, MU, signature, 0, p.commitmentBytes);
  return end(arena, p.arenaBytes, good ? 1 : 0);
}

/**
 * ML-DSA.Verify (algorithms 3, 8). A context is 255 bytes at the most; null is the empty one. False for
 * anything malformed too. Arena: `p.arenaBytes`.
 */
export function mlDsaVerify(
  p: MlDsa,
  arena: Arena,
  signature: Uint8Array,
  message: Uint8Array,
  publicKey: Uint8Array,
  context: Uint8Array | null,
): boolean {
  mlDsaVerifyBegin(arena);
  while (!mlDsaVerifyStep(p, arena, signature, message, publicKey, context));
  return mlDsaVerdict(arena);
}
