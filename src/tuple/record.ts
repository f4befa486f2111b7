// A record of tunnel metadata as bytes: what every store keeps of it, under its pointer.
//
//   kind u8 | format u8 | version u32 | nonce[12] | ciphertext | check[8]
//
// The check is the beginning of BLAKE2s-256(pointer || all before it): it tells damage, and a record that lies under
// another's pointer. It keeps nobody from changing anything; that is for the ciphertext's tag and the tunnel.

import { copy, copyOf, equalAt, getU32, putU32 } from '../bytes.ts';
import { QstpError } from '../error.ts';
import { BLAKE2S_WORDS, blake2sAbsorb, blake2sFinish, blake2sInit } from '../crypto/micro/blake2s.ts';
import { TUPLE_NONCE_BYTES, TUPLE_POINTER_BYTES } from './types.ts';
import type { TuplePointer, TupleRecord } from './types.ts';

/** Tells it from other values in a device's storage (src/session/stored.ts). */
export const TUPLE_KIND = 24;
const FORMAT = 1;

const VERSION_AT = 2;
const NONCE_AT = 6;
const CIPHERTEXT_AT = 18;
const CHECK_BYTES = 8;
const TAG_BYTES = 16;

/** The longest ciphertext that stores take, tag included. */
export const TUPLE_CIPHERTEXT_MAX = 4096;
/** The longest record as bytes. */
export const TUPLE_RECORD_MAX = CIPHERTEXT_AT + TUPLE_CIPHERTEXT_MAX + CHECK_BYTES;

/** BLAKE2s-256 of `a`, then of the first `length` bytes of `b`. */
function hash(a: Uint8Array, b: Uint8Array, length: number): Uint8Array {
  const state = new Int32Array(BLAKE2S_WORDS);
  const out = new Uint8Array(32);
  blake2sInit(state, 32, null);
  blake2sAbsorb(state, a, 0, a.length);
  blake2sAbsorb(state, b, 0, length);
  blake2sFinish(state, out, 0);
  return out;
}

/** The address of a record that has no pointer: 16 bytes. */
export function tupleAddress(record: TupleRecord): TuplePointer {
  return copyOf(hash(record.nonce, record.ciphertext, record.ciphertext.length), 0, TUPLE_POINTER_BYTES);
}

/** Throws `invalid_input` for what no record or pointer can be. */
export function checkTuple(record: TupleRecord, pointer: TuplePointer | null): void {
  const { version, nonce, ciphertext } = record;
  let wrong = '';
  if (pointer !== null && pointer.length !== TUPLE_POINTER_BYTES) wrong = 'the pointer has not 16 bytes';
  else if (nonce.length !== TUPLE_NONCE_BYTES) wrong = 'the nonce has not 12 bytes';
  else if (ciphertext.length < TAG_BYTES || ciphertext.length > TUPLE_CIPHERTEXT_MAX) {
    wrong = 'the ciphertext has not 16 to 4,096 bytes';
  } else if (version >>> 0 !== version || (version === 0) !== (pointer === null)) {
    wrong = 'the version is a u32, 0 without a pointer and not with one';
  }
  if (wrong !== '') throw new QstpError('invalid_input', 'tuple: ' + wrong);
}

export function encodeTuple(record: TupleRecord, pointer: TuplePointer): Uint8Array {
  const { ciphertext } = record;
  const end = CIPHERTEXT_AT + ciphertext.length;
  const bytes = new Uint8Array(end + CHECK_BYTES);
  bytes[0] = TUPLE_KIND;
  bytes[1] = FORMAT;
  putU32(bytes, VERSION_AT, record.version);
  bytes.set(record.nonce, NONCE_AT);
  bytes.set(ciphertext, CIPHERTEXT_AT);
  copy(bytes, end, hash(pointer, bytes, end), 0, CHECK_BYTES);
  return bytes;
}

/** The record, of arrays of its own; null if the bytes are damaged or another pointer's. */
export function decodeTuple(bytes: Uint8Array, pointer: TuplePointer): TupleRecord | null {
  const end = bytes.length - CHECK_BYTES;
  if (end < CIPHERTEXT_AT + TAG_BYTES || bytes[0] !== TUPLE_KIND || bytes[1] !== FORMAT) return null;
  if (!equalAt(bytes, end, hash(pointer, bytes, end), 0, CHECK_BYTES)) return null;
  return {
    version: getU32(bytes, VERSION_AT),
    nonce: copyOf(bytes, NONCE_AT, CIPHERTEXT_AT),
    ciphertext: copyOf(bytes, CIPHERTEXT_AT, end),
  };
}
