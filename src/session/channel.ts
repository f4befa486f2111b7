// The data phase: one cipher state and counter a direction, in a slot of the pool (docs/protocol.md, "Records";
// docs/extensions.md, X5, X10). Packets are sealed and opened in place, and nothing is allocated for one. A rejection leaves the
// receive counter where it was, and the connection must be closed: a failed direction cannot go on.

import { WITH_ENGINE, WITH_GCM, WITH_RCS, WITH_REVOCATION, WITH_SERVER, WITH_STRICT } from '../features.ts';
import {
  CONFIG_BYTES,
  EdgeFlag,
  Feature,
  Flag,
  GCM_TAG_BYTES,
  HEADER_BYTES,
  MESSAGE_MAX,
  RATCHET_TOKEN_BYTES,
  SEQUENCE_ESTABLISHED,
  SEQUENCE_HIGH_MAX,
  TAG_BYTES,
} from '../params.ts';
import type { Suite } from '../params.ts';
import { ErrorCode, reject } from '../error.ts';
import type { Reject } from '../error.ts';
import { ascii, getI32, putU32, wipe } from '../bytes.ts';
import { aesGcmInit, aesGcmOpen, aesGcmSeal } from '../crypto/micro/aes-gcm.ts';
import { rcsInit, rcsOpen, rcsSeal } from '../crypto/micro/rcs.ts';
import type { GcmRecords, Hashing, RcsRecords } from '../crypto/provider.ts';
import { Cipher, CIPHER_WORDS, hasFlag, setFlag, SlotFlag, slotSecrets, Word } from '../pool/slot.ts';
import type { Slot } from '../pool/slot.ts';
import {
  headerFlag,
  headerLength,
  headerSequenceHigh,
  headerSequenceLow,
  putHeader,
  timeValid,
} from '../wire/header.ts';
import { trafficKeys } from './secrets.ts';
import { ratchetKeys } from './transcript.ts';

/** Direction numbers of the extensions: client to server, server to client. */
export const CLIENT_TO_SERVER = 0;
export const SERVER_TO_CLIENT = 1;

const NONE = 0;
const FAILED = /* @__PURE__ */ reject(
  'authentication',
  ErrorCode.authenticationFailure,
  'a packet failed its authentication',
);
/** Not a refusal: the packet is to be dropped and counted, for anybody could have sent it. */
export const IGNORED: Reject = /* @__PURE__ */ reject('ignored', NONE, 'a plain packet was ignored');

/** What an end whose pool has room for AES-256-GCM only says to a peer that speaks RCS-256. */
export const NO_ROOM: Reject = /* @__PURE__ */ reject(
  'cipher_unavailable',
  ErrorCode.unknownProtocol,
  'the peer speaks RCS-256, and the slots of this end have room for AES-256-GCM only: give the pool cipher "rcs"',
);

/** True if records are AES-256-GCM's: known when built where a profile has one cipher. */
export function isGcm(slot: Slot): boolean {
  return WITH_GCM && (!WITH_RCS || slot.words[Word.cipher] === Cipher.gcm);
}

/** True if the slot has room for the states of a cipher: check it before the channel is opened. */
export function holdsCipher(slot: Slot, cipher: number): boolean {
  if (cipher === Cipher.gcm ? !WITH_GCM : !WITH_RCS) return false;
  return slot.tx.length >= CIPHER_WORDS[cipher]!;
}

/** What does records in the place of a kernel, where there is something. */
function gcmOf(slot: Slot): GcmRecords | null {
  const { engine } = slot.shared;
  return !WITH_ENGINE || engine === null ? null : engine.gcm;
}

function rcsOf(slot: Slot): RcsRecords | null {
  const { engine } = slot.shared;
  return !WITH_ENGINE || engine === null ? null : engine.rcs;
}

/** What hashes in the place of the kernel, where there is something. */
function hashOf(slot: Slot): Hashing | null {
  const { engine } = slot.shared;
  return !WITH_ENGINE || engine === null ? null : engine.hash;
}

/** Direction in which this end sends. */
export function sendDirection(slot: Slot): number {
  return hasFlag(slot, SlotFlag.server) ? SERVER_TO_CLIENT : CLIENT_TO_SERVER;
}

