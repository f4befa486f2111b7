// The PQC1 record of the original's runtime. It holds the session secret in clear: it is for known answers and for what
// a process hands to itself, and never for a network.
//
//   0 "PQC1" | 4 version | 5 KEM level | 6 DSA level | 7 t | 8 n | 9 zero | 10 KEM key id[32] | 42 signing key id[32]
//   74 created u64 | 82 expires u64 | 90 five lengths u16 | 100 ciphertext | secret | signature | KEM key | DSA key

import { ascii, concat, copy, copyOf, equalAt, getU16, putU16 } from '../../bytes.ts';
import { QstpError } from '../../error.ts';
import { getU64, putU64 } from '../u64.ts';
import type { U64 } from '../u64.ts';
import { failure } from './parts.ts';
import type { PqcFailure } from './parts.ts';

const HEADER_BYTES = 100;
const LENGTHS_AT = 90;
const SECTION_MAX = 65535;

export interface Pqc1Record {
  /** 1, 2 or 3: ML-KEM-512 and ML-DSA-44, -768 and -65, -1024 and -87; the demo adapters claim one too. */
  readonly kemLevel: number;
  readonly dsaLevel: number;
  readonly thresholdT: number;
  readonly thresholdN: number;
  /** 32 bytes each. */
  readonly kemKeyId: Uint8Array;
  readonly signingKeyId: Uint8Array;
  /** Milliseconds since 1970. */
  readonly kemCreatedAt: Readonly<U64>;
  readonly kemExpiresAt: Readonly<U64>;
  readonly ciphertext: Uint8Array;
  readonly sharedSecret: Uint8Array;
  readonly signature: Uint8Array;
  readonly kemPublicKey: Uint8Array;
  readonly dsaPublicKey: Uint8Array;
}

function sectionsOf(record: Pqc1Record): Uint8Array[] {
  const { ciphertext, sharedSecret, signature, kemPublicKey, dsaPublicKey } = record;
  return [ciphertext, sharedSecret, signature, kemPublicKey, dsaPublicKey];
}

/** Throws `invalid_length` for a section of more than 65,535 bytes. */
export function encodePqc1(record: Pqc1Record): Uint8Array {
  const header = new Uint8Array(HEADER_BYTES);
  const sections = sectionsOf(record);
  header.set(ascii('PQC1'), 0);
  header[4] = 1;
  header[5] = record.kemLevel;
  header[6] = record.dsaLevel;
  header[7] = record.thresholdT;
  header[8] = record.thresholdN;
  copy(header, 10, record.kemKeyId, 0, 32);
  copy(header, 42, record.signingKeyId, 0, 32);
  putU64(header, 74, record.kemCreatedAt);
  putU64(header, 82, record.kemExpiresAt);
  for (let i = 0; i < sections.length; i++) {
    const { length } = sections[i]!;
    if (length > SECTION_MAX) {
      throw new QstpError(
        'invalid_length',
        `pqc1: a section of ${length} bytes; ${SECTION_MAX} are the most`,
      );
    }
    putU16(header, LENGTHS_AT + 2 * i, length);
  }
  return concat([header, ...sections]);
}

/** Reads a record. Trailing bytes, another version and levels that do not exist are refused. */
export function decodePqc1(bytes: Uint8Array): Pqc1Record | PqcFailure {
  if (bytes.length < HEADER_BYTES) return failure('InvalidInput', 'pqc1 record truncated');
  if (!equalAt(bytes, 0, ascii('PQC1'), 0, 4)) return failure('InvalidInput', 'pqc1 magic mismatch');
  if (bytes[4] !== 1 || bytes[9] !== 0) return failure('InvalidInput', 'pqc1 version unknown');
  const kemLevel = bytes[5]!;
  const dsaLevel = bytes[6]!;
  if (kemLevel < 1 || kemLevel > 3 || dsaLevel < 1 || dsaLevel > 3)
    return failure('InvalidInput', 'pqc1 level unknown');
  const sections: Uint8Array[] = [];
  let at = HEADER_BYTES;
  for (let i = 0; i < 5; i++) {
    const end = at + getU16(bytes, LENGTHS_AT + 2 * i);
    if (end > bytes.length) return failure('InvalidInput', 'pqc1 record truncated');
    sections.push(copyOf(bytes, at, end));
    at = end;
  }
  if (at !== bytes.length) return failure('InvalidInput', 'pqc1 record too long');
  const time = (from: number): U64 => {
    const value = { low: 0, high: 0 };
    getU64(bytes, from, value);
    return value;
  };
  return {
    kemLevel,
    dsaLevel,
    thresholdT: bytes[7]!,
    thresholdN: bytes[8]!,
    kemKeyId: copyOf(bytes, 10, 42),
    signingKeyId: copyOf(bytes, 42, 74),
    kemCreatedAt: time(74),
    kemExpiresAt: time(82),
    ciphertext: sections[0]!,
    sharedSecret: sections[1]!,
    signature: sections[2]!,
    kemPublicKey: sections[3]!,
    dsaPublicKey: sections[4]!,
  };
}
