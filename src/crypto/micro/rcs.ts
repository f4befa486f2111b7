// RCS: Rijndael with a 256-bit block in counter mode, keyed by cSHAKE, authenticated by KMAC
// (docs/protocol.md, "Records"). RCS-256 is QSTP's cipher; RCS-512 differs in key, tag, rate and rounds.
//
// The state is one Int32Array of the caller's, RCS256_WORDS or RCS512_WORDS long. Nothing else is kept:
//
//   words   0..51   MAC sponge: the Keccak state runs on from packet to packet
//          52..59   counter block, 256 bits, low word first; runs on from packet to packet
//          60, 61   plaintext bytes so far, low and high half
//              62   rounds
//          63..     round keys, 8 words each, rounds + 1 of them, in the order of rijndael.ts

import { QstpError } from '../../error.ts';
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
import { rcsOrder, rcsXor } from './rijndael.ts';

export const COUNTER = 52;
export const TOTAL = 60;
export const ROUNDS = 62;
export const KEYS = 63;
/** C of a packet is this plus the plaintext bytes so far: block bytes, counter bytes, one. */
export const C_BASE = 41;

export const RCS256_WORDS = KEYS + 23 * 8;
export const RCS512_WORDS = KEYS + 31 * 8;
export const RCS_BLOCK_BYTES = 32;
export const RCS256_TAG_BYTES = 32;
export const RCS512_TAG_BYTES = 64;

/** Function name of the key schedule: `01`, block size and key size tag, then "RCSK256" or "RCSK512". */
export const NAME_256 = [1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 82, 67, 83, 75, 50, 53, 54];
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
  rcsOrder(r, KEYS, rounds);
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

/** A wiped state has no rate to absorb at: going on would never end. */
function requireKey(r: Int32Array): void {
  if (r[ROUNDS] === 0)
    throw new QstpError('cipher_not_keyed', 'the cipher state is wiped or was never keyed');
}

function tagBytes(r: Int32Array): number {
  return r[ROUNDS] === 22 ? RCS256_TAG_BYTES : RCS512_TAG_BYTES;
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

/** Counts the blocks of a packet of `length` bytes. */
export function rcsAdvance(r: Int32Array, length: number): void {
  let carry = (length + 31) >>> 5;
  for (let i = 0; i < 8; i++) {
    const before = r[COUNTER + i]!;
    const after = (before + carry) | 0;
    r[COUNTER + i] = after;
    carry = ((before & ~after) >> 31) & 1;
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
  requireKey(r);
  rcsXor(r, COUNTER, KEYS, r[ROUNDS]!, data, at, length);
  mac(r, aad, aadLength, data, at, length);
  const tag = tagBytes(r);
  squeeze(r, data, at + length, tag);
  rewind(r);
  rcsAdvance(r, length);
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
  requireKey(r);
  mac(r, aad, aadLength, data, at, length);
  const tag = tagBytes(r);
  squeeze(r, scratch, 0, tag);
  rewind(r);
  if (!equalAt(scratch, 0, data, at + length, tag)) return false;
  rcsXor(r, COUNTER, KEYS, r[ROUNDS]!, data, at, length);
  rcsAdvance(r, length);
  return true;
}
