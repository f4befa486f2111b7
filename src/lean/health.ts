// The health tests of a generator in hardware (SP 800-90B §4.4), one sample a byte with 4 bits of entropy: the same
// limits as src/crypto/micro/drbg.ts has for so many.

/** Samples drawn at a start: 4,096 bits. */
export const SAMPLES = 1024;
/** A good source fails with a chance of 2^-30: so many equal samples in a row, and in a window of 512. */
export const REPETITIONS = 9;
export const PROPORTION = 71;
const WINDOW = 512;

export function isHealthy(samples: Uint8Array): boolean {
  let row = 0;
  let seen = 0;
  for (let i = 0; i < SAMPLES; i++) {
    row = i > 0 && samples[i] === samples[i - 1] ? row + 1 : 1;
    const watched = i & -WINDOW;
    if (i === watched) seen = 0;
    if (samples[i] === samples[watched]) seen++;
    if (row >= REPETITIONS || seen >= PROPORTION) return false;
  }
  return true;
}
