// The part of CBOR (RFC 8949) that a provisioning record needs: maps with text keys, whole numbers, byte and
// text strings, null. Lengths are definite and as short as possible, so one record has one encoding.

import { QstpError } from '../../../src/error.ts';

export type CborValue = number | string | Uint8Array | null | CborMap;
export interface CborMap {
  readonly [key: string]: CborValue;
}

const Major = { unsigned: 0, bytes: 2, text: 3, map: 5 } as const;
const NULL = 0xf6;

function head(major: number, value: number): Buffer {
  const type = major << 5;
  if (value < 24) return Buffer.from([type | value]);
  const size = value < 0x100 ? 1 : value < 0x10000 ? 2 : value < 0x100000000 ? 4 : 8;
  const out = Buffer.alloc(1 + size);
  out[0] = type | (24 + Math.log2(size));
  if (size === 8) out.writeBigUInt64BE(BigInt(value), 1);
  else out.writeUIntBE(value, 1, size);
  return out;
}

/** Whole numbers from 0 to 2^53 - 1 only. */
export function encodeCbor(value: CborValue): Buffer {
  if (value === null) return Buffer.from([NULL]);
  if (typeof value === 'number') return head(Major.unsigned, value);
  if (typeof value === 'string') {
    const text = Buffer.from(value);
    return Buffer.concat([head(Major.text, text.length), text]);
  }
  if (value instanceof Uint8Array) return Buffer.concat([head(Major.bytes, value.length), value]);
  const entries = Object.entries(value);
  return Buffer.concat([
    head(Major.map, entries.length),
    ...entries.flatMap(([key, inner]) => [encodeCbor(key), encodeCbor(inner)]),
  ]);
}

function malformed(why: string): QstpError {
  return new QstpError('record_malformed', `this is no provisioning record: ${why}`);
}

/** The value that is all of `bytes`. Throws `record_malformed`. */
export function decodeCbor(bytes: Uint8Array): CborValue {
  const data = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = 0;

  function take(count: number): Buffer {
    if (count > data.length - at) throw malformed('it is cut off');
    at += count;
    return data.subarray(at - count, at);
  }

  function argument(info: number): number {
    if (info < 24) return info;
    if (info > 27) throw malformed('a length of no definite size');
    const size = 1 << (info - 24);
    const value = size === 8 ? Number(take(8).readBigUInt64BE()) : take(size).readUIntBE(0, size);
    if (!Number.isSafeInteger(value)) throw malformed('a number is too large');
    return value;
  }

  function next(depth: number): CborValue {
    const first = take(1)[0]!;
    if (first === NULL) return null;
    const major = first >> 5;
    const value = argument(first & 31);
    if (major === Major.unsigned) return value;
    if (major === Major.bytes) return new Uint8Array(take(value));
    if (major === Major.text) return take(value).toString('utf8');
    if (major !== Major.map || depth === 0) throw malformed(`a value of major type ${major}`);
    const map: Record<string, CborValue> = Object.create(null) as Record<string, CborValue>;
    for (let i = 0; i < value; i++) {
      const key = next(0);
      if (typeof key !== 'string') throw malformed('a key is no text');
      if (key in map) throw malformed(`the key "${key}" is there twice`);
      map[key] = next(depth - 1);
    }
    return map;
  }

  const value = next(2);
  if (at !== data.length) throw malformed('something follows it');
  return value;
}
