// Where an identity's signatures come from: the bytes of its key, or something that keeps the key to itself, such
// as an HSM, a key agent or another process.

import { SIGN_RANDOM_BYTES } from '../params.ts';
import type { Job } from './job.ts';
import type { Random } from './provider.ts';

export interface ExternalSigner {
  /**
   * Writes the ML-DSA signature (FIPS 204, pure mode) of `message` under `context`, 0 to 255 bytes, into
   * `signature`, which has the parameter set's size, and calls back once, at once or later: true if it is there. Not
   * to answer, or to throw, is to answer false.
   */
  sign(message: Uint8Array, context: Uint8Array, signature: Uint8Array, done: (good: boolean) => void): void;
}

/** A signing key in FIPS 204's encoding, secret, or who signs instead. */
export type SigningKey = Uint8Array | ExternalSigner;

/**
 * The job that signs `message` into `signature`. `random` is drawn for the hedge, unless it is null (deterministic) or
 * another signs.
 */
export function signingJob(
  key: SigningKey,
  message: Uint8Array,
  signature: Uint8Array,
  random: Random | null,
  context?: Uint8Array,
): Job {
  if ('sign' in key) {
    return { op: 'call', call: (done) => key.sign(message, context ?? new Uint8Array(0), signature, done) };
  }
  const hedge = new Uint8Array(SIGN_RANDOM_BYTES);
  if (random !== null) random(hedge);
  const job: Job = { op: 'sign', message, secretKey: key, random: hedge, signature };
  if (context !== undefined) job.context = context;
  return job;
}
