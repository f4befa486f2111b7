// Secrets of the edge extensions (docs/extensions.md, X0 and X4). Each derivation is
// lab(x) over K = cSHAKE256(X = K, N = "", S = "QSTP-EDGE-1 " || x).

import { WITH_ENGINE, WITH_GCM } from '../features.ts';
import { ascii, concat, copy, equalAt, putU32, wipe } from '../bytes.ts';
import {
  absorb,
  cshakeFinish,
  cshakeInit,
  kmacInit,
  kmacPad,
  RATE_256,
  SPONGE_WORDS,
  squeeze,
} from '../crypto/micro/sponge.ts';
import type { Hashing } from '../crypto/provider.ts';
import { PROOF_BYTES } from '../params.ts';
import { Cipher, SECRETS_BYTES } from '../pool/slot.ts';

const PREFIX = 'QSTP-EDGE-1 ';
/** Which end's proof: the customisation of its KMAC. */
export type ProofName = 'R1' | 'R2';

/** Key and nonce of one direction (RCS-256), or key and salt (AES-256-GCM), bytes. */
export const RCS_TRAFFIC_BYTES = 64;
export const GCM_TRAFFIC_BYTES = 36;

/** `length` bytes of lab(name || rest) over `key`, by an engine's hash where there is one. */
function lab(
  key: Uint8Array,
  name: string,
  rest: readonly Uint8Array[],
  length: number,
  by: Hashing | null = null,
): Uint8Array {
  const label = ascii(PREFIX + name);
  const custom = rest.length === 0 ? label : concat([label, ...rest]);
  if (WITH_ENGINE && by !== null) return by.cshake(key, new Uint8Array(0), custom, length);
  const sponge = new Int32Array(SPONGE_WORDS);
  const out = new Uint8Array(length);
  cshakeInit(sponge, RATE_256, new Uint8Array(0), custom);
  absorb(sponge, key);
  cshakeFinish(sponge);
  squeeze(sponge, out);
  wipe(sponge);
  return out;
}

function u32(value: number): Uint8Array {
  const out = new Uint8Array(4);
  putU32(out, 0, value);
  return out;
}

/**
 * chain[0] | chain[1] | export, 96 bytes. Kind 0: Z is the ML-KEM shared secret, T is sch2. Kind 1: Z is the
 * resumption secret, T is H(R1 || R2).
 */
export function connectionSecrets(
  kind: 0 | 1,
  z: Uint8Array,
  transcript: Uint8Array,
  by: Hashing | null = null,
): Uint8Array {
  return lab(z, 'secrets', [new Uint8Array([kind]), transcript], SECRETS_BYTES, by);
}

/** Record keys of direction `dir` at `epoch` for a cipher: 64 bytes key, nonce or 36 bytes key, salt. */
export function trafficKeys(
  chain: Uint8Array,
  cipher: number,
  dir: number,
  epoch: number,
  by: Hashing | null = null,
): Uint8Array {
  const length = WITH_GCM && cipher === Cipher.gcm ? GCM_TRAFFIC_BYTES : RCS_TRAFFIC_BYTES;
  return lab(chain, 'traffic', [new Uint8Array([cipher, dir]), u32(epoch)], length, by);
}

/** The chain of `dir` after the epoch that is left. */
export function nextChain(chain: Uint8Array, dir: number, epoch: number): Uint8Array {
  return lab(chain, 'chain', [new Uint8Array([dir]), u32(epoch)], 32);
}

/** The chain (d = 0, 1) or export (d = 2, epoch 0) after a KEM rekey with shared secret `ss` (X5). */
export function rekeyedChain(
  chain: Uint8Array,
  ss: Uint8Array,
  dir: number,
  epoch: number,
  transcript: Uint8Array,
): Uint8Array {
  const key = concat([chain, ss]);
  const next = lab(key, 'kem', [new Uint8Array([dir]), u32(epoch), transcript], 32);
  wipe(key);
  return next;
}

/**
 * resumeSecret of a ticket over the export secret (32 bytes), which is replaced by the next in place: an
 * end that is broken into later has no ticket of before.
 */
export function ticketSecret(exportSecret: Uint8Array, id: Uint8Array, nonce: Uint8Array): Uint8Array {
  const secret = lab(exportSecret, 'resume', [id, nonce], 32);
  const next = lab(exportSecret, 'next', [], 32);
  copy(exportSecret, 0, next, 0, 32);
  wipe(next);
  return secret;
}

/** resumeSecret of a provisioned credential, over the device's secret (32 bytes). */
export function provisionedSecret(deviceSecret: Uint8Array, id: Uint8Array, anchor: Uint8Array): Uint8Array {
  return lab(deviceSecret, 'provisioned', [id, anchor], 32);
}

/** The device secret of a successor credential, over the export secret (type 0E). */
export function reprovisionedSecret(exportSecret: Uint8Array, id: Uint8Array): Uint8Array {
  return lab(exportSecret, 'reprovision', [id], 32);
}

/**
 * Writes the proof of R1 or R2 at `packet[at..]`: KMAC256 with the resumption secret over `packet` before
 * `at`; R2's puts R1's proof between header and nonce.
 */
export function putProof(
  name: ProofName,
  secret: Uint8Array,
  packet: Uint8Array,
  at: number,
  headerBytes: number,
  between: Uint8Array | null,
): void {
  const sponge = new Int32Array(SPONGE_WORDS);
  kmacInit(sponge, RATE_256, secret, ascii(PREFIX + name));
  absorb(sponge, packet, 0, headerBytes);
  if (between !== null) absorb(sponge, between);
  absorb(sponge, packet, headerBytes, at - headerBytes);
  kmacPad(sponge, PROOF_BYTES);
  squeeze(sponge, packet, at, PROOF_BYTES);
  wipe(sponge);
}

/** True if the proof at `packet[at..]` is right. In constant time; the packet is left as it was. */
export function proofHolds(
  name: ProofName,
  secret: Uint8Array,
  packet: Uint8Array,
  at: number,
  headerBytes: number,
  between: Uint8Array | null,
): boolean {
  const mine = new Uint8Array(packet);
  putProof(name, secret, mine, at, headerBytes, between);
  const good = equalAt(mine, at, packet, at, PROOF_BYTES);
  wipe(mine);
  return good;
}
