// Writes messages. Fields are written in the order of their numbers, and not at all if they are zero or empty (proto3), so
// that a message has one encoding.

import { copy } from '../../bytes.ts';
import type { U64 } from '../u64.ts';
import { putUtf8, utf8Bytes } from './utf8.ts';
import { Wire } from './wire.ts';

const TWO_32 = 4294967296;

/** Where a message goes. */
export interface Sink {
  /** Null: nothing is written, `at` counts how much it would be. */
  readonly bytes: Uint8Array | null;
  at: number;
}

/** Writes the fields of a message. */
export type Put<T> = (sink: Sink, message: T) => void;

function putByte(sink: Sink, value: number): void {
  if (sink.bytes !== null) sink.bytes[sink.at] = value;
  sink.at++;
}

/** A varint of 64 bits, seven a byte, the low ones first. */
function putVarint(sink: Sink, low: number, high: number): void {
  while ((low & ~0x7f) !== 0 || high !== 0) {
    putByte(sink, (low & 0x7f) | 0x80);
    low = (low >>> 7) | (high << 25);
    high >>>= 7;
  }
  putByte(sink, low);
}

function putTag(sink: Sink, field: number, type: number): void {
  putVarint(sink, (field << 3) | type, 0);
}

/** A uint32 or an enumeration; 0 is left out. */
export function putUint(sink: Sink, field: number, value: number): void {
  if (value === 0) return;
  putTag(sink, field, Wire.varint);
  putVarint(sink, value, 0);
}

/** A uint64; 0 is left out. */
export function putLong(sink: Sink, field: number, value: Readonly<U64>): void {
  if (value.low === 0 && value.high === 0) return;
  putTag(sink, field, Wire.varint);
  putVarint(sink, value.low, value.high);
}

/** An sint64 below 2^53 either way: twice the number, and one less below zero; 0 is left out. */
export function putSigned(sink: Sink, field: number, value: number): void {
  if (value === 0) return;
  putTag(sink, field, Wire.varint);
  // In halves, as twice the number may have one bit more than a double.
  const below = value < 0 ? -value - 1 : value;
  const low = below >>> 0;
  const high = Math.floor(below / TWO_32);
  putVarint(sink, (low << 1) | (value < 0 ? 1 : 0), (high << 1) | (low >>> 31));
}

/** `length` bytes from `from` on; none are left out. */
export function putSpan(sink: Sink, field: number, value: Uint8Array, from: number, length: number): void {
  if (length === 0) return;
  putTag(sink, field, Wire.bytes);
  putVarint(sink, length, 0);
  if (sink.bytes !== null) copy(sink.bytes, sink.at, value, from, length);
  sink.at += length;
}

/** Bytes; none are left out. */
export function putBytes(sink: Sink, field: number, value: Uint8Array): void {
  putSpan(sink, field, value, 0, value.length);
}

/** One entry of a list of bytes. */
export function putEntry(sink: Sink, field: number, value: Uint8Array): void {
  if (value.length > 0) putBytes(sink, field, value);
  else {
    putTag(sink, field, Wire.bytes);
    putByte(sink, 0);
  }
}

/** A string; the empty one is left out. */
export function putString(sink: Sink, field: number, value: string): void {
  if (value === '') return;
  const length = utf8Bytes(value);
  putTag(sink, field, Wire.bytes);
  putVarint(sink, length, 0);
  if (sink.bytes !== null) putUtf8(sink.bytes, sink.at, value);
  sink.at += length;
}

/** A message within a message; null is left out. */
export function putMessage<T>(sink: Sink, field: number, value: T | null, put: Put<T>): void {
  if (value === null) return;
  const size: Sink = { bytes: null, at: 0 };
  put(size, value);
  putTag(sink, field, Wire.bytes);
  putVarint(sink, size.at, 0);
  put(sink, value);
}

// ---- Whole messages --------------------------------------------------------------------------------------

/** What is needed to write a kind of message. */
export interface Writing<T> {
  readonly put: Put<T>;
}

/** Bytes of the message. */
export function protoBytes<T>(type: Writing<T>, message: T): number {
  const size: Sink = { bytes: null, at: 0 };
  type.put(size, message);
  return size.at;
}

/** Writes the message, {@link protoBytes} long, to `out[at ..]`; returns where it ends. */
export function encodeProtoInto<T>(type: Writing<T>, message: T, out: Uint8Array, at: number): number {
  const sink: Sink = { bytes: out, at };
  type.put(sink, message);
  return sink.at;
}

export function encodeProto<T>(type: Writing<T>, message: T): Uint8Array {
  const out = new Uint8Array(protoBytes(type, message));
  encodeProtoInto(type, message, out, 0);
  return out;
}
