// The Keccak sponge (FIPS 202 §4) and what stands on it: SHA3-256, SHAKE, cSHAKE and KMAC (SP 800-185).
//
// A sponge is one Int32Array of SPONGE_WORDS, owned by the caller: 50 lane halves, then position and rate.
// Rates: 168 (strength 128), 136 (256), 72 ("512": Keccak with capacity 1024, not in FIPS 202 as an XOF).

import { wipe } from '../../bytes.ts';
import { keccakF1600 } from './keccak-f.ts';

export const SPONGE_WORDS = 52;
const POSITION = 50;
const RATE = 51;

/** Bytes absorbed between permutations, by security strength. */
export const RATE_128 = 168;
export const RATE_256 = 136;
export const RATE_512 = 72;

/** Domain bytes with the first padding bit (FIPS 202 §B.2, SP 800-185 §3.3). */
const SHA3 = 0x06;
const SHAKE = 0x1f;
const CSHAKE = 0x04;

export function spongeInit(s: Int32Array, rate: number): void {
  for (let i = 0; i < POSITION; i += 5) {
    s[i] = 0;
    s[i + 1] = 0;
    s[i + 2] = 0;
    s[i + 3] = 0;
    s[i + 4] = 0;
  }
  s[POSITION] = 0;
  s[RATE] = rate;
}

export function absorbByte(s: Int32Array, byte: number): void {
  const at = s[POSITION]!;
  s[at >> 2]! ^= byte << ((at & 3) << 3);
  if (at + 1 === s[RATE]) {
    keccakF1600(s);
    s[POSITION] = 0;
  } else {
    s[POSITION] = at + 1;
  }
}

/** Absorbs `length` bytes of `data` from `from` on. */
export function absorb(s: Int32Array, data: Uint8Array, from = 0, length: number = data.length - from): void {
  const end = from + length;
  const rate = s[RATE]!;
  let i = from;
  while (i < end && (s[POSITION]! & 3) !== 0) absorbByte(s, data[i++]!);
  // Whole words, as many as the block has room for, then the next block.
  const stop = end - 3;
  if (i >= stop) {
    while (i < end) absorbByte(s, data[i++]!);
    return;
  }
  let word = s[POSITION]! >> 2;
  while (i < stop) {
    let block = word + ((end - i) >> 2);
    if (block > rate >> 2) block = rate >> 2;
    for (; word < block; word++) {
      s[word]! ^= data[i]! | (data[i + 1]! << 8) | (data[i + 2]! << 16) | (data[i + 3]! << 24);
      i += 4;
    }
    if (word === rate >> 2) {
      keccakF1600(s);
      word = 0;
    }
  }
  s[POSITION] = word << 2;
  while (i < end) absorbByte(s, data[i++]!);
}

/** Pads with `domain` and permutes: from here on the sponge is squeezed. */
export function finish(s: Int32Array, domain: number): void {
  const at = s[POSITION]!;
  const last = s[RATE]! - 1;
  s[at >> 2]! ^= domain << ((at & 3) << 3);
  s[last >> 2]! ^= 0x80 << ((last & 3) << 3);
  keccakF1600(s);
  s[POSITION] = 0;
}

/** Squeezes whole words, low byte first. The sponge must stand at a word boundary. */
export function squeezeWords(s: Int32Array, out: Int32Array, from: number, words: number): void {
  const rate = s[RATE]! >> 2;
  let at = s[POSITION]! >> 2;
  for (let i = 0; i < words; i++) {
    if (at === rate) {
      keccakF1600(s);
      at = 0;
    }
    out[from + i] = s[at]!;
    at++;
  }
  s[POSITION] = at << 2;
}

export function squeeze(s: Int32Array, out: Uint8Array, from = 0, length: number = out.length - from): void {
  const rate = s[RATE]!;
  const end = from + length;
  let at = s[POSITION]!;
  let word = 0;
  while (from < end) {
    if (at === rate) {
      keccakF1600(s);
      at = 0;
    }
    word = s[at >> 2]!;
    if ((at & 3) === 0 && end - from >= 4) {
      out[from] = word;
      out[from + 1] = word >> 8;
      out[from + 2] = word >> 16;
      out[from + 3] = word >> 24;
      from += 4;
      at += 4;
    } else {
      out[from] = word >> ((at & 3) << 3);
      from++;
      at++;
    }
  }
  s[POSITION] = at;
}

