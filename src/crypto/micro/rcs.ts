// RCS: Rijndael with a 256-bit block in counter mode, keyed by cSHAKE, authenticated by KMAC
// (docs/protocol.md, "Records"). RCS-256 is QSTP's cipher; RCS-512 differs in key, tag, rate and rounds.
//
// The state is one Int32Array of the caller's, RCS256_WORDS or RCS512_WORDS long. Nothing else is kept:
//
//   words   0..51   MAC sponge: the Keccak state runs on from packet to packet
//          52..59   counter block, 256 bits, low word first; runs on from packet to packet
//          60, 61   plaintext bytes so far, low and high half
//              62   rounds
//          63..     round keys, 8 words each, rounds + 1 of them
//
// Table look-ups depend on key and counter: see docs/side-channels.md.

import { equalAt, getI32, wipe } from '../../bytes.ts';
import {
  absorb,
  absorbByte,
  cshakeFinish,
  cshakeInit,
  kmacInit,
  kmacPad,
  position,
  quirkApplies,
  quirkBegin,
  quirkFinish,
  RATE_256,
  RATE_512,
  rewind,
  squeeze,
  squeezeWords,
} from './sponge.ts';
import { TABLE } from './rijndael-table.ts';

const COUNTER = 52;
const TOTAL = 60;
const ROUNDS = 62;
const KEYS = 63;
/** C of a packet is this plus the plaintext bytes so far: block bytes, counter bytes, one. */
const C_BASE = 41;

export const RCS256_WORDS = KEYS + 23 * 8;
export const RCS512_WORDS = KEYS + 31 * 8;
export const RCS_BLOCK_BYTES = 32;
export const RCS256_TAG_BYTES = 32;
export const RCS512_TAG_BYTES = 64;

/** Function name of the key schedule: `01`, block size and key size tag, then "RCSK256" or "RCSK512". */
const NAME_256 = [1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 82, 67, 83, 75, 50, 53, 54];
const NAME_512 = [1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 82, 67, 83, 75, 53, 49, 50];

/**
 * Keys a state. `key` has 32 bytes (RCS-256) or 64 (RCS-512), `nonce` 32, `info` is the customisation
 * (QSTP: empty).
 */
export function rcsInit(r: Int32Array, key: Uint8Array, nonce: Uint8Array, info: Uint8Array): void {
  const wide = key.length === 64;
  const rounds = wide ? 30 : 22;
  const rate = wide ? RATE_512 : RATE_256;
  const words = (rounds + 1) * 8;
  cshakeInit(r, rate, new Uint8Array(wide ? NAME_512 : NAME_256), info);
  absorb(r, key);
  cshakeFinish(r);
  squeezeWords(r, r, KEYS, words);
  // The MAC key starts in a fresh block: what is left of the last one is dropped.
  const spare = (rate - ((words * 4) % rate)) % rate;
  const macKey = new Uint8Array(spare + key.length);
  squeeze(r, macKey);
  kmacInit(r, rate, macKey.subarray(spare), new Uint8Array(0));
  wipe(macKey);
  for (let i = 0; i < 8; i++) r[COUNTER + i] = getI32(nonce, 4 * i);
  r[TOTAL] = 0;
  r[TOTAL + 1] = 0;
  r[ROUNDS] = rounds;
}

/** The counter block, for tests and diagnosis. */
export function rcsCounter(r: Int32Array, out: Uint8Array): void {
  for (let i = 0; i < 32; i++) out[i] = r[COUNTER + (i >> 2)]! >>> ((i & 3) << 3);
}

function tagBytes(r: Int32Array): number {
  return r[ROUNDS] === 22 ? RCS256_TAG_BYTES : RCS512_TAG_BYTES;
}

/** XORs the low `count` bytes, four at the most, of `word` onto the data. */
function xorWord(data: Uint8Array, at: number, word: number, count: number): void {
  for (let i = 0; i < count && i < 4; i++) data[at + i]! ^= word >>> (8 * i);
}

/**
 * XORs the key stream from the counter block on onto `data[at .. at + length)`; the counter stays.
 * Within 256 blocks only the counter's first byte changes: it enters one column of the first round and one
 * byte of each of four in the second, and what the others give is computed once.
 */
