// What a cryptography provider offers. Providers are plain objects, chosen at entry points only.
// Randomness is passed in. Lengths of arguments are the caller's duty; contents may come from a peer.

import { SUITES } from '../params.ts';
import type { Suite } from '../params.ts';
import { QstpError } from '../error.ts';
import type { aesGcmOpen, aesGcmSeal } from './micro/aes-gcm.ts';
import type { rcsInit, rcsOpen, rcsSeal } from './micro/rcs.ts';
import type { sha3_256 } from './micro/sponge.ts';

export interface KeyPair {
  publicKey: Uint8Array;
  secretKey: Uint8Array;
}

/** ML-KEM of one parameter set (FIPS 203). All sizes in bytes. */
export interface Kem {
  readonly publicKeyBytes: number;
  readonly secretKeyBytes: number;
  readonly ciphertextBytes: number;
  /** ML-KEM.KeyGen from `seed` = d || z, 64 bytes. */
  keygenInto(seed: Uint8Array, publicKey: Uint8Array, secretKey: Uint8Array): void;
  /** ML-KEM.Encaps with m = `coins`, 32 bytes. False if the key fails the modulus check (§7.2). */
  encapsulateInto(
    publicKey: Uint8Array,
    coins: Uint8Array,
    ciphertext: Uint8Array,
    sharedSecret: Uint8Array,
  ): boolean;
  /** ML-KEM.Decaps with implicit rejection. False if the secret key fails the hash check (§7.3). */
  decapsulateInto(ciphertext: Uint8Array, secretKey: Uint8Array, sharedSecret: Uint8Array): boolean;
}

/** ML-DSA of one parameter set (FIPS 204), pure mode. All sizes in bytes. */
export interface Signer {
  readonly publicKeyBytes: number;
  readonly secretKeyBytes: number;
  readonly signatureBytes: number;
  /** ML-DSA.KeyGen from a 32-byte seed. */
  keygenInto(seed: Uint8Array, publicKey: Uint8Array, secretKey: Uint8Array): void;
  /** ML-DSA.Sign, hedged with `random` (32 bytes); all zeros make it deterministic. */
  signInto(
    message: Uint8Array,
    secretKey: Uint8Array,
    random: Uint8Array,
    signature: Uint8Array,
    context?: Uint8Array,
  ): void;
  /** ML-DSA.Verify. False for anything malformed too; never throws over its contents. */
  verify(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array, context?: Uint8Array): boolean;
}

/** Both algorithms of one suite: what a session needs. */
export interface SuiteCrypto {
  readonly suite: Suite;
  readonly kem: Kem;
  readonly signer: Signer;
}

export interface Provider {
  readonly name: 'noble' | 'micro' | 'native';
  /** Of a native one: the engine, and the library in it. */
  readonly engine?: string;
  /** The algorithms of suite 1, 2 or 3; throws `unknown_suite` for another. */
  suite(id: number): SuiteCrypto;
}

/**
 * AES-256-GCM of an engine, in the place of the kernel. The kernel has keyed the state: an engine takes the key from
 * there, and may leave short records to the kernel.
 */
export interface GcmRecords {
  /** The kernel has keyed `state` anew. */
  rekeyed(state: Int32Array): void;
  readonly seal: typeof aesGcmSeal;
  readonly open: typeof aesGcmOpen;
  /** Lets go of the key of `state`, if there is one. */
  forget(state: Int32Array): void;
}

/** RCS-256 over the kernel's states: they may go from one to the other after any packet. */
export interface RcsRecords {
  readonly init: typeof rcsInit;
  readonly seal: typeof rcsSeal;
  readonly open: typeof rcsOpen;
}

/** The hashes of handshakes and key schedules. */
export interface Hashing {
  readonly sha3: typeof sha3_256;
  /** cSHAKE256 of `data` with N = `name`, S = `custom`, not both empty: `length` bytes. */
  cshake(data: Uint8Array, name: Uint8Array, custom: Uint8Array, length: number): Uint8Array;
}

/** What a gateway has in the place of the kernels of records and hashes; null: the kernel. */
export interface RecordEngine {
  readonly gcm: GcmRecords | null;
  readonly rcs: RcsRecords | null;
  readonly hash: Hashing | null;
}

/** Fills `out` with random bytes. Throws if it cannot: never returns weak ones. */
export type Random = (out: Uint8Array) => void;

// Returning forms for callers with an allocator to spare.

export function keygen(algorithm: Kem | Signer, seed: Uint8Array): KeyPair {
  const publicKey = new Uint8Array(algorithm.publicKeyBytes);
  const secretKey = new Uint8Array(algorithm.secretKeyBytes);
  algorithm.keygenInto(seed, publicKey, secretKey);
  return { publicKey, secretKey };
}

/** Ciphertext and 32-byte shared secret, or null for a malformed key. */
export function encapsulate(
  kem: Kem,
  publicKey: Uint8Array,
  coins: Uint8Array,
): { ciphertext: Uint8Array; sharedSecret: Uint8Array } | null {
  const ciphertext = new Uint8Array(kem.ciphertextBytes);
  const sharedSecret = new Uint8Array(32);
  return kem.encapsulateInto(publicKey, coins, ciphertext, sharedSecret)
    ? { ciphertext, sharedSecret }
    : null;
}

/** The 32-byte shared secret, or null for a malformed secret key. */
export function decapsulate(kem: Kem, ciphertext: Uint8Array, secretKey: Uint8Array): Uint8Array | null {
  const sharedSecret = new Uint8Array(32);
  return kem.decapsulateInto(ciphertext, secretKey, sharedSecret) ? sharedSecret : null;
}

export function sign(
  signer: Signer,
  message: Uint8Array,
  secretKey: Uint8Array,
  random: Uint8Array,
  context?: Uint8Array,
): Uint8Array {
  const signature = new Uint8Array(signer.signatureBytes);
  signer.signInto(message, secretKey, random, signature, context);
  return signature;
}

/** The one of a provider's suites with this id: they are at id - 1, null where a bundle's profile leaves it out. */
export function pickSuite(all: readonly (SuiteCrypto | null)[], id: number): SuiteCrypto {
  const found = all[id - 1] ?? null;
  if (found !== null) return found;
  const ids = SUITES.filter((_suite, i) => all[i] !== null).map((suite) => suite.id);
  throw new QstpError('unknown_suite', `suite ${id} is not in this build; it has ${ids.join(', ')}`);
}
