// Reads messages. Whatever is read may come from anybody: nothing here throws for it. What is wrong is said once, in
// `problem`, and reading ends there.

import { copy } from '../../bytes.ts';
import type { U64 } from '../u64.ts';
import { getUtf8 } from './utf8.ts';
import { FIELD_MAX, Wire } from './wire.ts';
import type { ProtoProblem } from './wire.ts';

const TWO_32 = 4294967296;
const ENUM_MAX = 0x7fffffff;

/** What is read of a message. Its bytes are views of what was given. */
export interface Source {
  readonly bytes: Uint8Array;
  at: number;
  end: number;
  /** Of the field that {@link nextField} found. */
  type: number;
  /** The last number read. */
  low: number;
  high: number;
  /** A string that may come again: if it does, none is made. */
  hint: string;
  problem: ProtoProblem | null;
}

/** What is needed to read a kind of message. */
export interface Reading<T> {
  readonly take: Take<T>;
  /** One with no field set. */
  readonly make: () => T;
}

/** Takes one field of a message; false: it is not one of its fields, and is skipped. */
export type Take<T> = (source: Source, field: number, message: T) => boolean;

function fail(source: Source, problem: ProtoProblem): void {
  if (source.problem === null) source.problem = problem;
  source.at = source.end;
}

/** Reads a varint into `low` and `high`. */
function takeVarint(source: Source): void {
  const { bytes } = source;
  let low = 0;
  let high = 0;
  for (let shift = 0; shift < 70; shift += 7) {
    if (source.at >= source.end) {
      fail(source, 'truncated');
      break;
    }
    const byte = bytes[source.at++]!;
    // The tenth byte has room for the highest bit.
    if (shift === 63 && byte > 1) {
      fail(source, 'number');
      break;
    }
    const bits = byte & 0x7f;
    if (shift < 28) low |= bits << shift;
    else if (shift === 28) {
      low |= bits << 28;
      high = bits >>> 4;
    } else high |= bits << (shift - 32);
    if (byte < 0x80) break;
  }
  source.low = low;
  source.high = high;
}

/** True if the field has this wire type, which every version of the format gives it. */
function isOf(source: Source, type: number): boolean {
  if (source.type !== type) fail(source, 'wire_type');
  return source.type === type;
}

/** A uint32. */
export function takeUint(source: Source): number {
  if (!isOf(source, Wire.varint)) return 0;
  takeVarint(source);
  if (source.high !== 0) fail(source, 'number');
  return source.low >>> 0;
}

/** An enumeration: of a number that nobody knows yet too, if it is not negative. */
export function takeEnum(source: Source): number {
  const value = takeUint(source);
  if (value > ENUM_MAX) fail(source, 'number');
  return value;
}

/** Reads a uint64 into `value`. */
export function takeLong(source: Source, value: U64): void {
  if (!isOf(source, Wire.varint)) return;
  takeVarint(source);
  value.low = source.low >>> 0;
  value.high = source.high >>> 0;
}

/** An sint64, which must be below 2^53 either way. */
export function takeSigned(source: Source): number {
  if (!isOf(source, Wire.varint)) return 0;
  takeVarint(source);
  const half = (source.high >>> 1) * TWO_32 + (((source.low >>> 1) | (source.high << 31)) >>> 0);
  if (half >= 9007199254740992) fail(source, 'number');
  return (source.low & 1) === 0 ? half : -half - 1;
}

/** The length in front of bytes, which are all there and begin at `at`; 0 after a problem. */
export function takeLength(source: Source): number {
  if (!isOf(source, Wire.bytes)) return 0;
  takeVarint(source);
  const length = source.low >>> 0;
  if (source.high !== 0 || length > source.end - source.at) fail(source, 'truncated');
  return source.problem === null ? length : 0;
}

/** A view of the bytes. */
export function takeBytes(source: Source): Uint8Array {
  const length = takeLength(source);
  source.at += length;
  return source.bytes.subarray(source.at - length, source.at);
}

/** Copies the bytes, which must be as many as `out` has. */
export function takeInto(source: Source, out: Uint8Array): void {
  const length = takeLength(source);
  if (length === out.length) copy(out, 0, source.bytes, source.at, length);
  else fail(source, 'length');
  source.at += length;
}

/** Adds the bytes to a list of at most `most`. */
export function takeEntry(source: Source, entries: Uint8Array[], most: number): void {
  if (entries.length < most) entries.push(takeBytes(source));
  else fail(source, 'limit');
}

/** True if `length` bytes are the ASCII characters of `text`. */
function isText(b: Uint8Array, at: number, length: number, text: string): boolean {
  if (text.length !== length) return false;
  for (let i = 0; i < length; i++) if (b[at + i]! > 0x7f || text.charCodeAt(i) !== b[at + i]) return false;
  return true;
}

export function takeString(source: Source): string {
  const length = takeLength(source);
  const { bytes, at, hint } = source;
  source.at = at + length;
  const text = isText(bytes, at, length, hint) ? hint : getUtf8(bytes, at, at + length);
  if (text === null) fail(source, 'utf8');
  return text === null ? '' : text;
}

/** Reads a message into `message`, or into a new one: of one that stands twice the fields of both count (proto3). */
export function takeMessage<T extends object>(source: Source, message: T | null, type: Reading<T>): T {
  const into = message === null ? type.make() : message;
  const length = takeLength(source);
  const outer = source.end;
  source.end = source.at + length;
  takeFields(source, into, type.take);
  source.end = outer;
  if (source.problem !== null) source.at = outer;
  return into;
}

/** Adds a message to a list of at most `most`. */
export function takeMessageEntry<T extends object>(
  source: Source,
  entries: T[],
  type: Reading<T>,
  most: number,
): void {
  if (entries.length < most) entries.push(takeMessage(source, null, type));
  else fail(source, 'limit');
}

function skip(source: Source): void {
  if (source.type === Wire.varint) takeVarint(source);
  else if (source.type === Wire.bytes) takeBytes(source);
  else {
    const length = source.type === Wire.fixed64 ? 8 : source.type === Wire.fixed32 ? 4 : 0;
    if (length === 0) fail(source, 'wire_type');
    else if (length > source.end - source.at) fail(source, 'truncated');
    else source.at += length;
  }
}

function takeFields<T>(source: Source, message: T, take: Take<T>): void {
  while (source.at < source.end) {
    takeVarint(source);
    const field = (source.low >>> 3) | 0;
    source.type = source.low & 7;
    if (source.problem !== null) return;
    if (source.high !== 0 || field < 1 || field > FIELD_MAX) fail(source, 'field');
    else if (!take(source, field, message)) skip(source);
  }
}

// ---- Whole messages --------------------------------------------------------------------------------------

/** Reads `bytes[at .. end)` into `message`, in which no field is set. Returns what is wrong with them; null if nothing is. */
export function decodeProtoInto<T>(
  take: Take<T>,
  message: T,
  bytes: Uint8Array,
  at: number,
  end: number,
  hint: string,
): ProtoProblem | null {
  const source: Source = { bytes, at, end, type: 0, low: 0, high: 0, hint, problem: null };
  takeFields(source, message, take);
  return source.problem;
}

/**
 * The message in `bytes`, or what is wrong with them. Fields this build does not know are skipped; of a field that
 * stands twice the last one counts. Bytes are views: copy what is kept.
 */
export function decodeProto<T extends object>(type: Reading<T>, bytes: Uint8Array): T | ProtoProblem {
  const message = type.make();
  const problem = decodeProtoInto(type.take, message, bytes, 0, bytes.length, '');
  return problem === null ? message : problem;
}
