// A generator of random bytes on SHAKE256 for devices whose entropy sources are slow, poor or doubtful.
//
// The key K, 64 bytes, is all that is secret. Every call replaces it first, so that what was given out before
// cannot be computed from what is in memory now:
//
//   mix, feed    K <- SHAKE256(K || 1 || u32 length || data)[0 .. 64)
//   generate     K || out <- SHAKE256(K || 2 || u32 length)
//
// Nothing is given out before the sources have delivered 1,024 samples that pass the health tests (SP 800-90B
// §4.3, §4.4) and hold 384 bits of entropy by the caller's own estimate: 256 and half as much again for the
// nonce (SP 800-90A §8.6.7), or before a stored seed of 256 bits was given along with a nonce. A failed test is latched. No test notices a source that is a generator with a
// constant seed: mix in a stored seed, the device's name and the time besides.
//
// The state is one Int32Array of the caller's, DRBG_WORDS long (312 bytes):
//
//   words   0..51   sponge                              70   requests since the last feed
//          52..67   K                                   71   1 once a health test has failed
//              68   entropy fed, 1/16 bits              72, 73   repetition test: sample, count
//              69   samples fed                         74..76   proportion test: sample, count, place

import { QstpError } from '../../error.ts';
import { absorb, absorbByte, RATE_256, shakeFinish, spongeInit, squeeze, squeezeWords } from './sponge.ts';

const K = 52;
const ENTROPY = 68;
const SAMPLES = 69;
const REQUESTS = 70;
const FAILED = 71;
const REPEATED = 72;
const REPETITIONS = 73;
const WATCHED = 74;
const SEEN = 75;
const PLACE = 76;

export const DRBG_WORDS = 78;
/** Samples before anything is given out. */
export const DRBG_STARTUP_SAMPLES = 1024;
/** Bits of entropy before anything is given out. */
export const DRBG_ENTROPY_BITS = 384;
/** Requests answered without fresh entropy. */
export const DRBG_REQUESTS_MAX = 1 << 20;

/** Samples a window of the adaptive proportion test (SP 800-90B §4.4.2). */
const WINDOW = 512;
/** Chance that a good source fails a test: 2^-30 (§4.4.1 advises 2^-20 to 2^-40). */
const ALPHA_BITS = 30;

function absorbKey(d: Int32Array, domain: number, length: number): void {
  spongeInit(d, RATE_256);
  for (let i = 0; i < 64; i++) absorbByte(d, (d[K + (i >> 2)]! >> ((i & 3) << 3)) & 255);
  absorbByte(d, domain);
  for (let i = 0; i < 32; i += 8) absorbByte(d, (length >>> i) & 255);
}

function wipeSponge(d: Int32Array): void {
  for (let i = 0; i < K; i++) d[i] = 0;
}

/** An empty state: unseeded. */
export function drbgInit(d: Int32Array): void {
  for (let i = 0; i < DRBG_WORDS; i++) d[i] = 0;
  d[REPEATED] = -1;
}

/** Mixes anything in: a stored seed, a serial number, the time. It counts for nothing. */
export function drbgMix(d: Int32Array, data: Uint8Array): void {
  absorbKey(d, 1, data.length);
  absorb(d, data, 0, data.length);
  shakeFinish(d);
  squeezeWords(d, d, K, 16);
  wipeSponge(d);
}

/**
 * Smallest count of one sample in a window that happens with a chance of less than 2^-ALPHA_BITS, if every
 * sample comes with a chance of at most 2^-bits (§4.4.2): the upper tail of a binomial distribution.
 */
export function proportionCutoff(bits: number): number {
  const p = Math.pow(2, -bits);
  const limit = Math.pow(2, -ALPHA_BITS);
  // Terms from the top down, by their logarithms: they are too small for a product.
  let logTerm = WINDOW * Math.log(p);
  let tail = 0;
  for (let n = WINDOW; n > 0; n--) {
    tail += Math.exp(logTerm);
    if (tail >= limit) return n + 1;
    logTerm += Math.log(n / (WINDOW - n + 1)) + Math.log((1 - p) / p);
  }
  return 1;
}

