// The session cookie and the key schedule of QSTP 1.4 (docs/protocol.md, "Transcript and keys").

import { HASH_BYTES } from '../params.ts';
import { ascii, concat, copyOf, wipe } from '../bytes.ts';
import { WITH_ENGINE } from '../features.ts';
import type { Hashing } from '../crypto/provider.ts';
import {
  absorb,
  cshakeFinish,
  cshakeInit,
  RATE_256,
  RATE_512,
  sha3_256,
  SPONGE_WORDS,
  squeeze,
} from '../crypto/micro/sponge.ts';

/** Bytes of the four values {@link sessionKeys} yields: key and nonce of each direction. */
export const KEY_MATERIAL_BYTES = 128;
const KDF_NAME = 'QSTP-1.4-SESSION';

/** H of the parts, by an engine's hash where there is one. */
function hashOf(parts: readonly Uint8Array[], by: Hashing | null): Uint8Array {
  const data = concat(parts);
  return WITH_ENGINE && by !== null ? by.sha3(data) : sha3_256(data);
}

/** phash, what the server signs: H(header of connect_response || sch0 || KEM public key). */
export function responseHash(
  header: Uint8Array,
  cookie: Uint8Array,
  publicKey: Uint8Array,
  by: Hashing | null,
): Uint8Array {
  return hashOf([header, cookie, publicKey], by);
}

/** The next cookie: sch1 = H(sch0 || phash), sch2 = H(sch1 || ciphertext). */
export function nextCookie(cookie: Uint8Array, data: Uint8Array, by: Hashing | null): Uint8Array {
  return hashOf([cookie, data], by);
}

/**
 * Keys of a session, from the shared secret and sch2: 128 bytes, client to server key and nonce, then
 * server to client; and the 32-byte ratchet state, which is what the sponge yields in its second block.
 */
export function sessionKeys(
  sharedSecret: Uint8Array,
  cookie: Uint8Array,
  by: Hashing | null,
): { material: Uint8Array; ratchet: Uint8Array } {
  if (!WITH_ENGINE || by === null) {
    return stretch(RATE_256, sharedSecret, ascii(KDF_NAME), cookie);
  }
  const whole = by.cshake(sharedSecret, ascii(KDF_NAME), cookie, RATE_256 + HASH_BYTES);
  const parts = { material: copyOf(whole, 0, RATE_256), ratchet: copyOf(whole, RATE_256) };
  wipe(whole);
  return parts;
}

/** Keys after a ratchet (facts as for {@link sessionKeys}): initiator to peer first, then back. */
export function ratchetKeys(
  token: Uint8Array,
  configuration: Uint8Array,
  ratchet: Uint8Array,
): { material: Uint8Array; ratchet: Uint8Array } {
  return stretch(RATE_512, token, configuration, ratchet);
}

/** The material fills whole blocks; the next ratchet state begins with the block after them. */
function stretch(
  rate: number,
  secret: Uint8Array,
  name: Uint8Array,
  custom: Uint8Array,
): { material: Uint8Array; ratchet: Uint8Array } {
  const sponge = new Int32Array(SPONGE_WORDS);
  const blocks = rate === RATE_512 ? 3 : 1;
  const material = new Uint8Array(blocks * rate);
  const ratchet = new Uint8Array(HASH_BYTES);
  cshakeInit(sponge, rate, name, custom);
  absorb(sponge, secret);
  cshakeFinish(sponge);
  squeeze(sponge, material);
  squeeze(sponge, ratchet);
  wipe(sponge);
  return { material, ratchet };
}
