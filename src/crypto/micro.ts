// The provider over the kernels: of devices, and wherever the engine has no post-quantum cryptography of its own, or not
// all of it. A bundle that imports microS3 alone holds no other set's numbers.

import { SUITES } from '../params.ts';
import type { Suite } from '../params.ts';
import { missing, QstpError } from '../error.ts';
import { WITH_DECAPSULATION, WITH_S1, WITH_S3, WITH_S5, WITH_SIGNING } from '../features.ts';
import { wipe } from '../bytes.ts';
import type { CryptoJob } from './job.ts';
import { createArena } from './micro/arena.ts';
import type { Arena } from './micro/arena.ts';
import {
  ML_KEM_1024,
  ML_KEM_512,
  ML_KEM_768,
  mlKemBegin,
  mlKemDecapsulate,
  mlKemDecapsulateStep,
  mlKemDecapsulateSteps,
  mlKemEncapsulate,
  mlKemEncapsulateStep,
  mlKemEncapsulateSteps,
  mlKemKeygen,
  mlKemKeygenStep,
  mlKemKeygenSteps,
  mlKemVerdict,
} from './micro/ml-kem.ts';
import type { MlKem } from './micro/ml-kem.ts';
import {
  ML_DSA_44,
  ML_DSA_65,
  ML_DSA_87,
  mlDsaKeygen,
  mlDsaSign,
  mlDsaSignBegin,
  mlDsaSignStep,
  mlDsaVerdict,
  mlDsaVerify,
  mlDsaVerifyBegin,
  mlDsaVerifyStep,
  mlDsaVerifySteps,
} from './micro/ml-dsa.ts';
import type { MlDsa } from './micro/ml-dsa.ts';
import { pickSuite } from './provider.ts';
import type { Kem, Provider, Signer, SuiteCrypto } from './provider.ts';

const COINS_BYTES = 32;
const CONTEXT_MAX = 255;

/** Throws `invalid_length` unless `b` is `length` bytes long: misuse, never a peer's doing. */
function requireLength(b: Uint8Array, length: number, name: string): void {
  if (b.length === length) return;
  throw new QstpError('invalid_length', `${name} has ${b.length} bytes; give ${length}`);
}

function kem(p: MlKem, given: Arena | null): Kem {
  return {
    publicKeyBytes: p.publicKeyBytes,
    secretKeyBytes: p.secretKeyBytes,
    ciphertextBytes: p.ciphertextBytes,
    keygenInto(seed, publicKey, secretKey) {
      if (!WITH_DECAPSULATION) throw missing('ML-KEM.KeyGen');
      requireLength(seed, 64, 'the seed');
      mlKemKeygen(p, given ?? createArena(p.arenaBytes), seed, publicKey, secretKey);
    },
    encapsulateInto(publicKey, coins, ciphertext, sharedSecret) {
      if (publicKey.length !== p.publicKeyBytes || coins.length !== COINS_BYTES) return false;
      const arena = given ?? createArena(p.arenaBytes);
      return mlKemEncapsulate(p, arena, publicKey, coins, ciphertext, sharedSecret);
    },
    decapsulateInto(ciphertext, secretKey, sharedSecret) {
      if (!WITH_DECAPSULATION) throw missing('ML-KEM.Decaps');
      if (ciphertext.length !== p.ciphertextBytes || secretKey.length !== p.secretKeyBytes) return false;
      return mlKemDecapsulate(p, given ?? createArena(p.arenaBytes), ciphertext, secretKey, sharedSecret);
    },
  };
}

function signer(p: MlDsa, given: Arena | null): Signer {
  return {
    publicKeyBytes: p.publicKeyBytes,
    secretKeyBytes: p.secretKeyBytes,
    signatureBytes: p.signatureBytes,
    keygenInto(seed, publicKey, secretKey) {
      if (!WITH_SIGNING) throw missing('ML-DSA.KeyGen');
      requireLength(seed, 32, 'the seed');
      mlDsaKeygen(p, given ?? createArena(p.arenaBytes), seed, publicKey, secretKey);
    },
    signInto(message, secretKey, random, signature, context) {
      if (!WITH_SIGNING) throw missing('ML-DSA.Sign');
      requireLength(secretKey, p.secretKeyBytes, 'the signing key');
      requireLength(random, 32, 'the random input');
      if (context !== undefined && context.length > CONTEXT_MAX) {
        throw new QstpError('invalid_length', `the context has ${context.length} bytes; 255 are the most`);
      }
      const arena = given ?? createArena(p.signArenaBytes);
      if (!mlDsaSign(p, arena, message, secretKey, random, signature, context ?? null)) {
        throw new QstpError('invalid_key', 'the signing key has a coefficient out of range: it is damaged');
      }
    },
    verify(signature, message, publicKey, context) {
      if (signature.length !== p.signatureBytes || publicKey.length !== p.publicKeyBytes) return false;
      if (context !== undefined && context.length > CONTEXT_MAX) return false;
      const arena = given ?? createArena(p.arenaBytes);
      return mlDsaVerify(p, arena, signature, message, publicKey, context ?? null);
    },
  };
}

