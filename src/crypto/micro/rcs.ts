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

/** XORs the low `count` (4 at the most) bytes of `word` onto the data. */
function xorWord(data: Uint8Array, at: number, word: number, count: number): void {
  if (count >= 4) {
    data[at]! ^= word;
    data[at + 1]! ^= word >>> 8;
    data[at + 2]! ^= word >>> 16;
    data[at + 3]! ^= word >>> 24;
  } else {
    for (let i = 0; i < count; i++) data[at + i]! ^= word >>> (8 * i);
  }
}

/**
 * XORs the key stream onto `data[at .. at + length)`: block i is the encryption of the counter block + i.
 * The stored counter stays where it was, since the MAC covers it. Columns and counter live in locals.
 */
function crypt(r: Int32Array, data: Uint8Array, at: number, length: number): void {
  const end = KEYS + r[ROUNDS]! * 8;
  let n0 = r[COUNTER]!,
    n1 = r[COUNTER + 1]!,
    n2 = r[COUNTER + 2]!,
    n3 = r[COUNTER + 3]!;
  let n4 = r[COUNTER + 4]!,
    n5 = r[COUNTER + 5]!,
    n6 = r[COUNTER + 6]!,
    n7 = r[COUNTER + 7]!;
  let a0 = 0,
    a1 = 0,
    a2 = 0,
    a3 = 0,
    a4 = 0,
    a5 = 0,
    a6 = 0,
    a7 = 0;
  let b0 = 0,
    b1 = 0,
    b2 = 0,
    b3 = 0,
    b4 = 0,
    b5 = 0,
    b6 = 0,
    b7 = 0;
  let t = 0,
    u = 0,
    v = 0;
  for (let left = length; left > 0; left -= 32, at += 32) {
    a0 = n0 ^ r[KEYS + 0]!;
    a1 = n1 ^ r[KEYS + 1]!;
    a2 = n2 ^ r[KEYS + 2]!;
    a3 = n3 ^ r[KEYS + 3]!;
    a4 = n4 ^ r[KEYS + 4]!;
    a5 = n5 ^ r[KEYS + 5]!;
    a6 = n6 ^ r[KEYS + 6]!;
    a7 = n7 ^ r[KEYS + 7]!;
    for (let k = KEYS + 8; k < end; k += 8) {
      t = TABLE[(a1 >>> 8) & 255]!;
      u = TABLE[(a3 >>> 16) & 255]!;
      v = TABLE[a4 >>> 24]!;
      b0 =
        TABLE[a0 & 255]! ^
        ((t << 8) | (t >>> 24)) ^
        ((u << 16) | (u >>> 16)) ^
        ((v << 24) | (v >>> 8)) ^
        r[k + 0]!;
      t = TABLE[(a2 >>> 8) & 255]!;
      u = TABLE[(a4 >>> 16) & 255]!;
      v = TABLE[a5 >>> 24]!;
      b1 =
        TABLE[a1 & 255]! ^
        ((t << 8) | (t >>> 24)) ^
        ((u << 16) | (u >>> 16)) ^
        ((v << 24) | (v >>> 8)) ^
        r[k + 1]!;
      t = TABLE[(a3 >>> 8) & 255]!;
      u = TABLE[(a5 >>> 16) & 255]!;
      v = TABLE[a6 >>> 24]!;
      b2 =
        TABLE[a2 & 255]! ^
        ((t << 8) | (t >>> 24)) ^
        ((u << 16) | (u >>> 16)) ^
        ((v << 24) | (v >>> 8)) ^
        r[k + 2]!;
      t = TABLE[(a4 >>> 8) & 255]!;
      u = TABLE[(a6 >>> 16) & 255]!;
      v = TABLE[a7 >>> 24]!;
      b3 =
        TABLE[a3 & 255]! ^
        ((t << 8) | (t >>> 24)) ^
        ((u << 16) | (u >>> 16)) ^
        ((v << 24) | (v >>> 8)) ^
        r[k + 3]!;
      t = TABLE[(a5 >>> 8) & 255]!;
      u = TABLE[(a7 >>> 16) & 255]!;
      v = TABLE[a0 >>> 24]!;
      b4 =
        TABLE[a4 & 255]! ^
        ((t << 8) | (t >>> 24)) ^
        ((u << 16) | (u >>> 16)) ^
        ((v << 24) | (v >>> 8)) ^
        r[k + 4]!;
      t = TABLE[(a6 >>> 8) & 255]!;
      u = TABLE[(a0 >>> 16) & 255]!;
      v = TABLE[a1 >>> 24]!;
      b5 =
        TABLE[a5 & 255]! ^
        ((t << 8) | (t >>> 24)) ^
        ((u << 16) | (u >>> 16)) ^
        ((v << 24) | (v >>> 8)) ^
        r[k + 5]!;
      t = TABLE[(a7 >>> 8) & 255]!;
      u = TABLE[(a1 >>> 16) & 255]!;
      v = TABLE[a2 >>> 24]!;
      b6 =
        TABLE[a6 & 255]! ^
        ((t << 8) | (t >>> 24)) ^
        ((u << 16) | (u >>> 16)) ^
        ((v << 24) | (v >>> 8)) ^
        r[k + 6]!;
      t = TABLE[(a0 >>> 8) & 255]!;
      u = TABLE[(a2 >>> 16) & 255]!;
      v = TABLE[a3 >>> 24]!;
      b7 =
        TABLE[a7 & 255]! ^
        ((t << 8) | (t >>> 24)) ^
        ((u << 16) | (u >>> 16)) ^
        ((v << 24) | (v >>> 8)) ^
        r[k + 7]!;
      a0 = b0;
      a1 = b1;
      a2 = b2;
      a3 = b3;
      a4 = b4;
      a5 = b5;
      a6 = b6;
      a7 = b7;
    }
    b0 =
      ((TABLE[a0 & 255]! >>> 8) & 255) |
      (TABLE[(a1 >>> 8) & 255]! & 0xff00) |
      (TABLE[(a3 >>> 16) & 255]! & 0xff0000) |
      ((TABLE[a4 >>> 24]! << 8) & 0xff000000);
    b1 =
      ((TABLE[a1 & 255]! >>> 8) & 255) |
      (TABLE[(a2 >>> 8) & 255]! & 0xff00) |
      (TABLE[(a4 >>> 16) & 255]! & 0xff0000) |
      ((TABLE[a5 >>> 24]! << 8) & 0xff000000);
    b2 =
      ((TABLE[a2 & 255]! >>> 8) & 255) |
      (TABLE[(a3 >>> 8) & 255]! & 0xff00) |
      (TABLE[(a5 >>> 16) & 255]! & 0xff0000) |
      ((TABLE[a6 >>> 24]! << 8) & 0xff000000);
    b3 =
      ((TABLE[a3 & 255]! >>> 8) & 255) |
      (TABLE[(a4 >>> 8) & 255]! & 0xff00) |
      (TABLE[(a6 >>> 16) & 255]! & 0xff0000) |
      ((TABLE[a7 >>> 24]! << 8) & 0xff000000);
    b4 =
      ((TABLE[a4 & 255]! >>> 8) & 255) |
      (TABLE[(a5 >>> 8) & 255]! & 0xff00) |
      (TABLE[(a7 >>> 16) & 255]! & 0xff0000) |
      ((TABLE[a0 >>> 24]! << 8) & 0xff000000);
    b5 =
      ((TABLE[a5 & 255]! >>> 8) & 255) |
      (TABLE[(a6 >>> 8) & 255]! & 0xff00) |
      (TABLE[(a0 >>> 16) & 255]! & 0xff0000) |
      ((TABLE[a1 >>> 24]! << 8) & 0xff000000);
    b6 =
      ((TABLE[a6 & 255]! >>> 8) & 255) |
      (TABLE[(a7 >>> 8) & 255]! & 0xff00) |
      (TABLE[(a1 >>> 16) & 255]! & 0xff0000) |
      ((TABLE[a2 >>> 24]! << 8) & 0xff000000);
    b7 =
      ((TABLE[a7 & 255]! >>> 8) & 255) |
      (TABLE[(a0 >>> 8) & 255]! & 0xff00) |
      (TABLE[(a2 >>> 16) & 255]! & 0xff0000) |
      ((TABLE[a3 >>> 24]! << 8) & 0xff000000);
    xorWord(data, at + 0, b0 ^ r[end + 0]!, left);
    xorWord(data, at + 4, b1 ^ r[end + 1]!, left - 4);
    xorWord(data, at + 8, b2 ^ r[end + 2]!, left - 8);
    xorWord(data, at + 12, b3 ^ r[end + 3]!, left - 12);
    xorWord(data, at + 16, b4 ^ r[end + 4]!, left - 16);
    xorWord(data, at + 20, b5 ^ r[end + 5]!, left - 20);
    xorWord(data, at + 24, b6 ^ r[end + 6]!, left - 24);
    xorWord(data, at + 28, b7 ^ r[end + 7]!, left - 28);
    n0 = (n0 + 1) | 0;
    if (n0 === 0) {
      n1 = (n1 + 1) | 0;
      if (n1 === 0) n2 = (n2 + 1) | 0;
      if ((n1 | n2) === 0) n3 = (n3 + 1) | 0;
      if ((n1 | n2 | n3) === 0) n4 = (n4 + 1) | 0;
      if ((n1 | n2 | n3 | n4) === 0) n5 = (n5 + 1) | 0;
      if ((n1 | n2 | n3 | n4 | n5) === 0) n6 = (n6 + 1) | 0;
      if ((n1 | n2 | n3 | n4 | n5 | n6) === 0) n7 = (n7 + 1) | 0;
    }
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
