// A frame of mesh/2 coming in. Checks go from cheap to dear; nothing of the tunnel changes before the frame has opened.

import { equalAt, getU16, getU32, wipe } from '../bytes.ts';
import { AES_GCM_TAG_BYTES, aesGcmOpen } from '../crypto/micro/aes-gcm.ts';
import { arrived, control, DECIDED, expire, OTHER, PRESENT, registered } from './decide.ts';
import { advanceRx, directionOf, keyAhead, keyBefore } from './keys.ts';
import { MeshFlag, MeshWord, refuse, wordsAre } from './node.ts';
import type { Mesh, MeshSlot } from './node.ts';
import { FRAMES_PER_KEY_MAX, Inner, INNER_BYTES, MESH_VERSION } from './params.ts';
import { Refusal } from './reject.ts';
import type { RouteEntry } from './routes.ts';
import { checkAad, FRAME_OVERHEAD, numberNonce, putAad, putNonce } from './seal.ts';
import { FrameKind, ROUTE_HASH_BYTES, TUNNEL_ID_BYTES } from './types.ts';
import type { QstpFrame } from './types.ts';
import { windowMark, windowTakes, WINDOW_WORDS } from './window.ts';

const W = MeshWord;
const TWO_32 = 4294967296;

/** Everything about a frame that needs no key: 0, or why it is refused. */
function checkFrame(words: Int32Array, frame: QstpFrame): number {
  const flags = words[W.flags]!;
  if (frame.version !== MESH_VERSION) return frame.version === 1 ? Refusal.legacy : Refusal.version;
  if ((flags & MeshFlag.taken) === 0 || (flags & MeshFlag.closed) !== 0) return Refusal.closed;
  if (frame.kind !== FrameKind.sealed || frame.tunnelId.length !== TUNNEL_ID_BYTES) return Refusal.malformed;
  if (!wordsAre(words, W.tunnelId, 4, frame.tunnelId, 0)) return Refusal.tunnel;
  if (frame.routeHash.length !== ROUTE_HASH_BYTES) return Refusal.malformed;
  const end = frame.ciphertextAt + frame.ciphertextBytes;
  if (frame.ciphertextBytes < FRAME_OVERHEAD || end > frame.ciphertext.length) return Refusal.malformed;
  if (frame.sequence.high !== 0 || frame.sequence.low >= FRAMES_PER_KEY_MAX) return Refusal.malformed;
  return 0;
}

/** Where a frame stands among the tunnel's decisions; -1 if nowhere. */
function standing(words: Int32Array, frame: QstpFrame): number {
  const decision = frame.decision | 0;
  if (decision === words[W.decision]) return PRESENT;
  if (words[W.otherRoute] !== -1 && decision === words[W.otherDecision]) return OTHER;
  const decider = (words[W.flags]! & MeshFlag.decider) !== 0;
  return !decider && decision > words[W.lastDecision]! ? DECIDED : -1;
}

/** True if the frame names this route in all its fields. */
function isOnRoute(route: RouteEntry, frame: QstpFrame): boolean {
  const { plan } = route;
  return (
    frame.topic === plan.topic &&
    frame.routeEpoch.low === plan.epoch.low &&
    frame.routeEpoch.high === plan.epoch.high
  );
}

/** True if the send time in front of the payload is further from now than is allowed; either unknown, it is not. */
function isTooOld(mesh: Mesh, data: Uint8Array, at: number): boolean {
  const now = mesh.maxAgeMs === 0 ? 0 : mesh.clock.wall();
  const sent = getU16(data, at + 6) * TWO_32 + getU32(data, at + 2);
  if (now === 0 || sent === 0) return false;
  const age = now - sent;
  return age > mesh.maxAgeMs || -age > mesh.maxAgeMs;
}

/**
 * Opens a frame in place. Returns the bytes of its payload, which begins at `frame.ciphertextAt` + INNER_BYTES; or a
 * number of {@link Refusal}, negative: `control` for what was meant for the tunnel itself. Allocates nothing.
 */
export function openInto(
  mesh: Mesh,
  slot: MeshSlot,
  frame: QstpFrame,
  aad: Uint8Array,
  aadLength: number,
): number {
  checkAad(aad, aadLength);
  const result = open(mesh, slot, frame, aad, aadLength);
  if (result < -Refusal.control) slot.words[W.rejected] = slot.words[W.rejected]! + 1;
  return result;
}