/** Bytes of tag behind a record. */
export function tagBytes(slot: Slot): number {
  return isGcm(slot) ? GCM_TAG_BYTES : TAG_BYTES;
}

function beginCounters(slot: Slot, server: boolean): void {
  const { words } = slot;
  words[Word.txLow] = SEQUENCE_ESTABLISHED;
  words[Word.txHigh] = 0;
  words[Word.rxLow] = SEQUENCE_ESTABLISHED;
  words[Word.rxHigh] = 0;
  words[Word.flags] = (words[Word.flags]! & SlotFlag.fullHandshake) | (server ? SlotFlag.server : 0);
}

/** Keys a state of RCS-256: key, then nonce, 32 bytes each, are at `keys[at..]`. */
function keyRcs(slot: Slot, state: Int32Array, keys: Uint8Array, at: number): void {
  const rcs = rcsOf(slot);
  const key = keys.subarray(at, at + 32);
  const nonce = keys.subarray(at + 32, at + 64);
  const none = new Uint8Array(0);
  if (rcs === null) rcsInit(state, key, nonce, none);
  else rcs.init(state, key, nonce, none);
}

/** Keys both directions of RCS-256 afresh. The initiator sends with the first half of the material. */
function keyBoth(slot: Slot, material: Uint8Array, initiator: boolean): void {
  const first = initiator ? slot.tx : slot.rx;
  const second = initiator ? slot.rx : slot.tx;
  keyRcs(slot, first, material, 0);
  keyRcs(slot, second, material, 64);
  wipe(material);
}

/** Opens a strict 1.4 channel from the key material of the handshake; both arrays are wiped. */
export function openStrict(slot: Slot, server: boolean, material: Uint8Array, ratchet: Uint8Array): void {
  beginCounters(slot, server);
  slot.words[Word.cipher] = Cipher.rcs;
  keyBoth(slot, material, !server);
  ratchetState(slot).set(ratchet);
  wipe(ratchet);
}

/** rtcs of a strict connection: 32 bytes. */
export function ratchetState(slot: Slot): Uint8Array {
  return slotSecrets(slot).subarray(0, 32);
}

/**
 * Opens an edge channel from chain[0] | chain[1] | export, which are wiped. `material` holds the 1.4 keys of
 * a full handshake: RCS-256 begins with them (X0).
 */
export function openEdge(
  slot: Slot,
  server: boolean,
  cipher: number,
  secrets: Uint8Array,
  material: Uint8Array | null,
  now: number,
): void {
  beginCounters(slot, server);
  setFlag(slot, SlotFlag.edge);
  slot.words[Word.cipher] = cipher;
  slotSecrets(slot).set(secrets);
  wipe(secrets);
  if (WITH_RCS && material !== null && cipher === Cipher.rcs) {
    keyBoth(slot, material, !server);
  } else {
    keyDirection(slot, CLIENT_TO_SERVER, 0);
    keyDirection(slot, SERVER_TO_CLIENT, 0);
    if (material !== null) wipe(material);
  }
  slot.words[Word.txSince] = now | 0;
  slot.words[Word.rxSince] = now | 0;
  slot.words[Word.rxFrom] = SEQUENCE_ESTABLISHED;
}

/** Keys direction `dir` for `epoch` from its chain, and starts its counts anew. */
export function keyDirection(slot: Slot, dir: number, epoch: number): void {
  const { words } = slot;
  const sending = dir === sendDirection(slot);
  const chain = slotSecrets(slot).subarray(32 * dir, 32 * dir + 32);
  const cipher = words[Word.cipher]!;
  const keys = trafficKeys(chain, cipher, dir, epoch, hashOf(slot));
  const state = sending ? slot.tx : slot.rx;
  if (isGcm(slot)) {
    aesGcmInit(state, keys.subarray(0, 32));
    const gcm = gcmOf(slot);
    if (gcm !== null) gcm.rekeyed(state);
    words[sending ? Word.txSalt : Word.rxSalt] = getI32(keys, 32);
  } else {
    keyRcs(slot, state, keys, 0);
  }
  wipe(keys);
  words[sending ? Word.txEpoch : Word.rxEpoch] = epoch;
  if (sending) {
    words[Word.txPackets] = 0;
    words[Word.txBytesLow] = 0;
    words[Word.txBytesHigh] = 0;
  }
}

