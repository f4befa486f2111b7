// 64-bit numbers as two halves: sequences, epochs and times in milliseconds.

import { getU32, putU32 } from '../bytes.ts';
import { QstpError } from '../error.ts';

const TWO_32 = 4294967296;

/** A u64. Both halves are whole numbers from 0 to 2^32 - 1. */
export interface U64 {
  low: number;
  high: number;
}

/** A whole number from 0 to 2^53 as a u64; throws `invalid_input` for another. */
export function u64(value: number): U64 {
  if (!(value >= 0 && value <= 9007199254740992 && Math.floor(value) === value)) {
    throw new QstpError('invalid_input', 'u64: a whole number from 0 to 2^53, not ' + value);
  }
  return { low: value % TWO_32, high: Math.floor(value / TWO_32) };
}

/** The nearest double: exact up to 2^53. */
export function u64ToNumber(value: Readonly<U64>): number {
  return value.high * TWO_32 + value.low;
}

export function u64Equal(a: Readonly<U64>, b: Readonly<U64>): boolean {
  return a.low === b.low && a.high === b.high;
}

export function u64Less(a: Readonly<U64>, b: Readonly<U64>): boolean {
  return a.high < b.high || (a.high === b.high && a.low < b.low);
}

export function copyU64(to: U64, from: Readonly<U64>): void {
  to.low = from.low;
  to.high = from.high;
}

export function getU64(b: Uint8Array, at: number, out: U64): void {
  out.low = getU32(b, at);
  out.high = getU32(b, at + 4);
}

/** Writes 8 bytes, low byte first. */
export function putU64(b: Uint8Array, at: number, value: Readonly<U64>): void {
  putU32(b, at, value.low);
  putU32(b, at + 4, value.high);
}
