// Keccak-f[1600], or what the application puts in its place. Builds for Espruino put this module in the place of
// src/crypto/micro/keccak-f.ts.

import { hooks } from './hooks.ts';
import { keccakF1600 as kernel } from './keccak-f.ts';

export function keccakF1600(state: Int32Array): void {
  if (hooks.keccak !== null) hooks.keccak(state);
  else kernel(state);
}
