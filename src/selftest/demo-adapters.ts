// The original's stand-ins for ML-KEM and ML-DSA. NOT CRYPTOGRAPHY: the secret is a public function of the ciphertext,
// and anybody computes a signature. They recompute its known answers, and nothing else.

import { ascii, concat, copyOf, equal, putU32 } from '../bytes.ts';
import type { LegacyKem, LegacySigner, Mesh1 } from '../mesh/v1/index.ts';

type Hash = Mesh1['blake2s'];

function le32(value: number): Uint8Array {
  const out = new Uint8Array(4);
  putU32(out, 0, value);
  return out;
}

/** H(domain || length || input || c), c = 0, 1, ... */
function expand(hash: Hash, domain: string, input: Uint8Array, length: number): Uint8Array {
  const blocks: Uint8Array[] = [];
  for (let c = 0; 32 * c < length; c++) {
    blocks.push(hash([ascii(domain), le32(length), input, le32(c)]));
  }
  return copyOf(concat(blocks), 0, length);
}

type Keygen = LegacyKem['keygen'];

/** Each key of a counter, which grows by one. */
function counting(hash: Hash, first: number, scheme: string): Keygen {
  let counter = first;
  return () => {
    const number = concat([le32(counter++), new Uint8Array(4)]);
    const secretKey = expand(hash, 'PQCNET_' + scheme + '_SK_V1', number, 32);
    return { secretKey, publicKey: expand(hash, 'PQCNET_' + scheme + '_PK_V1', secretKey, 32) };
  };
}

/** `level`: what it claims to be, 1 to 3. */
export function createDemoKem(hash: Hash, level: number): LegacyKem {
  const secretOf = (ciphertext: Uint8Array): Uint8Array => expand(hash, 'PQCNET_MLKEM_SS_V1', ciphertext, 32);
  return {
    level,
    keygen: counting(hash, 1, 'MLKEM'),
    encapsulate(publicKey) {
      const ciphertext = expand(hash, 'PQCNET_MLKEM_CT_V1', publicKey, 48);
      return { ciphertext, sharedSecret: secretOf(ciphertext) };
    },
    decapsulate: (ciphertext) => secretOf(ciphertext),
  };
}

export function createDemoSigner(hash: Hash, level: number): LegacySigner {
  const publicKeyOf = (secretKey: Uint8Array): Uint8Array =>
    expand(hash, 'PQCNET_MLDSA_PK_V1', secretKey, 32);
  const signature = (publicKey: Uint8Array, message: Uint8Array): Uint8Array =>
    hash([ascii('PQCNET_MLDSA_SIG_V1'), publicKey, message]);
  return {
    level,
    keygen: counting(hash, 7, 'MLDSA'),
    sign: (message, secretKey) => signature(publicKeyOf(secretKey), message),
    verify: (given, message, publicKey) => equal(given, signature(publicKey, message)),
  };
}
