// A slow operation a handshake stops at: the driver runs it at once, in steps, in a worker or natively,
// then resumes the handshake with its verdict. Results are written into the job's own buffers.

import { wipe } from '../bytes.ts';
import type { SuiteCrypto } from './provider.ts';

export type Job =
  | { readonly op: 'keygen'; seed: Uint8Array; publicKey: Uint8Array; secretKey: Uint8Array }
  | {
      readonly op: 'encapsulate';
      publicKey: Uint8Array;
      coins: Uint8Array;
      ciphertext: Uint8Array;
      sharedSecret: Uint8Array;
    }
  | {
      readonly op: 'decapsulate';
      ciphertext: Uint8Array;
      secretKey: Uint8Array;
      sharedSecret: Uint8Array;
    }
  | {
      readonly op: 'sign';
      message: Uint8Array;
      secretKey: Uint8Array;
      random: Uint8Array;
      signature: Uint8Array;
      /** FIPS 204 context string; none in QSTP 1.4. */
      context?: Uint8Array;
    }
  | {
      readonly op: 'verify';
      signature: Uint8Array;
      message: Uint8Array;
      publicKey: Uint8Array;
      context?: Uint8Array;
    }
  /** Not cryptography: a question to a store, which answers at once or later. */
  | { readonly op: 'call'; call(done: (good: boolean) => void): void };

/** A job that is cryptography. */
export type CryptoJob = Exclude<Job, { op: 'call' }>;

/** A suite that does jobs by itself, now or later, such as over WebCrypto. */
export interface JobRunner {
  /**
   * Starts a job; its random input is wiped. `done` is called once, before this returns or after. Null: this job is
   * to be run as any other. Returns what gives it up: then nothing is written or called any more. It does not throw.
   */
  start(job: CryptoJob, done: (good: boolean) => void): (() => void) | null;
}

export function runsJobs(crypto: SuiteCrypto): crypto is SuiteCrypto & JobRunner {
  return 'start' in crypto;
}

/**
 * Runs a job to its end; its random input is wiped. The verdict goes to the handshake's `resume`. A call that
 * is not answered at once counts as failed: an executor waits for it.
 */
export function runJob(crypto: SuiteCrypto, job: Job): boolean {
  switch (job.op) {
    case 'keygen':
      crypto.kem.keygenInto(job.seed, job.publicKey, job.secretKey);
      wipe(job.seed);
      return true;
    case 'encapsulate': {
      const good = crypto.kem.encapsulateInto(job.publicKey, job.coins, job.ciphertext, job.sharedSecret);
      wipe(job.coins);
      return good;
    }
    case 'decapsulate':
      return crypto.kem.decapsulateInto(job.ciphertext, job.secretKey, job.sharedSecret);
    case 'sign':
      crypto.signer.signInto(job.message, job.secretKey, job.random, job.signature, job.context);
      wipe(job.random);
      return true;
    case 'verify':
      return crypto.signer.verify(job.signature, job.message, job.publicKey, job.context);
    case 'call': {
      let verdict = false;
      job.call((good) => {
        verdict = good;
      });
      return verdict;
    }
  }
}

/** Wipes the secrets of a job that was given up. */
export function wipeJob(job: Job): void {
  switch (job.op) {
    case 'keygen':
      wipe(job.seed);
      wipe(job.secretKey);
      break;
    case 'encapsulate':
      wipe(job.coins);
      wipe(job.sharedSecret);
      break;
    case 'decapsulate':
      wipe(job.sharedSecret);
      break;
    case 'sign':
      wipe(job.random);
      break;
    case 'verify':
    case 'call':
      break;
  }
}