function open(mesh: Mesh, slot: MeshSlot, frame: QstpFrame, aad: Uint8Array, aadLength: number): number {
  const { words } = slot;
  const s = mesh.scratch;
  const why = checkFrame(words, frame);
  if (why !== 0) return refuse(mesh, why);
  expire(mesh, words);
  const step = (frame.keyEpoch - words[W.rxEpoch]!) | 0;
  const flags = words[W.flags]!;
  if (step < -1 || step > 1 || (step === -1 && (flags & MeshFlag.keyBefore) === 0))
    return refuse(mesh, Refusal.keyEpoch);

  const stand = standing(words, frame);
  if (stand === -1) return refuse(mesh, Refusal.decision);
  const index =
    stand === DECIDED
      ? registered(mesh, words, frame.routeHash, 0)
      : words[stand === PRESENT ? W.route : W.otherRoute]!;
  if (index === -1) return refuse(mesh, Refusal.route);
  const route = mesh.routes.entries[index]!;
  if (stand !== DECIDED && !equalAt(route.hash, 0, frame.routeHash, 0, ROUTE_HASH_BYTES))
    return refuse(mesh, Refusal.route);
  if (!isOnRoute(route, frame)) return refuse(mesh, Refusal.topic);

  const sequence = frame.sequence.low;
  const window = W.windows + WINDOW_WORDS * ((step === -1 ? 2 : 0) + (stand === OTHER ? 1 : 0));
  if (stand !== DECIDED && step !== 1 && !windowTakes(words, window, sequence))
    return refuse(mesh, Refusal.replayed);

  const data = frame.ciphertext;
  const at = frame.ciphertextAt;
  const length = frame.ciphertextBytes - AES_GCM_TAG_BYTES;
  const direction = directionOf(words, false);
  const n = putAad(s, words, direction, frame.keyEpoch, frame.decision, route, sequence, aad, aadLength);
  let state = slot.rx;
  if (step === 1) {
    state = keyAhead(mesh, words);
    // Its nonce base stands behind the key.
    for (let i = 0; i < 12; i++) s.nonce[i] = s.out[32 + i]!;
    numberNonce(s.nonce, sequence);
  } else {
    if (step === -1) state = keyBefore(mesh, words);
    putNonce(s, words, step === -1 ? W.rxBefore + 8 : W.rxKey + 8, sequence);
  }
  const good = aesGcmOpen(state, s.nonce, s.aad, n, data, at, length, s.tag);
  if (good) {
    if (step === 1) advanceRx(mesh, slot);
    const late = accept(mesh, slot, frame, stand, index, step);
    if (step !== 0) wipeKeys(mesh);
    return late;
  }
  if (step !== 0) wipeKeys(mesh);
  return refuse(mesh, Refusal.unauthentic);
}

function wipeKeys(mesh: Mesh): void {
  wipe(mesh.scratch.out);
  wipe(mesh.scratch.key);
  wipe(mesh.scratch.spare);
}

/** What an authentic frame tells, and then its payload. */
function accept(
  mesh: Mesh,
  slot: MeshSlot,
  frame: QstpFrame,
  stand: number,
  index: number,
  step: number,
): number {
  const { words } = slot;
  const data = frame.ciphertext;
  const at = frame.ciphertextAt;
  const kind = data[at]!;
  const now = arrived(mesh, words, stand, index, frame.decision | 0, kind);
  if (now < 0) return refuse(mesh, -now);
  const window = W.windows + WINDOW_WORDS * ((step === -1 ? 2 : 0) + now);
  windowMark(words, window, frame.sequence.low);
  words[W.opened] = words[W.opened]! + 1;
  let flags = words[W.flags]! | MeshFlag.confirmed;
  if (data[at + 1] === (words[W.txEpoch]! & 255)) flags |= MeshFlag.txReached;
  words[W.flags] = flags;
  if (isTooOld(mesh, data, at)) return refuse(mesh, Refusal.tooOld);
  const length = frame.ciphertextBytes - FRAME_OVERHEAD;
  if (kind === Inner.data) return length;
  return control(mesh, slot, kind, data, at + INNER_BYTES, length);
}
