// The provider over @noble/post-quantum: the oracle our kernels and native cryptography are tested against, and a
// choice for whoever wants it. Nothing takes it by default: on V8 the kernels need a third to a fifth of its time.

import { ml_kem512, ml_kem768, ml_kem1024 } from '@noble/post-quantum/ml-kem.js';
import { ml_dsa44, ml_dsa65, ml_dsa87 } from '@noble/post-quantum/ml-dsa.js';
import { SUITES } from '../params.ts';
import type { Suite } from '../params.ts';
import { wipe } from '../bytes.ts';
import { pickSuite } from './provider.ts';
import type { Kem, Provider, Signer, SuiteCrypto } from './provider.ts';

function keygenOf(algorithm: typeof ml_kem768 | typeof ml_dsa65): Kem['keygenInto'] {
  return (seed, publicKey, secretKey) => {
    const pair = algorithm.keygen(seed);
    publicKey.set(pair.publicKey);
    secretKey.set(pair.secretKey);
    wipe(pair.secretKey);
  };
}

function kem(suite: Suite, algorithm: typeof ml_kem768): Kem {
  return {
    publicKeyBytes: suite.kemPublicKeyBytes,
    secretKeyBytes: suite.kemSecretKeyBytes,
    ciphertextBytes: suite.ciphertextBytes,
    keygenInto: keygenOf(algorithm),
    encapsulateInto(publicKey, coins, ciphertext, sharedSecret) {
      try {
        const out = algorithm.encapsulate(publicKey, coins);
        ciphertext.set(out.cipherText);
        sharedSecret.set(out.sharedSecret);
        wipe(out.sharedSecret);
        return true;
      } catch {
        return false;
      }
    },
    decapsulateInto(ciphertext, secretKey, sharedSecret) {
      try {
        const secret = algorithm.decapsulate(ciphertext, secretKey);
        sharedSecret.set(secret);
        wipe(secret);
        return true;
      } catch {
        return false;
      }
    },
  };
}

function signer(suite: Suite, algorithm: typeof ml_dsa65): Signer {
  return {
    publicKeyBytes: suite.verifyKeyBytes,
    secretKeyBytes: suite.signingKeyBytes,
    signatureBytes: suite.signatureBytes,
    keygenInto: keygenOf(algorithm),
    signInto(message, secretKey, random, signature, context) {
      signature.set(
        algorithm.sign(message, secretKey, {
          extraEntropy: random,
          ...(context === undefined ? {} : { context }),
        }),
      );
    },
    verify(signature, message, publicKey, context) {
      try {
        return algorithm.verify(signature, message, publicKey, context === undefined ? {} : { context });
      } catch {
        return false;
      }
    },
  };
}

function suiteCrypto(suite: Suite, k: typeof ml_kem768, s: typeof ml_dsa65): SuiteCrypto {
  return { suite, kem: kem(suite, k), signer: signer(suite, s) };
}

export const nobleS1: SuiteCrypto = /* @__PURE__ */ suiteCrypto(SUITES[0]!, ml_kem512, ml_dsa44);
export const nobleS3: SuiteCrypto = /* @__PURE__ */ suiteCrypto(SUITES[1]!, ml_kem768, ml_dsa65);
export const nobleS5: SuiteCrypto = /* @__PURE__ */ suiteCrypto(SUITES[2]!, ml_kem1024, ml_dsa87);

export const noble: Provider = {
  name: 'noble',
  suite: (id) => pickSuite([nobleS1, nobleS3, nobleS5], id),
};