// ---- Receiving --------------------------------------------------------------------------------------------

const TIME_OFF = /* @__PURE__ */ reject(
  'time',
  ErrorCode.messageTimeInvalid,
  'the packet time is off by more than 60 s: check both clocks',
);

/** Message lengths of the sealed packets of an edge connection that have one length only; 0 for others. */
function fixedPlain(flag: number): number {
  if (flag === EdgeFlag.keepaliveRequest) return 8;
  if (flag === EdgeFlag.keepaliveResponse) return 12;
  return flag === Flag.errorCondition ? 1 : 0;
}

function allowed(slot: Slot, flag: number): boolean {
  if (flag === Flag.encryptedMessage || flag === Flag.errorCondition) return true;
  if (WITH_STRICT && !hasFlag(slot, SlotFlag.edge)) {
    return flag === Flag.symmetricRatchetRequest && hasFlag(slot, SlotFlag.server);
  }
  if (flag === EdgeFlag.keepaliveRequest || flag === EdgeFlag.keepaliveResponse) return true;
  // The root's word that a certificate is revoked (X7).
  if (WITH_REVOCATION && WITH_SERVER && flag === Flag.certificateRevoke) {
    return (slot.words[Word.features]! & Feature.succession) !== 0;
  }
  return flag === (isGcm(slot) ? EdgeFlag.controlGcm : EdgeFlag.control);
}

/**
 * Checks the header of an incoming packet before its body is taken: sequence, flag, time, length, in the
 * reference's order. `limit` is the longest message this end takes, bytes. {@link IGNORED} for a plain
 * packet that an edge connection takes no notice of.
 */
export function admitRecord(slot: Slot, header: Uint8Array, now: number, limit: number): Reject | null {
  const { words } = slot;
  const flag = headerFlag(header);
  const length = headerLength(header);
  const edge = !WITH_STRICT || hasFlag(slot, SlotFlag.edge);
  if (flag === Flag.connectionTerminate) {
    if (edge && length <= 1) return IGNORED;
    return reject('peer_terminated', ErrorCode.none, 'the peer ended the connection (unauthenticated)');
  }
  // A plain error packet: nothing vouches for it, so it is reported as what it is.
  if (flag === Flag.errorCondition && length === 1) return edge ? IGNORED : null;
  const low = (words[Word.rxLow]! + 1) | 0;
  const high = low === 0 ? words[Word.rxHigh]! + 1 : words[Word.rxHigh]!;
  if (headerSequenceLow(header) !== low || headerSequenceHigh(header) !== high || high >= SEQUENCE_HIGH_MAX) {
    return reject('sequence', ErrorCode.packetUnsequenced, 'a packet is not the next in sequence');
  }
  if (!allowed(slot, flag)) {
    return reject(
      'flag',
      ErrorCode.invalidRequest,
      `a packet of flag ${flag} is not allowed in a connection`,
    );
  }
  const ratchet = WITH_STRICT && flag === Flag.symmetricRatchetRequest;
  // The reference sends its ratchet packet with time 0; between edge ends time is for diagnosis (X2).
  if (!edge && !ratchet && !timeValid(header, now)) return TIME_OFF;
  const tag = tagBytes(slot);
  const plain = ratchet ? RATCHET_TOKEN_BYTES : fixedPlain(flag);
  if (plain === 0 ? length <= tag || length > MESSAGE_MAX : length !== plain + tag) {
    return reject('length', ErrorCode.invalidRequest, `a packet of flag ${flag} cannot have ${length} bytes`);
  }
  if (length > limit) {
    return reject(
      'record_too_large',
      ErrorCode.invalidRequest,
      `a record of ${length} bytes is over this profile's limit of ${limit}: raise it, or send smaller messages`,
    );
  }
  return null;
}

/** The nonce of a packet of AES-256-GCM: salt, sequence (X10). */
function putNonce(nonce: Uint8Array, salt: number, low: number, high: number): void {
  putU32(nonce, 0, salt);
  putU32(nonce, 4, low);
  putU32(nonce, 8, high);
}

