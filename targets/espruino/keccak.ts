// Keccak-f[1600], or what the application puts in its place: native code is a thousand times faster than source that an
// interpreter reads. Builds for Espruino put this module in the place of src/crypto/micro/keccak-f.ts.

import { keccakF1600 as kernel } from './keccak-f.ts';

export interface Hooks {
  /** Permutes 25 lanes in place: word 2i is the low half of lane i, word 2i + 1 its high half. */
  keccak: ((state: Int32Array) => void) | null;
  /** Encrypts `blocks`, 16 bytes each, with AES-256 in ECB mode; returns the bytes, in an array of any kind. */
  aes: ((key: Uint8Array, blocks: Uint8Array) => ArrayLike<number>) | null;
}

/** Set by the application before it connects. */
export const hooks: Hooks = { keccak: null, aes: null };

export function keccakF1600(state: Int32Array): void {
  if (hooks.keccak !== null) hooks.keccak(state);
  else kernel(state);
}
