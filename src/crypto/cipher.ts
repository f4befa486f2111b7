// One record by a cipher object in the manner of node:crypto, keyed and given its nonce: sealed and opened in place, as the
// kernel of AES-256-GCM does it.

import type { CipherGCM, DecipherGCM } from 'node:crypto';

const TAG_BYTES = 16;

/** Encrypts `data[at .. at + length)` and writes the tag of 16 bytes behind it. `aad[0 .. aadLength)` is only signed. */
export function sealWith(
  cipher: CipherGCM,
  aad: Uint8Array,
  aadLength: number,
  data: Uint8Array,
  at: number,
  length: number,
): void {
  cipher.setAAD(aad.subarray(0, aadLength));
  data.set(cipher.update(data.subarray(at, at + length)), at);
  cipher.final();
  data.set(cipher.getAuthTag(), at + length);
}

/** Checks the tag behind `data[at .. at + length)` and decrypts. False leaves the data encrypted. */
export function openWith(
  decipher: DecipherGCM,
  aad: Uint8Array,
  aadLength: number,
  data: Uint8Array,
  at: number,
  length: number,
): boolean {
  decipher.setAAD(aad.subarray(0, aadLength));
  decipher.setAuthTag(data.subarray(at + length, at + length + TAG_BYTES));
  const plain = decipher.update(data.subarray(at, at + length));
  let good = true;
  try {
    decipher.final();
    data.set(plain, at);
  } catch {
    good = false;
  }
  plain.fill(0);
  return good;
}