// ---- SHA3 and SHAKE --------------------------------------------------------------------------------------

/** Pads for SHA3-256 (rate 136) or SHA3-512 (rate 72); then squeeze 32 or 64 bytes. */
export function sha3Pad(s: Int32Array): void {
  finish(s, SHA3);
}

/** SHA3-256 of everything absorbed since {@link spongeInit} at rate 136, into `out[from..from + 32)`. */
export function sha3Finish(s: Int32Array, out: Uint8Array, from = 0): void {
  finish(s, SHA3);
  squeeze(s, out, from, 32);
}

/** SHA3-256 of `data`: 32 bytes. */
export function sha3_256(data: Uint8Array): Uint8Array {
  const s = new Int32Array(SPONGE_WORDS);
  const out = new Uint8Array(32);
  spongeInit(s, RATE_256);
  absorb(s, data);
  sha3Finish(s, out);
  wipe(s);
  return out;
}

export function shakeFinish(s: Int32Array): void {
  finish(s, SHAKE);
}

/** SHAKE at `rate` (168, 136 or 72) of `data`, `length` bytes. */
export function shake(rate: number, data: Uint8Array, length: number): Uint8Array {
  const s = new Int32Array(SPONGE_WORDS);
  const out = new Uint8Array(length);
  spongeInit(s, rate);
  absorb(s, data);
  shakeFinish(s);
  squeeze(s, out);
  wipe(s);
  return out;
}

/**
 * SHAKE at `rate` of `seed[at .. at + length)`, a multiple of 4, and the `tailBytes` (3 at the most) low
 * bytes of `tail`: the next to do is to squeeze. The same as init, absorb and finish for an input shorter
 * than a block, with half the steps around the permutation.
 */
export function shakeSeed(
  s: Int32Array,
  rate: number,
  seed: Uint8Array,
  at: number,
  length: number,
  tail: number,
  tailBytes: number,
): void {
  const words = length >> 2;
  spongeInit(s, rate);
  for (let i = 0; i < words; i++) {
    s[i] = seed[at]! | (seed[at + 1]! << 8) | (seed[at + 2]! << 16) | (seed[at + 3]! << 24);
    at += 4;
  }
  s[words] = tail | (SHAKE << (8 * tailBytes));
  s[(rate >> 2) - 1] = 0x80 << 24;
  keccakF1600(s);
}

// ---- SP 800-185 ------------------------------------------------------------------------------------------

/** left_encode and right_encode (§2.3.1) of a number below 2^32. */
function leftEncode(s: Int32Array, value: number): void {
  const n = encodedBytes(value);
  absorbByte(s, n);
  for (let i = n - 1; i >= 0; i--) absorbByte(s, (value >>> (8 * i)) & 255);
}

function rightEncode(s: Int32Array, value: number): void {
  const n = encodedBytes(value);
  for (let i = n - 1; i >= 0; i--) absorbByte(s, (value >>> (8 * i)) & 255);
  absorbByte(s, n);
}

function encodedBytes(value: number): number {
  let n = 1;
  while (n < 4 && value >>> (8 * n) !== 0) n++;
  return n;
}

/** encode_string (§2.3.2). */
function encodeString(s: Int32Array, data: Uint8Array): void {
  leftEncode(s, data.length * 8);
  absorb(s, data);
}

/** Zeros up to the block's end: the tail of bytepad (§2.3.3). */
function padBlock(s: Int32Array): void {
  if (s[POSITION] === 0) return;
  keccakF1600(s);
  s[POSITION] = 0;
}

/**
 * Starts cSHAKE (§3) at `rate` with function name N and customisation S; then absorb X and call
 * {@link cshakeFinish}. Both empty would be SHAKE: use {@link shake}.
 */
export function cshakeInit(s: Int32Array, rate: number, name: Uint8Array, custom: Uint8Array): void {
  spongeInit(s, rate);
  leftEncode(s, rate);
  encodeString(s, name);
  encodeString(s, custom);
  padBlock(s);
}

export function cshakeFinish(s: Int32Array): void {
  finish(s, CSHAKE);
}