function crypt(r: Int32Array, data: Uint8Array, at: number, length: number): void {
  const T = TABLE;
  const end = KEYS + r[ROUNDS]! * 8;
  const stop = at + length;
  let a0 = 0,
    a1 = 0,
    a2 = 0,
    a3 = 0,
    a4 = 0,
    a5 = 0,
    a6 = 0,
    a7 = 0,
    b0 = 0,
    b1 = 0,
    b2 = 0,
    b3 = 0,
    b4 = 0,
    b5 = 0,
    b6 = 0,
    b7 = 0,
    p0 = 0,
    p1 = 0,
    p2 = 0,
    p3 = 0,
    p4 = 0,
    p5 = 0,
    p6 = 0,
    p7 = 0,
    d0 = 0,
    d1 = 0,
    d2 = 0,
    d3 = 0,
    d4 = 0,
    d5 = 0,
    d6 = 0,
    d7 = 0,
    column = 0,
    low = 0,
    key = 0,
    carry = 0,
    done = 0,
    k = 0,
    t = 0;
  for (; at < stop; at += 32) {
    if (done === 0 || (low & 255) === 0) {
      low = (r[COUNTER]! + done) | 0;
      carry = low >>> 0 < done ? 1 : 0;
      key = r[KEYS]!;
      a0 = low ^ key;
      t = (r[COUNTER + 1]! + carry) | 0;
      a1 = t ^ r[KEYS + 1]!;
      if (t !== 0) carry = 0;
      t = (r[COUNTER + 2]! + carry) | 0;
      a2 = t ^ r[KEYS + 2]!;
      if (t !== 0) carry = 0;
      t = (r[COUNTER + 3]! + carry) | 0;
      a3 = t ^ r[KEYS + 3]!;
      if (t !== 0) carry = 0;
      t = (r[COUNTER + 4]! + carry) | 0;
      a4 = t ^ r[KEYS + 4]!;
      if (t !== 0) carry = 0;
      t = (r[COUNTER + 5]! + carry) | 0;
      a5 = t ^ r[KEYS + 5]!;
      if (t !== 0) carry = 0;
      t = (r[COUNTER + 6]! + carry) | 0;
      a6 = t ^ r[KEYS + 6]!;
      if (t !== 0) carry = 0;
      t = (r[COUNTER + 7]! + carry) | 0;
      a7 = t ^ r[KEYS + 7]!;
      column =
        (((t = T[(a1 >> 8) & 255]!) << 8) | ((t >> 24) & 255)) ^
        (((t = T[(a3 >> 16) & 255]!) << 16) | ((t >> 16) & 65535)) ^
        (((t = T[(a4 >> 24) & 255]!) << 24) | ((t >> 8) & 16777215)) ^
        r[KEYS + 8]!;
      b1 =
        T[a1 & 255]! ^
        (((t = T[(a2 >> 8) & 255]!) << 8) | ((t >> 24) & 255)) ^
        (((t = T[(a4 >> 16) & 255]!) << 16) | ((t >> 16) & 65535)) ^
        (((t = T[(a5 >> 24) & 255]!) << 24) | ((t >> 8) & 16777215)) ^
        r[KEYS + 9]!;
      b2 =
        T[a2 & 255]! ^
        (((t = T[(a3 >> 8) & 255]!) << 8) | ((t >> 24) & 255)) ^
        (((t = T[(a5 >> 16) & 255]!) << 16) | ((t >> 16) & 65535)) ^
        (((t = T[(a6 >> 24) & 255]!) << 24) | ((t >> 8) & 16777215)) ^
        r[KEYS + 10]!;
      b3 =
        T[a3 & 255]! ^
        (((t = T[(a4 >> 8) & 255]!) << 8) | ((t >> 24) & 255)) ^
        (((t = T[(a6 >> 16) & 255]!) << 16) | ((t >> 16) & 65535)) ^
        (((t = T[(a7 >> 24) & 255]!) << 24) | ((t >> 8) & 16777215)) ^
        r[KEYS + 11]!;
      b4 =
        T[a4 & 255]! ^
        (((t = T[(a5 >> 8) & 255]!) << 8) | ((t >> 24) & 255)) ^
        (((t = T[(a7 >> 16) & 255]!) << 16) | ((t >> 16) & 65535)) ^
        (((t = T[(a0 >> 24) & 255]!) << 24) | ((t >> 8) & 16777215)) ^
        r[KEYS + 12]!;
      b5 =
        T[a5 & 255]! ^
        (((t = T[(a6 >> 8) & 255]!) << 8) | ((t >> 24) & 255)) ^
        (((t = T[(a0 >> 16) & 255]!) << 16) | ((t >> 16) & 65535)) ^
        (((t = T[(a1 >> 24) & 255]!) << 24) | ((t >> 8) & 16777215)) ^
        r[KEYS + 13]!;
      b6 =
        T[a6 & 255]! ^
        (((t = T[(a7 >> 8) & 255]!) << 8) | ((t >> 24) & 255)) ^
        (((t = T[(a1 >> 16) & 255]!) << 16) | ((t >> 16) & 65535)) ^
        (((t = T[(a2 >> 24) & 255]!) << 24) | ((t >> 8) & 16777215)) ^
        r[KEYS + 14]!;
      b7 =
        T[a7 & 255]! ^
        (((t = T[(a0 >> 8) & 255]!) << 8) | ((t >> 24) & 255)) ^
        (((t = T[(a2 >> 16) & 255]!) << 16) | ((t >> 16) & 65535)) ^
        (((t = T[(a3 >> 24) & 255]!) << 24) | ((t >> 8) & 16777215)) ^
        r[KEYS + 15]!;
      p0 =
        (((t = T[(b1 >> 8) & 255]!) << 8) | ((t >> 24) & 255)) ^
        (((t = T[(b3 >> 16) & 255]!) << 16) | ((t >> 16) & 65535)) ^
        (((t = T[(b4 >> 24) & 255]!) << 24) | ((t >> 8) & 16777215)) ^
        r[KEYS + 16]!;
      p1 =
        T[b1 & 255]! ^
        (((t = T[(b2 >> 8) & 255]!) << 8) | ((t >> 24) & 255)) ^
        (((t = T[(b4 >> 16) & 255]!) << 16) | ((t >> 16) & 65535)) ^
        (((t = T[(b5 >> 24) & 255]!) << 24) | ((t >> 8) & 16777215)) ^
        r[KEYS + 17]!;
      p2 =
        T[b2 & 255]! ^
        (((t = T[(b3 >> 8) & 255]!) << 8) | ((t >> 24) & 255)) ^
        (((t = T[(b5 >> 16) & 255]!) << 16) | ((t >> 16) & 65535)) ^
        (((t = T[(b6 >> 24) & 255]!) << 24) | ((t >> 8) & 16777215)) ^
        r[KEYS + 18]!;
      p3 =
        T[b3 & 255]! ^
        (((t = T[(b4 >> 8) & 255]!) << 8) | ((t >> 24) & 255)) ^
        (((t = T[(b6 >> 16) & 255]!) << 16) | ((t >> 16) & 65535)) ^
        (((t = T[(b7 >> 24) & 255]!) << 24) | ((t >> 8) & 16777215)) ^
        r[KEYS + 19]!;
      p4 =
        T[b4 & 255]! ^
        (((t = T[(b5 >> 8) & 255]!) << 8) | ((t >> 24) & 255)) ^
        (((t = T[(b7 >> 16) & 255]!) << 16) | ((t >> 16) & 65535)) ^
        r[KEYS + 20]!;
      p5 =
        T[b5 & 255]! ^
        (((t = T[(b6 >> 8) & 255]!) << 8) | ((t >> 24) & 255)) ^
        (((t = T[(b1 >> 24) & 255]!) << 24) | ((t >> 8) & 16777215)) ^
        r[KEYS + 21]!;
      p6 =
        T[b6 & 255]! ^
        (((t = T[(b7 >> 8) & 255]!) << 8) | ((t >> 24) & 255)) ^
        (((t = T[(b1 >> 16) & 255]!) << 16) | ((t >> 16) & 65535)) ^
        (((t = T[(b2 >> 24) & 255]!) << 24) | ((t >> 8) & 16777215)) ^
        r[KEYS + 22]!;
      p7 =
        T[b7 & 255]! ^
        (((t = T[(b2 >> 16) & 255]!) << 16) | ((t >> 16) & 65535)) ^
        (((t = T[(b3 >> 24) & 255]!) << 24) | ((t >> 8) & 16777215)) ^
        r[KEYS + 23]!;
    }
    b0 = column ^ T[(low ^ key) & 255]!;
    a0 = p0 ^ T[b0 & 255]!;
    a1 = p1;
    a2 = p2;
    a3 = p3;
    a4 = p4 ^ (((t = T[(b0 >> 24) & 255]!) << 24) | ((t >> 8) & 16777215));
    a5 = p5 ^ (((t = T[(b0 >> 16) & 255]!) << 16) | ((t >> 16) & 65535));
    a6 = p6;
    a7 = p7 ^ (((t = T[(b0 >> 8) & 255]!) << 8) | ((t >> 24) & 255));
    for (k = KEYS + 24; k < end; k += 8) {
      d0 =
        T[a0 & 255]! ^
        (((t = T[(a1 >> 8) & 255]!) << 8) | ((t >> 24) & 255)) ^
        (((t = T[(a3 >> 16) & 255]!) << 16) | ((t >> 16) & 65535)) ^
        (((t = T[(a4 >> 24) & 255]!) << 24) | ((t >> 8) & 16777215)) ^
        r[k]!;
      d1 =
        T[a1 & 255]! ^
        (((t = T[(a2 >> 8) & 255]!) << 8) | ((t >> 24) & 255)) ^
        (((t = T[(a4 >> 16) & 255]!) << 16) | ((t >> 16) & 65535)) ^
        (((t = T[(a5 >> 24) & 255]!) << 24) | ((t >> 8) & 16777215)) ^
        r[k + 1]!;
      d2 =
        T[a2 & 255]! ^
        (((t = T[(a3 >> 8) & 255]!) << 8) | ((t >> 24) & 255)) ^
        (((t = T[(a5 >> 16) & 255]!) << 16) | ((t >> 16) & 65535)) ^
        (((t = T[(a6 >> 24) & 255]!) << 24) | ((t >> 8) & 16777215)) ^
        r[k + 2]!;
      d3 =
        T[a3 & 255]! ^
        (((t = T[(a4 >> 8) & 255]!) << 8) | ((t >> 24) & 255)) ^
        (((t = T[(a6 >> 16) & 255]!) << 16) | ((t >> 16) & 65535)) ^
        (((t = T[(a7 >> 24) & 255]!) << 24) | ((t >> 8) & 16777215)) ^
        r[k + 3]!;
      d4 =
        T[a4 & 255]! ^
        (((t = T[(a5 >> 8) & 255]!) << 8) | ((t >> 24) & 255)) ^
        (((t = T[(a7 >> 16) & 255]!) << 16) | ((t >> 16) & 65535)) ^
        (((t = T[(a0 >> 24) & 255]!) << 24) | ((t >> 8) & 16777215)) ^
        r[k + 4]!;
      d5 =
        T[a5 & 255]! ^
        (((t = T[(a6 >> 8) & 255]!) << 8) | ((t >> 24) & 255)) ^
        (((t = T[(a0 >> 16) & 255]!) << 16) | ((t >> 16) & 65535)) ^
        (((t = T[(a1 >> 24) & 255]!) << 24) | ((t >> 8) & 16777215)) ^
        r[k + 5]!;
      d6 =
        T[a6 & 255]! ^
        (((t = T[(a7 >> 8) & 255]!) << 8) | ((t >> 24) & 255)) ^
        (((t = T[(a1 >> 16) & 255]!) << 16) | ((t >> 16) & 65535)) ^
        (((t = T[(a2 >> 24) & 255]!) << 24) | ((t >> 8) & 16777215)) ^
        r[k + 6]!;
      d7 =
        T[a7 & 255]! ^
        (((t = T[(a0 >> 8) & 255]!) << 8) | ((t >> 24) & 255)) ^
        (((t = T[(a2 >> 16) & 255]!) << 16) | ((t >> 16) & 65535)) ^
        (((t = T[(a3 >> 24) & 255]!) << 24) | ((t >> 8) & 16777215)) ^
        r[k + 7]!;
      a0 = d0;
      a1 = d1;
      a2 = d2;
      a3 = d3;
      a4 = d4;
      a5 = d5;
      a6 = d6;
      a7 = d7;
    }
    d0 =
      (((T[a0 & 255]! >> 8) & 255) |
        (T[(a1 >> 8) & 255]! & 0xff00) |
        (T[(a3 >> 16) & 255]! & 0xff0000) |
        ((T[(a4 >> 24) & 255]! << 8) & 0xff000000)) ^
      r[end]!;
    d1 =
      (((T[a1 & 255]! >> 8) & 255) |
        (T[(a2 >> 8) & 255]! & 0xff00) |
        (T[(a4 >> 16) & 255]! & 0xff0000) |
        ((T[(a5 >> 24) & 255]! << 8) & 0xff000000)) ^
      r[end + 1]!;
    d2 =
      (((T[a2 & 255]! >> 8) & 255) |
        (T[(a3 >> 8) & 255]! & 0xff00) |
        (T[(a5 >> 16) & 255]! & 0xff0000) |
        ((T[(a6 >> 24) & 255]! << 8) & 0xff000000)) ^
      r[end + 2]!;
    d3 =
      (((T[a3 & 255]! >> 8) & 255) |
        (T[(a4 >> 8) & 255]! & 0xff00) |
        (T[(a6 >> 16) & 255]! & 0xff0000) |
        ((T[(a7 >> 24) & 255]! << 8) & 0xff000000)) ^
      r[end + 3]!;
    d4 =
      (((T[a4 & 255]! >> 8) & 255) |
        (T[(a5 >> 8) & 255]! & 0xff00) |
        (T[(a7 >> 16) & 255]! & 0xff0000) |
        ((T[(a0 >> 24) & 255]! << 8) & 0xff000000)) ^
      r[end + 4]!;
    d5 =
      (((T[a5 & 255]! >> 8) & 255) |
        (T[(a6 >> 8) & 255]! & 0xff00) |
        (T[(a0 >> 16) & 255]! & 0xff0000) |
        ((T[(a1 >> 24) & 255]! << 8) & 0xff000000)) ^
      r[end + 5]!;
    d6 =
      (((T[a6 & 255]! >> 8) & 255) |
        (T[(a7 >> 8) & 255]! & 0xff00) |
        (T[(a1 >> 16) & 255]! & 0xff0000) |
        ((T[(a2 >> 24) & 255]! << 8) & 0xff000000)) ^
      r[end + 6]!;
    d7 =
      (((T[a7 & 255]! >> 8) & 255) |
        (T[(a0 >> 8) & 255]! & 0xff00) |
        (T[(a2 >> 16) & 255]! & 0xff0000) |
        ((T[(a3 >> 24) & 255]! << 8) & 0xff000000)) ^
      r[end + 7]!;
    if (stop - at >= 32) {
      data[at]! ^= d0;
      data[at + 1]! ^= d0 >> 8;
      data[at + 2]! ^= d0 >> 16;
      data[at + 3]! ^= d0 >> 24;
      data[at + 4]! ^= d1;
      data[at + 5]! ^= d1 >> 8;
      data[at + 6]! ^= d1 >> 16;
      data[at + 7]! ^= d1 >> 24;
      data[at + 8]! ^= d2;
      data[at + 9]! ^= d2 >> 8;
      data[at + 10]! ^= d2 >> 16;
      data[at + 11]! ^= d2 >> 24;
      data[at + 12]! ^= d3;
      data[at + 13]! ^= d3 >> 8;
      data[at + 14]! ^= d3 >> 16;
      data[at + 15]! ^= d3 >> 24;
      data[at + 16]! ^= d4;
      data[at + 17]! ^= d4 >> 8;
      data[at + 18]! ^= d4 >> 16;
      data[at + 19]! ^= d4 >> 24;
      data[at + 20]! ^= d5;
      data[at + 21]! ^= d5 >> 8;
      data[at + 22]! ^= d5 >> 16;
      data[at + 23]! ^= d5 >> 24;
      data[at + 24]! ^= d6;
      data[at + 25]! ^= d6 >> 8;
      data[at + 26]! ^= d6 >> 16;
      data[at + 27]! ^= d6 >> 24;
      data[at + 28]! ^= d7;
      data[at + 29]! ^= d7 >> 8;
      data[at + 30]! ^= d7 >> 16;
      data[at + 31]! ^= d7 >> 24;
    } else {
      xorWord(data, at, d0, stop - at);
      xorWord(data, at + 4, d1, stop - at - 4);
      xorWord(data, at + 8, d2, stop - at - 8);
      xorWord(data, at + 12, d3, stop - at - 12);
      xorWord(data, at + 16, d4, stop - at - 16);
      xorWord(data, at + 20, d5, stop - at - 20);
      xorWord(data, at + 24, d6, stop - at - 24);
      xorWord(data, at + 28, d7, stop - at - 28);
    }
    low = (low + 1) | 0;
    done++;
  }
}

