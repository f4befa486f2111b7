// A frame of mesh/2 going out.
//
//   plaintext  kind u8 | key epoch reached u8 | sent at u48 | what is carried
//   nonce      base ^ (u32 0 || u64 sequence)
//   associated version u8 | direction u8 | tunnel id[16] | key epoch u32 | decision u32 | route hash[32]
//              | sequence u64 | u16 length, topic | u16 length, the application's

import { copy, putU16, putU32, wipe } from '../bytes.ts';
import { QstpError } from '../error.ts';
import { AES_GCM_TAG_BYTES, aesGcmSeal } from '../crypto/micro/aes-gcm.ts';
import { advanceTx, directionOf } from './keys.ts';
import { MeshFlag, MeshWord, refuse, wordsOut } from './node.ts';
import type { Mesh, MeshSlot } from './node.ts';
import { AAD_BYTES_MAX, FRAMES_PER_KEY_MAX, Inner, INNER_BYTES, MESH_VERSION } from './params.ts';
import { Refusal } from './reject.ts';
import type { RouteEntry } from './routes.ts';
import type { Scratch } from './scratch.ts';
import { FrameKind } from './types.ts';
import type { QstpFrame } from './types.ts';

const W = MeshWord;
const TWO_32 = 4294967296;

/** Bytes a ciphertext has beyond its payload. */
export const FRAME_OVERHEAD: number = INNER_BYTES + AES_GCM_TAG_BYTES;

/** Refuses associated data that are too long: both ends' applications agree on them. */
export function checkAad(aad: Uint8Array, length: number): void {
  if (length <= AAD_BYTES_MAX && length <= aad.length) return;
  throw new QstpError('invalid_length', 'mesh: associated data have at most ' + AAD_BYTES_MAX + ' bytes');
}

/** Associated data into `s.aad`; returns their length. */
export function putAad(
  s: Scratch,
  words: Int32Array,
  direction: number,
  keyEpoch: number,
  decision: number,
  route: RouteEntry,
  sequence: number,
  aad: Uint8Array,
  aadLength: number,
): number {
  const out = s.aad;
  out[0] = MESH_VERSION;
  out[1] = direction;
  wordsOut(words, W.tunnelId, 4, out, 2);
  putU32(out, 18, keyEpoch);
  putU32(out, 22, decision);
  copy(out, 26, route.hash, 0, 32);
  putU32(out, 58, sequence);
  putU32(out, 62, 0);
  const { topic } = route;
  let at = 68 + topic.length;
  putU16(out, 66, topic.length);
  copy(out, 68, topic, 0, topic.length);
  putU16(out, at, aadLength);
  at += 2;
  copy(out, at, aad, 0, aadLength);
  return at + aadLength;
}

/** Makes the base in `nonce` the nonce of `sequence`. */
export function numberNonce(nonce: Uint8Array, sequence: number): void {
  nonce[4]! ^= sequence;
  nonce[5]! ^= sequence >> 8;
  nonce[6]! ^= sequence >> 16;
  nonce[7]! ^= sequence >> 24;
}

/** The nonce of `sequence` over the base at `baseAt`, into `s.nonce`. */
export function putNonce(s: Scratch, words: Int32Array, baseAt: number, sequence: number): void {
  wordsOut(words, baseAt, 3, s.nonce, 0);
  numberNonce(s.nonce, sequence);
}

/** Milliseconds since 1970 as u48. */
function putWall(out: Uint8Array, at: number, ms: number): void {
  putU32(out, at, (ms % TWO_32) | 0);
  putU16(out, at + 4, (ms / TWO_32) | 0);
}

/** Why this end cannot seal now, or 0. Takes the next key if that is due. */
function readyToSeal(mesh: Mesh, slot: MeshSlot, kind: number): number {
  const { words } = slot;
  const flags = words[W.flags]!;
  if ((flags & MeshFlag.taken) === 0 || (flags & MeshFlag.closed) !== 0) return Refusal.closed;
  if (kind === Inner.data && (flags & MeshFlag.confirmed) === 0) return Refusal.notConfirmed;
  const used = words[W.txSequence]!;
  if ((flags & MeshFlag.txReached) !== 0) {
    if (used >= mesh.framesPerKey || (flags & MeshFlag.rekeyWanted) !== 0) advanceTx(mesh, slot);
  } else if (used >= FRAMES_PER_KEY_MAX) {
    return Refusal.keyExhausted;
  }
  return 0;
}

/**
 * Seals `length` bytes of `payload` from `from` on into `frame`, whose arrays are the caller's: 16 bytes of tunnel id,
 * 32 of route hash, and a ciphertext with room from `ciphertextAt` on for `length` + {@link FRAME_OVERHEAD} bytes.
 * `other`: over the route proposed, in place of the present one. Returns the bytes of the ciphertext; or a number of
 * {@link Refusal}, negative. Allocates nothing, unless it throws `invalid_length`.
 */
export function sealInto(
  mesh: Mesh,
  slot: MeshSlot,
  kind: number,
  payload: Uint8Array,
  from: number,
  length: number,
  aad: Uint8Array,
  aadLength: number,
  frame: QstpFrame,
  other: boolean,
): number {
  const { words } = slot;
  const data = frame.ciphertext;
  const at = frame.ciphertextAt;
  checkAad(aad, aadLength);
  if (at + length + FRAME_OVERHEAD > data.length)
    throw new QstpError('invalid_length', 'mesh: the frame has no room for ' + length + ' bytes');
  const why = readyToSeal(mesh, slot, kind);
  if (why !== 0) return refuse(mesh, why);
  const s = mesh.scratch;
  const sequence = words[W.txSequence]!;
  const route = mesh.routes.entries[words[other ? W.otherRoute : W.route]!]!;
  frame.version = MESH_VERSION;
  frame.kind = FrameKind.sealed;
  wordsOut(words, W.tunnelId, 4, frame.tunnelId, 0);
  copy(frame.routeHash, 0, route.hash, 0, 32);
  frame.topic = route.plan.topic;
  frame.routeEpoch.low = route.plan.epoch.low;
  frame.routeEpoch.high = route.plan.epoch.high;
  frame.sequence.low = sequence;
  frame.sequence.high = 0;
  frame.keyEpoch = words[W.txEpoch]!;
  frame.decision = words[other ? W.otherDecision : W.decision]!;
  frame.ciphertextBytes = length + FRAME_OVERHEAD;
  data[at] = kind;
  data[at + 1] = words[W.rxEpoch]!;
  putWall(data, at + 2, mesh.clock.wall());
  for (let i = 0; i < length; i++) data[at + INNER_BYTES + i] = payload[from + i]!;
  const n = putAad(
    s,
    words,
    directionOf(words, true),
    frame.keyEpoch,
    frame.decision,
    route,
    sequence,
    aad,
    aadLength,
  );
  putNonce(s, words, W.txBase, sequence);
  aesGcmSeal(slot.tx, s.nonce, s.aad, n, data, at, INNER_BYTES + length);
  wipe(s.nonce);
  words[W.txSequence] = sequence + 1;
  words[W.sealed] = words[W.sealed]! + 1;
  words[W.flags] = words[W.flags]! & ~MeshFlag.owesAck;
  return frame.ciphertextBytes;
}
