// Keccak-f[1600], or what the application puts in its place: native code is a thousand times faster than source that an
// interpreter reads. Builds for Espruino put this module in the place of src/crypto/micro/keccak-f.ts.

import { keccakF1600 as kernel } from './keccak-f.ts';

export interface Hooks {
  /** Permutes 25 lanes in place: word 2i is the low half of lane i, word 2i + 1 its high half. */
  keccak: ((state: Int32Array) => void) | null;
}

/** Set by the application before it connects. */
export const hooks: Hooks = { keccak: null };

export function keccakF1600(state: Int32Array): void {
  if (hooks.keccak !== null) hooks.keccak(state);
  else kernel(state);
}