/** Absorbs a range less its first `skip` bytes; returns how many are still to be left out. */
function absorbFrom(r: Int32Array, b: Uint8Array, at: number, length: number, skip: number): number {
  if (skip >= length) return skip - length;
  absorb(r, b, at + skip, length - skip);
  return 0;
}

function absorbWord(r: Int32Array, word: number, skip: number): number {
  for (let i = 0; i < 32; i += 8) {
    if (skip > 0) skip--;
    else absorbByte(r, (word >>> i) & 255);
  }
  return skip;
}

/**
 * Absorbs a packet as one stream, leaving out its first `skip` bytes:
 * associated data, their length as u32 (both only if there are any), counter block, ciphertext, u64 C.
 */
function absorbPacket(
  r: Int32Array,
  aad: Uint8Array,
  aadLength: number,
  data: Uint8Array,
  at: number,
  length: number,
  skip: number,
): void {
  if (aadLength > 0) {
    skip = absorbFrom(r, aad, 0, aadLength, skip);
    skip = absorbWord(r, aadLength, skip);
  }
  for (let i = 0; i < 8; i++) skip = absorbWord(r, r[COUNTER + i]!, skip);
  skip = absorbFrom(r, data, at, length, skip);
  const low = (r[TOTAL]! + C_BASE) | 0;
  skip = absorbWord(r, low, skip);
  absorbWord(r, r[TOTAL + 1]! + (low >>> 0 < C_BASE ? 1 : 0), skip);
}