/**
 * A suite over the kernels. With an arena, of at least the `arenaBytes` of both algorithms (and
 * `signArenaBytes` to sign), no operation allocates and no two may run at a time; with null, each operation
 * makes one of its own.
 */
export function microSuite(suite: Suite, k: MlKem, s: MlDsa, arena: Arena | null): SuiteCrypto {
  return { suite, kem: kem(k, arena), signer: signer(s, arena) };
}

export const microS1: SuiteCrypto = /* @__PURE__ */ microSuite(SUITES[0]!, ML_KEM_512, ML_DSA_44, null);
export const microS3: SuiteCrypto = /* @__PURE__ */ microSuite(SUITES[1]!, ML_KEM_768, ML_DSA_65, null);
export const microS5: SuiteCrypto = /* @__PURE__ */ microSuite(SUITES[2]!, ML_KEM_1024, ML_DSA_87, null);

export const micro: Provider = {
  name: 'micro',
  suite: (id) =>
    pickSuite([WITH_S1 ? microS1 : null, WITH_S3 ? microS3 : null, WITH_S5 ? microS5 : null], id),
};

/** A job cut into steps, for a driver that does other things in between. */
export interface SteppedJob {
  /** How many steps there are; 0 where that depends on chance (signing). */
  readonly steps: number;
  /** Does the next one; true after the last. Not to be called again then. */
  step(): boolean;
  /** The job's verdict, once `step` has returned true. */
  result(): boolean;
}

function ended(done: boolean, random: Uint8Array): boolean {
  if (done) wipe(random);
  return done;
}

/**
 * Starts a job on the kernels: the same steps as at one go, a polynomial's work each. Lengths are the
 * caller's duty here. The arena is the job's until its end; its random input is wiped then.
 */
export function startJob(k: MlKem, s: MlDsa, job: CryptoJob, arena: Arena): SteppedJob {
  const signing = job.op === 'sign' || job.op === 'verify';
  const result = (): boolean => (signing ? mlDsaVerdict(arena) : mlKemVerdict(arena));
  switch (job.op) {
    case 'keygen':
      if (!WITH_DECAPSULATION) throw missing('ML-KEM.KeyGen');
      mlKemBegin(arena);
      return {
        steps: mlKemKeygenSteps(k),
        step: () => ended(mlKemKeygenStep(k, arena, job.seed, job.publicKey, job.secretKey), job.seed),
        result,
      };
    case 'encapsulate':
      mlKemBegin(arena);
      return {
        steps: mlKemEncapsulateSteps(k),
        step: () =>
          ended(
            mlKemEncapsulateStep(k, arena, job.publicKey, job.coins, job.ciphertext, job.sharedSecret),
            job.coins,
          ),
        result,
      };
    case 'decapsulate':
      if (!WITH_DECAPSULATION) throw missing('ML-KEM.Decaps');
      mlKemBegin(arena);
      return {
        steps: mlKemDecapsulateSteps(k),
        step: () => mlKemDecapsulateStep(k, arena, job.ciphertext, job.secretKey, job.sharedSecret),
        result,
      };
    case 'sign':
      if (!WITH_SIGNING) throw missing('ML-DSA.Sign');
      mlDsaSignBegin(arena);
      return {
        steps: 0,
        step: () =>
          ended(
            mlDsaSignStep(
              s,
              arena,
              job.message,
              job.secretKey,
              job.random,
              job.signature,
              job.context ?? null,
            ),
            job.random,
          ),
        result,
      };
    case 'verify':
      mlDsaVerifyBegin(arena);
      return {
        steps: mlDsaVerifySteps(s),
        step: () => mlDsaVerifyStep(s, arena, job.signature, job.message, job.publicKey, job.context ?? null),
        result,
      };
  }
}
