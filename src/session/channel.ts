// The data phase: one cipher state and counter a direction (docs/protocol.md, "Records").
// Packets are sealed and opened in place. A rejection leaves the receive counter where it was, and the
// channel must be closed: the MAC chain of a failed direction cannot go on.

import {
  CONFIG_BYTES,
  Flag,
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
import { ascii, wipe } from '../bytes.ts';
import { RCS256_WORDS, rcsInit, rcsOpen, rcsSeal } from '../crypto/micro/rcs.ts';
import {
  headerFlag,
  headerLength,
  headerSequenceHigh,
  headerSequenceLow,
  putHeader,
  timeValid,
} from '../wire/header.ts';
import { ratchetKeys } from './transcript.ts';

export interface Channel {
  readonly role: 'client' | 'server';
  readonly suite: Suite;
  /** RCS-256 states. */
  readonly tx: Int32Array;
  readonly rx: Int32Array;
  /** Sequence numbers of the last packet sent and received, int32 halves. */
  txLow: number;
  txHigh: number;
  rxLow: number;
  rxHigh: number;
  /** rtcs, the state of the 1.4 ratchet: 32 bytes. */
  readonly ratchet: Uint8Array;
  /** Where the tag of a received packet is computed: 32 bytes. */
  readonly scratch: Uint8Array;
  /** True once a packet of the peer opened: only then is it known to hold the keys. */
  confirmed: boolean;
}

/** Keys both directions afresh. The initiator sends with the first half of the material. */
function keyChannel(channel: Channel, material: Uint8Array, initiator: boolean): void {
  const none = new Uint8Array(0);
  const first = initiator ? channel.tx : channel.rx;
  const second = initiator ? channel.rx : channel.tx;
  rcsInit(first, material.subarray(0, 32), material.subarray(32, 64), none);
  rcsInit(second, material.subarray(64, 96), material.subarray(96, 128), none);
  wipe(material);
}

/** Takes the receiver's side of the 1.4 ratchet: both directions go on under new keys. */
function acceptRatchet(channel: Channel, token: Uint8Array): void {
  const configuration = ascii(channel.suite.name, CONFIG_BYTES);
  const next = ratchetKeys(token, configuration, channel.ratchet);
  keyChannel(channel, next.material, false);
  channel.ratchet.set(next.ratchet);
  wipe(next.ratchet);
}

/** A channel from the key material of the handshake, which is wiped. */
export function createChannel(
  role: 'client' | 'server',
  suite: Suite,
  material: Uint8Array,
  ratchet: Uint8Array,
): Channel {
  const channel: Channel = {
    role,
    suite,
    tx: new Int32Array(RCS256_WORDS),
    rx: new Int32Array(RCS256_WORDS),
    txLow: SEQUENCE_ESTABLISHED,
    txHigh: 0,
    rxLow: SEQUENCE_ESTABLISHED,
    rxHigh: 0,
    ratchet: ratchet.slice(),
    scratch: new Uint8Array(TAG_BYTES),
    confirmed: false,
  };
  keyChannel(channel, material, role === 'client');
  wipe(ratchet);
  return channel;
}

/** Bytes of key and cipher state a channel holds. */
export function channelStateBytes(channel: Channel): number {
  const { tx, rx, ratchet, scratch } = channel;
  return tx.byteLength + rx.byteLength + ratchet.byteLength + scratch.byteLength + 4 * 4;
}

/**
 * Checks the header of an incoming packet before its body is taken: sequence, flag, time, length, in the
 * reference's order. `limit` is the longest message this end takes, bytes.
 */
export function admitRecord(channel: Channel, header: Uint8Array, now: number, limit: number): Reject | null {
  const flag = headerFlag(header);
  const length = headerLength(header);
  if (flag === Flag.connectionTerminate) {
    return reject('peer_terminated', ErrorCode.none, 'the peer ended the connection (unauthenticated)');
  }
  // A plain error packet: nothing vouches for it, so it is reported as what it is.
  if (flag === Flag.errorCondition && length === 1) return null;
  const low = (channel.rxLow + 1) | 0;
  const high = low === 0 ? channel.rxHigh + 1 : channel.rxHigh;
  if (headerSequenceLow(header) !== low || headerSequenceHigh(header) !== high || high >= SEQUENCE_HIGH_MAX) {
    return reject('sequence', ErrorCode.packetUnsequenced, 'a packet is not the next in sequence');
  }
  const ratchet = flag === Flag.symmetricRatchetRequest && channel.role === 'server';
  if (flag !== Flag.encryptedMessage && flag !== Flag.errorCondition && !ratchet) {
    return reject(
      'flag',
      ErrorCode.invalidRequest,
      `a packet of flag ${flag} is not allowed in a connection`,
    );
  }
  // The reference sends its ratchet packet with time 0.
  if (!ratchet && !timeValid(header, now)) {
    return reject(
      'time',
      ErrorCode.messageTimeInvalid,
      'the packet time is off by more than 60 s: check both clocks',
    );
  }
  const fixed = ratchet ? RATCHET_TOKEN_BYTES + TAG_BYTES : flag === Flag.errorCondition ? 1 + TAG_BYTES : 0;
  if (fixed === 0 ? length <= TAG_BYTES || length > MESSAGE_MAX : length !== fixed) {
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

/**
 * Opens an admitted packet in place. The plaintext is at byte 21, its length the packet's less 53.
 * A ratchet request is carried out here.
 */
export function openRecord(channel: Channel, packet: Uint8Array): Reject | null {
  const length = headerLength(packet) - TAG_BYTES;
  if (!rcsOpen(channel.rx, packet, HEADER_BYTES, packet, HEADER_BYTES, length, channel.scratch)) {
    return reject('authentication', ErrorCode.authenticationFailure, 'a packet failed its authentication');
  }
  channel.rxLow = headerSequenceLow(packet);
  channel.rxHigh = headerSequenceHigh(packet);
  channel.confirmed = true;
  if (headerFlag(packet) === Flag.symmetricRatchetRequest) {
    acceptRatchet(channel, packet.subarray(HEADER_BYTES, HEADER_BYTES + length));
  }
  return null;
}

/** True once no more packets may be sent: the connection has to be made anew. */
export function sequenceExhausted(channel: Channel): boolean {
  return channel.txLow === -1 && channel.txHigh === SEQUENCE_HIGH_MAX - 1;
}

/**
 * Seals the `length` bytes at `packet[21..]` in place: header before, tag behind. Returns the packet's
 * length, `length` + 53. The caller has checked that `length` is 1 to 65504 and the sequence not exhausted.
 */
export function sealRecord(
  channel: Channel,
  packet: Uint8Array,
  flag: number,
  length: number,
  now: number,
): number {
  channel.txLow = (channel.txLow + 1) | 0;
  if (channel.txLow === 0) channel.txHigh++;
  putHeader(packet, flag, length + TAG_BYTES, channel.txLow, channel.txHigh, now);
  rcsSeal(channel.tx, packet, HEADER_BYTES, packet, HEADER_BYTES, length);
  return HEADER_BYTES + length + TAG_BYTES;
}

export function wipeChannel(channel: Channel): void {
  wipe(channel.tx);
  wipe(channel.rx);
  wipe(channel.ratchet);
  wipe(channel.scratch);
}
