// The 21-byte packet header, always in clear (docs/protocol.md, "Header"), little-endian:
//
//   flag u8 | message length u32 | sequence u64 | time u64, seconds since 1970 UTC

import { getI32, getTime, getU32, putTime, putU32 } from '../bytes.ts';
import { TIME_WINDOW } from '../params.ts';

const LENGTH = 1;
const SEQUENCE = 5;
const TIME = 13;

/** Writes a header into the first 21 bytes of `packet`. */
export function putHeader(
  packet: Uint8Array,
  flag: number,
  length: number,
  sequenceLow: number,
  sequenceHigh: number,
  time: number,
): void {
  packet[0] = flag;
  putU32(packet, LENGTH, length);
  putU32(packet, SEQUENCE, sequenceLow);
  putU32(packet, SEQUENCE + 4, sequenceHigh);
  putTime(packet, TIME, time);
}

export function headerFlag(packet: Uint8Array): number {
  return packet[0]!;
}

/** Bytes that follow the header. */
export function headerLength(packet: Uint8Array): number {
  return getU32(packet, LENGTH);
}

/** Low half of the sequence number, as int32. */
export function headerSequenceLow(packet: Uint8Array): number {
  return getI32(packet, SEQUENCE);
}

/** High half of the sequence number, as int32. */
export function headerSequenceHigh(packet: Uint8Array): number {
  return getI32(packet, SEQUENCE + 4);
}

/** Seconds; a double, so a time beyond 2^53 is inexact (and outside every window). */
export function headerTime(packet: Uint8Array): number {
  return getTime(packet, TIME);
}

/** True if the packet's time is within 60 s of `now`, inclusive. */
export function timeValid(packet: Uint8Array, now: number): boolean {
  const ahead = headerTime(packet) - now;
  return ahead <= TIME_WINDOW && ahead >= -TIME_WINDOW;
}
