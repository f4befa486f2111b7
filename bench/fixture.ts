// Bytes by formula, the same on every engine, and which of them are what.

/** `length` bytes that look random. */
export function fixture(length: number, seed: number): Uint8Array {
  const out = new Uint8Array(length);
  let x = (seed * 7919 + 12345) % 65521;
  for (let i = 0; i < length; i++) {
    x = (x * 17364 + 1) % 65521;
    out[i] = x >> 5;
  }
  return out;
}

/** Second argument of {@link fixture} for each thing that is measured with. Messages count on from theirs. */
export const SEEDS = {
  mlKemKey: 1,
  coins: 2,
  mlDsaKey: 3,
  header: 4,
  recordKey: 5,
  nonce: 6,
  message: 100,
} as const;

/** Signatures whose mean is taken, where an engine is fast enough. */
export const SIGNATURES = 32;
