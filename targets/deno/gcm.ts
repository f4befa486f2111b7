// AES-256-GCM by Deno's node:crypto, in the place of src/crypto/micro/aes-gcm.ts in bundles whose profile says so: a state
// is then the key alone. Its functions do what the kernel's do, for the same arguments.
//
//   word  0        0 without a key, 1 with one
//   words 1..8     the key

import { createCipheriv, createDecipheriv } from 'node:crypto';
import { openWith, sealWith } from '../../src/crypto/cipher.ts';
import { QstpError } from '../../src/error.ts';

export const AES_GCM_WORDS = 9;
export const AES_GCM_KEY_BYTES = 32;
export const AES_GCM_NONCE_BYTES = 12;
export const AES_GCM_TAG_BYTES = 16;

/** Where a state's keys end, and what says that there are any: words, for src/crypto/gateway, which no bundle has beside this. */
export const AES_GCM_KEYS = AES_GCM_WORDS;
export const AES_GCM_STAGE = 0;

const CIPHER = 'aes-256-gcm';
const TAG = { authTagLength: AES_GCM_TAG_BYTES };
const KEYED = 1;

const keyAt = (g: Int32Array): Uint8Array => new Uint8Array(g.buffer, g.byteOffset + 4, AES_GCM_KEY_BYTES);

function keyOf(g: Int32Array): Uint8Array {
  if (g[0] === KEYED) return keyAt(g);
  throw new QstpError('cipher_not_keyed', 'the cipher state is wiped or was never keyed');
}

export function aesGcmInit(g: Int32Array, key: Uint8Array): void {
  keyAt(g).set(key);
  g[0] = KEYED;
}

export function aesGcmSeal(
  g: Int32Array,
  nonce: Uint8Array,
  aad: Uint8Array,
  aadLength: number,
  data: Uint8Array,
  at: number,
  length: number,
): void {
  sealWith(createCipheriv(CIPHER, keyOf(g), nonce, TAG), aad, aadLength, data, at, length);
}

export function aesGcmOpen(
  g: Int32Array,
  nonce: Uint8Array,
  aad: Uint8Array,
  aadLength: number,
  data: Uint8Array,
  at: number,
  length: number,
): boolean {
  return openWith(createDecipheriv(CIPHER, keyOf(g), nonce, TAG), aad, aadLength, data, at, length);
}