/** Takes the sequence number of a packet that opened. */
function noteOpened(slot: Slot, packet: Uint8Array): void {
  const { words } = slot;
  words[Word.rxLow] = headerSequenceLow(packet);
  words[Word.rxHigh] = headerSequenceHigh(packet);
  setFlag(slot, SlotFlag.confirmed);
}

/** Opens an admitted packet in place. The plaintext is at byte 21, its length the packet's less the tag. */
export function openRecord(slot: Slot, packet: Uint8Array): Reject | null {
  const length = headerLength(packet) - tagBytes(slot);
  const gcm = gcmOf(slot);
  const rcs = rcsOf(slot);
  const { shared } = slot;
  let good = false;
  if (isGcm(slot)) {
    putNonce(shared.nonce, slot.words[Word.rxSalt]!, headerSequenceLow(packet), headerSequenceHigh(packet));
    good =
      gcm === null
        ? aesGcmOpen(slot.rx, shared.nonce, packet, HEADER_BYTES, packet, HEADER_BYTES, length, shared.tag)
        : gcm.open(slot.rx, shared.nonce, packet, HEADER_BYTES, packet, HEADER_BYTES, length, shared.tag);
  } else {
    good =
      rcs === null
        ? rcsOpen(slot.rx, packet, HEADER_BYTES, packet, HEADER_BYTES, length, shared.tag)
        : rcs.open(slot.rx, packet, HEADER_BYTES, packet, HEADER_BYTES, length, shared.tag);
  }
  if (!good) return FAILED;
  noteOpened(slot, packet);
  return null;
}

/** Takes the receiver's side of the 1.4 ratchet: both directions go on under new keys. */
export function acceptRatchet(slot: Slot, suite: Suite, token: Uint8Array): void {
  const state = ratchetState(slot);
  const next = ratchetKeys(token, ascii(suite.name, CONFIG_BYTES), state);
  keyBoth(slot, next.material, false);
  state.set(next.ratchet);
  wipe(next.ratchet);
}

// ---- Sending ----------------------------------------------------------------------------------------------

/** True once no more packets may be sent: the connection has to be made anew. */
export function sequenceExhausted(slot: Slot): boolean {
  return slot.words[Word.txLow] === -1 && slot.words[Word.txHigh] === SEQUENCE_HIGH_MAX - 1;
}

/** Takes the next sequence number, and writes header and nonce; counts what is sent. */
function beginSealed(slot: Slot, packet: Uint8Array, flag: number, total: number, now: number): void {
  const { words } = slot;
  const low = (words[Word.txLow]! + 1) | 0;
  words[Word.txLow] = low;
  if (low === 0) words[Word.txHigh]!++;
  const high = words[Word.txHigh]!;
  putHeader(packet, flag, total, low, high, now);
  if (isGcm(slot)) putNonce(slot.shared.nonce, words[Word.txSalt]!, low, high);
  words[Word.txPackets]!++;
  const before = words[Word.txBytesLow]!;
  const after = (before + total) | 0;
  words[Word.txBytesLow] = after;
  if (before < 0 && after >= 0) words[Word.txBytesHigh]!++;
}

/**
 * Seals the `length` bytes at `packet[21..]` in place: header before, tag behind. Returns the packet's
 * length. The caller has checked the length and that the sequence is not exhausted.
 */
export function sealRecord(
  slot: Slot,
  packet: Uint8Array,
  flag: number,
  length: number,
  now: number,
): number {
  const total = length + tagBytes(slot);
  beginSealed(slot, packet, flag, total, now);
  // Each local of this function lies on a device's stack below the cipher.
  const gcm = gcmOf(slot);
  const rcs = rcsOf(slot);
  if (isGcm(slot)) {
    if (gcm === null)
      aesGcmSeal(slot.tx, slot.shared.nonce, packet, HEADER_BYTES, packet, HEADER_BYTES, length);
    else gcm.seal(slot.tx, slot.shared.nonce, packet, HEADER_BYTES, packet, HEADER_BYTES, length);
  } else if (rcs === null) rcsSeal(slot.tx, packet, HEADER_BYTES, packet, HEADER_BYTES, length);
  else rcs.seal(slot.tx, packet, HEADER_BYTES, packet, HEADER_BYTES, length);
  return HEADER_BYTES + total;
}