/** Brings the MAC over one packet to the point where the tag can be squeezed. */
function mac(
  r: Int32Array,
  aad: Uint8Array,
  aadLength: number,
  data: Uint8Array,
  at: number,
  length: number,
): void {
  const total = r[TOTAL]! + length;
  if (total >>> 0 < length) r[TOTAL + 1]!++;
  r[TOTAL] = total;
  absorbPacket(r, aad, aadLength, data, at, length, 0);
  const tag = tagBytes(r);
  if (quirkApplies(r)) {
    const streamBytes = (aadLength === 0 ? 0 : aadLength + 4) + 32 + length + 8;
    const buffered = position(r);
    quirkBegin(r, tag);
    absorbPacket(r, aad, aadLength, data, at, length, streamBytes - buffered + 4);
    quirkFinish(r);
  } else {
    kmacPad(r, tag);
  }
}

function advance(r: Int32Array, length: number): void {
  let carry = (length + 31) >>> 5;
  for (let i = 0; i < 8 && carry !== 0; i++) {
    const before = r[COUNTER + i]!;
    const after = (before + carry) | 0;
    r[COUNTER + i] = after;
    carry = after >>> 0 < carry ? 1 : 0;
  }
}

/**
 * Encrypts `data[at .. at + length)` in place and writes the tag behind it. The associated data are the
 * first `aadLength` bytes of `aad`, which may be the same array.
 */
export function rcsSeal(
  r: Int32Array,
  aad: Uint8Array,
  aadLength: number,
  data: Uint8Array,
  at: number,
  length: number,
): void {
  crypt(r, data, at, length);
  mac(r, aad, aadLength, data, at, length);
  const tag = tagBytes(r);
  squeeze(r, data, at + length, tag);
  rewind(r);
  advance(r, length);
}

/**
 * Checks the tag behind `data[at .. at + length)` and decrypts in place. False leaves the data encrypted
 * and the state out of step with the sender's: the session must end.
 * `scratch` takes the computed tag: at least 32 (RCS-512: 64) bytes.
 */
export function rcsOpen(
  r: Int32Array,
  aad: Uint8Array,
  aadLength: number,
  data: Uint8Array,
  at: number,
  length: number,
  scratch: Uint8Array,
): boolean {
  mac(r, aad, aadLength, data, at, length);
  const tag = tagBytes(r);
  squeeze(r, scratch, 0, tag);
  rewind(r);
  if (!equalAt(scratch, 0, data, at + length, tag)) return false;
  crypt(r, data, at, length);
  advance(r, length);
  return true;
}
