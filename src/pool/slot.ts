// What one connection owns: a slot of the slab, at fixed offsets (drawn in docs/memory.md).
//
//   words   the numbers and secrets of a connection, int32, at the indices of `Word`
//   tx, rx  the cipher states of both directions, of the pool's largest cipher
//   receive where a packet is collected; absent where buffers are borrowed
//
// A slot's arrays are views made once: nothing is allocated when a connection comes or goes.

import { WITH_RCS } from '../features.ts';
import { AES_GCM_WORDS } from '../crypto/micro/aes-gcm.ts';
import type { RecordEngine } from '../crypto/provider.ts';
import { RCS256_WORDS } from '../crypto/micro/rcs.ts';

/** Indices into a slot's words. 64-bit numbers lie low half first. */
export const Word = {
  /** Sequence numbers of the last packet sent and received. */
  txLow: 0,
  txHigh: 1,
  rxLow: 2,
  rxHigh: 3,
  /** Epochs of the record keys (X5). */
  txEpoch: 4,
  rxEpoch: 5,
  /** First four bytes of the nonce of AES-256-GCM (X10). */
  txSalt: 6,
  rxSalt: 7,
  /** Sent under the current key: packets, bytes (two words); and since when, seconds. */
  txPackets: 8,
  txBytesLow: 9,
  txBytesHigh: 10,
  txSince: 11,
  /** 0 none, 1 RCS-256, 2 AES-256-GCM. */
  cipher: 12,
  /** Bits of `SlotFlag`. */
  flags: 13,
  /** Features agreed on (X2). */
  features: 14,
  /** Largest plaintext the peer takes in one record, bytes. */
  peerMaxRecord: 15,
  /** Messages delivered to this end since the chain's full handshake (X9). */
  deliveredLow: 16,
  deliveredHigh: 17,
  /** Messages of this end that the peer has delivered (X9). */
  peerDeliveredLow: 18,
  peerDeliveredHigh: 19,
  /** Plain packets ignored, which anybody could have sent. */
  ignored: 20,
  /** The last packet received under the key before, low half; and since when the key is used, seconds. */
  rxFrom: 21,
  rxSince: 22,
  /** Longest message this end takes, tag included, bytes. */
  recordLimit: 23,
  /** The incoming packet: bytes here, bytes in all (21 until its header is admitted). */
  fill: 24,
  need: 25,
  /** What the last packet brought: a SessionEvent, and the bytes of its plaintext. */
  event: 26,
  bodyLength: 27,
  /** The link's: when the state began or life was seen, and when it wakes, ms. */
  since: 28,
  wakeAt: 29,
  /** The keep-alive schedule: KEEPALIVE_WORDS of link/keepalive.ts. */
  keepalive: 30,
  /** chain[0], chain[1], export: 8 words each (X0). A strict 1.4 connection has rtcs in the first. */
  secrets: 52,
} as const;

export const SLOT_WORDS: number = Word.secrets + 24;
/** Words there are for the keep-alive schedule. */
export const SLOT_KEEPALIVE_WORDS: number = Word.secrets - Word.keepalive;
/** Bytes of the three secrets. */
export const SECRETS_BYTES = 96;

export const SlotFlag = {
  server: 1,
  /** A packet of the peer opened: it is known to hold the keys. */
  confirmed: 2,
  /** Both ends speak the extensions. */
  edge: 4,
  /** Keyed by a full handshake, not by a ticket. */
  fullHandshake: 8,
  /** A KEM rekey went through. */
  rekeyed: 16,
} as const;

export const Cipher = { none: 0, rcs: 1, gcm: 2 } as const;

/** Words of one direction's state, by cipher number. */
export const CIPHER_WORDS: readonly number[] = [0, WITH_RCS ? RCS256_WORDS : 0, AES_GCM_WORDS];

/**
 * A tag has 32 bytes at the most. With 16 and a message of 96 AES-256-GCM opens the first record of a key in one pass
 * of the cipher.
 */
export const TAG_SCRATCH_BYTES = 112;

/** Scratch that all slots of a pool share: nothing lies there between two calls. */
export interface SharedScratch {
  /** The tag computed over a received packet, and the packet if it is short: {@link TAG_SCRATCH_BYTES}. */
  readonly tag: Uint8Array;
  /** The nonce of AES-256-GCM: 12 bytes. */
  readonly nonce: Uint8Array;
  /** What does records in the place of the kernels; null: the kernels. */
  readonly engine: RecordEngine | null;
}

export interface Slot {
  readonly words: Int32Array;
  readonly tx: Int32Array;
  readonly rx: Int32Array;
  readonly receive: Uint8Array | null;
  readonly shared: SharedScratch;
}

/** Bytes of a slot whose states have `stateWords` words, with a receive buffer of `receiveBytes`. */
export function slotBytes(stateWords: number, receiveBytes: number): number {
  return 4 * (SLOT_WORDS + 2 * stateWords) + ((receiveBytes + 3) & ~3);
}

/** A slot over `buffer` from `at` on, a multiple of 4. */
export function slotOver(
  buffer: ArrayBuffer,
  at: number,
  stateWords: number,
  receiveBytes: number,
  shared: SharedScratch,
): Slot {
  const txAt = at + 4 * SLOT_WORDS;
  const rxAt = txAt + 4 * stateWords;
  return {
    words: new Int32Array(buffer, at, SLOT_WORDS),
    tx: new Int32Array(buffer, txAt, stateWords),
    rx: new Int32Array(buffer, rxAt, stateWords),
    receive: receiveBytes === 0 ? null : new Uint8Array(buffer, rxAt + 4 * stateWords, receiveBytes),
    shared,
  };
}

/** A view of the slot's secrets: 96 bytes. It allocates: not for the record path. */
export function slotSecrets(slot: Slot): Uint8Array {
  const { words } = slot;
  return new Uint8Array(words.buffer, words.byteOffset + 4 * Word.secrets, SECRETS_BYTES);
}

export function hasFlag(slot: Slot, flag: number): boolean {
  return (slot.words[Word.flags]! & flag) !== 0;
}

export function setFlag(slot: Slot, flag: number): void {
  slot.words[Word.flags]! |= flag;
}
