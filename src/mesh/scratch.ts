// What all tunnels of a node share: nothing lies here between two calls. And the derivation of keys in it.

import { wipe } from '../bytes.ts';
import { AES_GCM_TAG_BYTES, AES_GCM_WORDS } from '../crypto/micro/aes-gcm.ts';
import { BLAKE2S_WORDS, blake2sAbsorb, blake2sFinish, blake2sInit } from '../crypto/micro/blake2s.ts';
import { AAD_BYTES_MAX, TOPIC_BYTES_MAX } from './params.ts';

/** version, direction, tunnel id, key epoch, decision, route hash, sequence; then topic and application, with lengths. */
const AAD_FIXED = 1 + 1 + 16 + 4 + 4 + 32 + 8;

export interface Scratch {
  readonly blake: Int32Array;
  /** The key of a derivation, 32 bytes. */
  readonly key: Uint8Array;
  /** Its context. */
  readonly context: Uint8Array;
  /** Its output, at most 64 bytes. */
  readonly out: Uint8Array;
  /** Its label with lengths. */
  readonly label: Uint8Array;
  /** AES-GCM of a key that is not the present one. */
  readonly spare: Int32Array;
  readonly aad: Uint8Array;
  readonly nonce: Uint8Array;
  readonly tag: Uint8Array;
  /** The body of a control message. */
  readonly body: Uint8Array;
}

export function createScratch(): Scratch {
  return {
    blake: new Int32Array(BLAKE2S_WORDS),
    key: new Uint8Array(32),
    context: new Uint8Array(64),
    out: new Uint8Array(64),
    label: new Uint8Array(40),
    spare: new Int32Array(AES_GCM_WORDS),
    aad: new Uint8Array(AAD_FIXED + 2 + TOPIC_BYTES_MAX + 2 + AAD_BYTES_MAX),
    nonce: new Uint8Array(12),
    tag: new Uint8Array(AES_GCM_TAG_BYTES),
    body: new Uint8Array(36),
  };
}

/**
 * `s.out[0 .. length)` = KDF(`s.key`, label, `s.context[0 .. contextLength)`): blocks i = 1, 2 of keyed
 * BLAKE2s-256(u8 label length || label || u16 context length || context || i). At most 64 bytes. The key stays.
 */
export function derive(s: Scratch, label: string, contextLength: number, length: number): void {
  const { blake, out } = s;
  const prefix = s.label;
  const n = label.length;
  prefix[0] = n;
  for (let i = 0; i < n; i++) prefix[1 + i] = label.charCodeAt(i);
  prefix[n + 1] = contextLength;
  prefix[n + 2] = contextLength >> 8;
  for (let at = 0, i = 1; at < length; at += 32, i++) {
    blake2sInit(blake, 32, s.key);
    prefix[n + 3] = i;
    blake2sAbsorb(blake, prefix, 0, n + 3);
    blake2sAbsorb(blake, s.context, 0, contextLength);
    blake2sAbsorb(blake, prefix, n + 3, 1);
    blake2sFinish(blake, out, at);
  }
}

/** Wipes what a derivation leaves. */
export function wipeScratch(s: Scratch): void {
  wipe(s.key);
  wipe(s.out);
  wipe(s.context);
  wipe(s.spare);
}
