// ML-KEM and ML-DSA of Deno, through WebCrypto: asynchronous. It takes secret keys as seeds only, and no context of
// ML-DSA, so the signing keys of key files are not for it, nor are freshness signatures (X2).

import type { Suite } from '../../src/params.ts';
import type { NativeEngine, NativeSet } from '../../src/crypto/native.ts';

/** What WebCrypto has, and its types do not know. */
interface PostQuantum {
  generateKey(type: string, extractable: boolean, usages: readonly string[]): Promise<CryptoKeyPair>;
  exportKey(format: 'raw-public', key: CryptoKey): Promise<ArrayBuffer>;
  importKey(
    format: 'raw-public',
    bytes: Uint8Array,
    type: string,
    extractable: boolean,
    usages: readonly string[],
  ): Promise<CryptoKey>;
  encapsulateBits(type: string, key: CryptoKey): Promise<{ sharedKey: ArrayBuffer; ciphertext: ArrayBuffer }>;
  decapsulateBits(type: string, key: CryptoKey, ciphertext: Uint8Array): Promise<ArrayBuffer>;
  verify(type: string, key: CryptoKey, signature: Uint8Array, message: Uint8Array): Promise<boolean>;
}

type CryptoKey = object;
interface CryptoKeyPair {
  readonly publicKey: CryptoKey;
  readonly privateKey: CryptoKey;
}

function subtle(): PostQuantum {
  return crypto.subtle as unknown as PostQuantum;
}

function denoSet(suite: Suite): NativeSet<CryptoKey> {
  const kem = `ML-KEM-${256 * (suite.id + 1)}`;
  const signer = ['ML-DSA-44', 'ML-DSA-65', 'ML-DSA-87'][suite.id - 1]!;
  return {
    async generate() {
      const pair = await subtle().generateKey(kem, false, ['encapsulateBits', 'decapsulateBits']);
      const publicKey = await subtle().exportKey('raw-public', pair.publicKey);
      return { publicKey: new Uint8Array(publicKey), key: pair.privateKey };
    },
    async encapsulate(publicKey) {
      const key = await subtle().importKey('raw-public', publicKey, kem, false, ['encapsulateBits']);
      const { ciphertext, sharedKey } = await subtle().encapsulateBits(kem, key);
      return { ciphertext: new Uint8Array(ciphertext), sharedSecret: new Uint8Array(sharedKey) };
    },
    async decapsulate(key, ciphertext) {
      return new Uint8Array(await subtle().decapsulateBits(kem, key, ciphertext));
    },
    importVerifyKey: (publicKey) => subtle().importKey('raw-public', publicKey, signer, false, ['verify']),
    verify: (key, signature, message) => subtle().verify(signer, key, signature, message),
    expanded: null,
  };
}

/** The engine's cryptography; null where this Deno has none. */
export function denoEngine(): NativeEngine<CryptoKey> | null {
  if (typeof subtle().encapsulateBits !== 'function') return null;
  return {
    name: `Deno ${Deno.version.deno}, WebCrypto`,
    synchronous: false,
    contexts: false,
    set: denoSet,
  };
}
