// Values hashed by BLAKE2s-256 in a canonical form: each with its length in front, so that no two lists have the same bytes.

import { putU32 } from '../bytes.ts';
import { BLAKE2S_WORDS, blake2sAbsorb, blake2sFinish, blake2sInit } from '../crypto/micro/blake2s.ts';

export const TELEMETRY_HASH_BYTES = 32;

/** What goes into a hash: bytes, text of ASCII, or a count, which is a u32 without a length. */
export type Hashed = Uint8Array | string | number;

function absorbU32(state: Int32Array, value: number): void {
  const b = new Uint8Array(4);
  putU32(b, 0, value);
  blake2sAbsorb(state, b, 0, 4);
}

function bytesOf(text: string): Uint8Array {
  const out = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    // One byte a character, whatever the engine's strings are made of.
    out[i] = c < 0x80 ? c : 0x3f;
  }
  return out;
}

/** H(u32 length || value || ...), 32 bytes. */
export function hashOf(values: readonly Hashed[]): Uint8Array {
  const state = new Int32Array(BLAKE2S_WORDS);
  const out = new Uint8Array(TELEMETRY_HASH_BYTES);
  blake2sInit(state, TELEMETRY_HASH_BYTES, null);
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (typeof value === 'number') {
      absorbU32(state, value);
      continue;
    }
    const bytes = typeof value === 'string' ? bytesOf(value) : value;
    absorbU32(state, bytes.length);
    blake2sAbsorb(state, bytes, 0, bytes.length);
  }
  blake2sFinish(state, out, 0);
  return out;
}

/** BLAKE2s-256 of the bytes, without a length. */
export function plainHash(bytes: Uint8Array): Uint8Array {
  const state = new Int32Array(BLAKE2S_WORDS);
  const out = new Uint8Array(TELEMETRY_HASH_BYTES);
  blake2sInit(state, TELEMETRY_HASH_BYTES, null);
  blake2sAbsorb(state, bytes, 0, bytes.length);
  blake2sFinish(state, out, 0);
  return out;
}