/** cSHAKE at `rate` of `data` with N = `name`, S = `custom`, `length` bytes. */
export function cshake(
  rate: number,
  data: Uint8Array,
  name: Uint8Array,
  custom: Uint8Array,
  length: number,
): Uint8Array {
  if (name.length === 0 && custom.length === 0) return shake(rate, data, length);
  const s = new Int32Array(SPONGE_WORDS);
  const out = new Uint8Array(length);
  cshakeInit(s, rate, name, custom);
  absorb(s, data);
  cshakeFinish(s);
  squeeze(s, out);
  wipe(s);
  return out;
}

/** "KMAC": the function name of §4.3. */
export const KMAC_NAME = [0x4b, 0x4d, 0x41, 0x43];

/** Starts KMAC (§4) at `rate`; then absorb the message and call {@link kmacPad}. */
export function kmacInit(s: Int32Array, rate: number, key: Uint8Array, custom: Uint8Array): void {
  spongeInit(s, rate);
  leftEncode(s, rate);
  leftEncode(s, 32);
  for (let i = 0; i < 4; i++) absorbByte(s, KMAC_NAME[i]!);
  encodeString(s, custom);
  padBlock(s);
  leftEncode(s, rate);
  encodeString(s, key);
  padBlock(s);
}

/** Closes a KMAC message for a tag of `tagBytes`; then squeeze it. */
export function kmacPad(s: Int32Array, tagBytes: number): void {
  rightEncode(s, tagBytes * 8);
  finish(s, CSHAKE);
}

/** Standard KMAC (SP 800-185 §4) at `rate`, `length` bytes. */
export function kmac(
  rate: number,
  key: Uint8Array,
  message: Uint8Array,
  custom: Uint8Array,
  length: number,
): Uint8Array {
  const s = new Int32Array(SPONGE_WORDS);
  const out = new Uint8Array(length);
  kmacInit(s, rate, key, custom);
  absorb(s, message);
  kmacPad(s, length);
  squeeze(s, out);
  wipe(s);
  return out;
}

// ---- The reference's finalisation of KMAC ---------------------------------------------------------------

/**
 * True if the reference finalises differently here: the 3 bytes of right_encode do not fit before the
 * block's end. Then {@link quirkBegin}, absorb the last `position - 4` bytes again, {@link quirkFinish}.
 */
export function quirkApplies(s: Int32Array): boolean {
  return s[POSITION]! + 3 >= s[RATE]!;
}

/** Number of bytes in the current, incomplete block. */
export function position(s: Int32Array): number {
  return s[POSITION]!;
}

/** right_encode(8 * length) and the domain byte: 4 bytes at the start of a block of their own. */
export function quirkBegin(s: Int32Array, length: number): void {
  keccakF1600(s);
  s[POSITION] = 0;
  rightEncode(s, length * 8);
  absorbByte(s, CSHAKE);
}

/** Ends the quirk's block. Its last byte is always free: at most rate - 1 bytes were buffered. */
export function quirkFinish(s: Int32Array): void {
  const last = s[RATE]! - 1;
  s[last >> 2]! ^= 0x80 << ((last & 3) << 3);
  keccakF1600(s);
  s[POSITION] = 0;
}

/** Starts the next message on the permuted state: the reference's MAC chains packets this way. */
export function rewind(s: Int32Array): void {
  s[POSITION] = 0;
}

/**
 * KMAC as the reference computes it: the standard one, unless fewer than four bytes of the last block are
 * free. RCS needs it to interoperate; use {@link kmac} for everything else. Tags of 32 or 64 bytes.
 */
export function kmacReference(
  rate: number,
  key: Uint8Array,
  message: Uint8Array,
  custom: Uint8Array,
  length: number,
): Uint8Array {
  const s = new Int32Array(SPONGE_WORDS);
  const out = new Uint8Array(length);
  kmacInit(s, rate, key, custom);
  absorb(s, message);
  if (quirkApplies(s)) {
    const buffered = position(s);
    quirkBegin(s, length);
    absorb(s, message, message.length - buffered + 4);
    quirkFinish(s);
  } else {
    kmacPad(s, length);
  }
  squeeze(s, out);
  wipe(s);
  return out;
}