/** Repetitions in a row that happen with a chance of less than 2^-ALPHA_BITS (§4.4.1). */
export function repetitionCutoff(bits: number): number {
  return 1 + Math.ceil(ALPHA_BITS / bits);
}

/**
 * Feeds samples of a source, one a byte, that holds at least `bits` bits of entropy each, 0.1 to 8. False
 * once a health test has failed, for good: then the source is not what it was said to be.
 */
export function drbgFeed(d: Int32Array, samples: Uint8Array, bits: number): boolean {
  if (!(bits >= 0.1 && bits <= 8)) {
    throw new QstpError('invalid_input', 'the entropy of a sample is given in bits a byte, from 0.1 to 8');
  }
  const repetitions = repetitionCutoff(bits);
  const proportion = proportionCutoff(bits);
  for (let i = 0; i < samples.length; i++) {
    const sample = samples[i]!;
    if (sample !== d[REPEATED]) {
      d[REPEATED] = sample;
      d[REPETITIONS] = 1;
    } else {
      d[REPETITIONS]!++;
      if (d[REPETITIONS]! >= repetitions) d[FAILED] = 1;
    }
    if (d[PLACE] === 0) {
      d[WATCHED] = sample;
      d[SEEN] = 0;
    }
    if (sample === d[WATCHED]) {
      d[SEEN]!++;
      if (d[SEEN]! >= proportion) d[FAILED] = 1;
    }
    d[PLACE] = (d[PLACE]! + 1) % WINDOW;
  }
  drbgMix(d, samples);
  // Both stop at what is asked for: they never overflow.
  const entropy = d[ENTROPY]! + Math.floor(16 * bits) * samples.length;
  d[ENTROPY] = entropy < 16 * DRBG_ENTROPY_BITS ? entropy : 16 * DRBG_ENTROPY_BITS;
  const count = d[SAMPLES]! + samples.length;
  d[SAMPLES] = count < DRBG_STARTUP_SAMPLES ? count : DRBG_STARTUP_SAMPLES;
  d[REQUESTS] = 0;
  return d[FAILED] === 0;
}

/**
 * Seeds from a secret that no test can judge: at least 32 bytes with 256 bits of entropy, kept for this purpose
 * and used with a value that never repeats, which is the nonce (SP 800-90A §8.6.7). A boot of a device that has
 * a stored seed and a persisted counter.
 */
export function drbgSeed(d: Int32Array, secret: Uint8Array): void {
  if (secret.length < 32) throw new QstpError('invalid_input', 'a seed has at least 32 bytes');
  drbgMix(d, secret);
  d[ENTROPY] = 16 * DRBG_ENTROPY_BITS;
  d[SAMPLES] = DRBG_STARTUP_SAMPLES;
  d[REQUESTS] = 0;
}

/** Why nothing would be given out, as the code of the error: null if something would. */
export function drbgRefusal(d: Int32Array): string | null {
  if (d[FAILED] !== 0) return 'entropy_failed';
  if (d[SAMPLES]! < DRBG_STARTUP_SAMPLES || d[ENTROPY]! < 16 * DRBG_ENTROPY_BITS) return 'entropy_missing';
  if (d[REQUESTS]! >= DRBG_REQUESTS_MAX) return 'entropy_stale';
  return null;
}

/** Fills `out`. Throws, with the code of {@link drbgRefusal}, rather than give out weak bytes. */
export function drbgGenerate(d: Int32Array, out: Uint8Array): void {
  const refusal = drbgRefusal(d);
  if (refusal !== null) {
    throw new QstpError(
      refusal,
      refusal === 'entropy_failed'
        ? 'an entropy source failed its health test: repair or replace it, then start the generator anew'
        : 'the generator lacks entropy: feed it samples of an approved source',
    );
  }
  absorbKey(d, 2, out.length);
  shakeFinish(d);
  squeezeWords(d, d, K, 16);
  squeeze(d, out, 0, out.length);
  wipeSponge(d);
  d[REQUESTS]!++;
}

/** The generator as the source of randomness that the rest of the package takes (`Random` of a provider). */
export function drbgRandom(d: Int32Array): (out: Uint8Array) => void {
  return (out) => drbgGenerate(d, out);
}
