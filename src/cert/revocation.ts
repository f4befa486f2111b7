// Revocation (docs/extensions.md, X7): a root's signed list, and the signed revocation of a single certificate.
// Signatures are checked by jobs; everything else here is quick.
//
//   list    rootSerial[16] | number u32 | issued u64 | nextUpdate u64 | count u16 | serials[16 each] | signature
//   single  signature | serial[16]
//
// Both signatures are the root's: over everything before it (context "QSTP-EDGE-1/crl"), and over the serial
// (context "QSTP-EDGE-1/revoke").

import { DAY_SECONDS, FRAGMENTED_MAX, SERIAL_BYTES, TIME_WINDOW } from '../params.ts';
import type { Suite } from '../params.ts';
import { ErrorCode, QstpError, reject } from '../error.ts';
import type { Reject } from '../error.ts';
import { ascii, concat, equal, equalAt, getTime, getU16, getU32, putTime, putU16, putU32 } from '../bytes.ts';
import type { Job } from '../crypto/job.ts';
import type { RootCertificate } from './certificate.ts';
import { expirationCheck } from './verify.ts';

export const REVOCATION_LIST_CONTEXT = 'QSTP-EDGE-1/crl';
export const REVOCATION_CONTEXT = 'QSTP-EDGE-1/revoke';

const HEAD_BYTES = SERIAL_BYTES + 4 + 8 + 8 + 2;
const COUNT_AT = HEAD_BYTES - 2;
/** Largest list, bytes: a fragmented control message carries it whole. */
export const REVOCATION_LIST_BYTES_MAX = FRAGMENTED_MAX;

/** Makes the root's signature of a message under a context. */
export type SignWith = (message: Uint8Array, context: Uint8Array) => Uint8Array;

/** What a root states in a list. Times are seconds since 1970. */
export interface RevocationContent {
  /** 16 bytes. */
  readonly rootSerial: Uint8Array;
  /** 1 to 2^32 - 1; grows with each list of this root. */
  readonly number: number;
  readonly issued: number;
  /** After this the list is stale: a new one is due before. */
  readonly nextUpdate: number;
}

export interface RevocationList extends RevocationContent {
  /** The whole file. The arrays below are views of it. */
  readonly bytes: Uint8Array;
  readonly count: number;
  /** 16 bytes each, one after the other. */
  readonly serials: Uint8Array;
  readonly signature: Uint8Array;
}

/** How many serials a list of a suite holds at the most: 870, 814 and 732. */
export function revocationListMax(suite: Suite): number {
  return ((REVOCATION_LIST_BYTES_MAX - HEAD_BYTES - suite.signatureBytes) / SERIAL_BYTES) | 0;
}

/**
 * Lays out a list and has it signed. The serials, 16 bytes each, are sorted, and repeated ones left out. Throws
 * `revocation_full` if there are more than {@link revocationListMax}.
 */
export function encodeRevocationList(
  content: RevocationContent,
  serials: readonly Uint8Array[],
  suite: Suite,
  sign: SignWith,
): Uint8Array {
  const sorted = distinct(serials);
  const most = revocationListMax(suite);
  if (sorted.length > most) {
    throw new QstpError(
      'revocation_full',
      `a list of this parameter set holds ${most} serials, not ${sorted.length}: ` +
        'leave out those whose certificates have expired, or roll over to a new root',
    );
  }
  const body = new Uint8Array(HEAD_BYTES + SERIAL_BYTES * sorted.length);
  body.set(content.rootSerial, 0);
  putU32(body, SERIAL_BYTES, content.number);
  putTime(body, SERIAL_BYTES + 4, content.issued);
  putTime(body, SERIAL_BYTES + 12, content.nextUpdate);
  putU16(body, COUNT_AT, sorted.length);
  for (let i = 0; i < sorted.length; i++) body.set(sorted[i]!, HEAD_BYTES + SERIAL_BYTES * i);
  return concat([body, sign(body, ascii(REVOCATION_LIST_CONTEXT))]);
}

/** Decodes a list of a suite; null if it is none. Verifies nothing. */
export function decodeRevocationList(bytes: Uint8Array, suite: Suite): RevocationList | null {
  if (bytes.length < HEAD_BYTES || bytes.length > REVOCATION_LIST_BYTES_MAX) return null;
  const count = getU16(bytes, COUNT_AT);
  const end = HEAD_BYTES + SERIAL_BYTES * count;
  if (bytes.length !== end + suite.signatureBytes) return null;
  return {
    bytes,
    rootSerial: bytes.subarray(0, SERIAL_BYTES),
    number: getU32(bytes, SERIAL_BYTES),
    issued: getTime(bytes, SERIAL_BYTES + 4),
    nextUpdate: getTime(bytes, SERIAL_BYTES + 12),
    count,
    serials: bytes.subarray(HEAD_BYTES, end),
    signature: bytes.subarray(end),
  };
}

/** The signature check of a list under its root. */
export function revocationJob(list: RevocationList, root: RootCertificate): Job {
  return {
    op: 'verify',
    signature: list.signature,
    message: list.bytes.subarray(0, list.bytes.length - list.signature.length),
    publicKey: root.verifyKey,
    context: ascii(REVOCATION_LIST_CONTEXT),
  };
}

/** The Reject of a failed {@link revocationJob} or {@link revocationOfJob}. */
export function badRevocationSignature(): Reject {
  return reject(
    'revocation_signature',
    ErrorCode.signatureFailure,
    'the revocation is not signed by this root: it was altered, or another root made it',
    true,
  );
}

/**
 * All of a list that comes in, but its signature: null if it may take the place of the one that is held.
 * `heldNumber`: the number of that one, 0 if none is held; `now` in seconds.
 */
export function checkRevocationList(
  list: RevocationList,
  root: RootCertificate,
  heldNumber: number,
  now: number,
): Reject | null {
  if (!equal(list.rootSerial, root.serial)) {
    return reject(
      'revocation_foreign_root',
      ErrorCode.keyUnrecognized,
      'the revocation list is of another root: use the list of the root in use',
      true,
    );
  }
  if (expirationCheck(root, now) !== 'valid') {
    return reject(
      'revocation_root_expired',
      ErrorCode.keyExpired,
      'the root of the revocation list is outside its validity period: check the clock, or roll over to a new root',
      true,
    );
  }
  if (list.number < heldNumber) {
    return reject(
      'revocation_older',
      ErrorCode.invalidInput,
      `the revocation list has number ${list.number}, and ${heldNumber} is held: an old list was replayed`,
      true,
    );
  }
  if (list.number === heldNumber) {
    return reject(
      'revocation_held',
      ErrorCode.invalidInput,
      `the revocation list with number ${heldNumber} is held already`,
      true,
    );
  }
  if (list.issued > now + TIME_WINDOW) {
    return reject(
      'revocation_issued_later',
      ErrorCode.messageTimeInvalid,
      'the revocation list was issued in the future: check the clock here and where the root is',
      true,
    );
  }
  if (revocationListState(list, now) === 'stale') {
    return reject(
      'revocation_stale',
      ErrorCode.keyExpired,
      'the revocation list is past its next update: issue a new one with `qstp root revoke`',
      true,
    );
  }
  return null;
}

/** A list past its `nextUpdate` is stale: what it revokes stays revoked, but who is not in it may be revoked since. */
export function revocationListState(
  list: RevocationList | null,
  now: number,
): 'missing' | 'current' | 'stale' {
  if (list === null) return 'missing';
  return now > list.nextUpdate ? 'stale' : 'current';
}

/** True if the list holds this serial, 16 bytes. */
export function isRevoked(list: RevocationList | null, serial: Uint8Array): boolean {
  if (list === null) return false;
  for (let i = 0; i < list.count; i++) {
    if (equalAt(list.serials, SERIAL_BYTES * i, serial, 0, SERIAL_BYTES)) return true;
  }
  return false;
}

/** The Reject of a certificate whose serial {@link isRevoked}. */
export function revoked(what: 'server' | 'client'): Reject {
  return reject(
    'revoked',
    ErrorCode.keyUnrecognized,
    `the ${what} certificate was revoked by its root: issue a new one`,
    true,
  );
}

/** Copies of a list's serials. */
export function revokedSerials(list: RevocationList): Uint8Array[] {
  const all: Uint8Array[] = [];
  for (let i = 0; i < list.count; i++) {
    const serial = new Uint8Array(SERIAL_BYTES);
    serial.set(list.serials.subarray(SERIAL_BYTES * i, SERIAL_BYTES * (i + 1)));
    all.push(serial);
  }
  return all;
}

/**
 * The serials that must stay in a list: not those whose certificate ended a day ago or earlier, for expiry refuses
 * these anyway. `endOf` gives a certificate's `to` by its serial, null if it is not known.
 */
export function pruneRevoked(
  serials: readonly Uint8Array[],
  endOf: (serial: Uint8Array) => number | null,
  now: number,
): Uint8Array[] {
  const stay: Uint8Array[] = [];
  for (let i = 0; i < serials.length; i++) {
    const to = endOf(serials[i]!);
    if (to === null || to + DAY_SECONDS >= now) stay.push(serials[i]!);
  }
  return stay;
}

function distinct(serials: readonly Uint8Array[]): Uint8Array[] {
  const sorted = serials.slice().sort(compare);
  const kept: Uint8Array[] = [];
  for (let i = 0; i < sorted.length; i++) {
    if (sorted[i]!.length !== SERIAL_BYTES) {
      throw new QstpError('invalid_input', `a serial has ${SERIAL_BYTES} bytes, not ${sorted[i]!.length}`);
    }
    if (i === 0 || compare(sorted[i]!, sorted[i - 1]!) !== 0) kept.push(sorted[i]!);
  }
  return kept;
}

function compare(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < SERIAL_BYTES; i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return 0;
}

// ---- A single revocation -----------------------------------------------------------------------------------

export interface Revocation {
  /** 16 bytes. */
  readonly serial: Uint8Array;
  readonly signature: Uint8Array;
}

export function revocationBytes(suite: Suite): number {
  return suite.signatureBytes + SERIAL_BYTES;
}

/** The signed revocation of one serial. */
export function encodeRevocation(serial: Uint8Array, sign: SignWith): Uint8Array {
  return concat([sign(serial, ascii(REVOCATION_CONTEXT)), serial]);
}

/** Decodes a single revocation of a suite; null if it has another length. The arrays are views. */
export function decodeRevocation(bytes: Uint8Array, suite: Suite): Revocation | null {
  if (bytes.length !== revocationBytes(suite)) return null;
  return {
    signature: bytes.subarray(0, suite.signatureBytes),
    serial: bytes.subarray(suite.signatureBytes),
  };
}

/** The signature check of a single revocation under the root. */
export function revocationOfJob(revocation: Revocation, root: RootCertificate): Job {
  return {
    op: 'verify',
    signature: revocation.signature,
    message: revocation.serial,
    publicKey: root.verifyKey,
    context: ascii(REVOCATION_CONTEXT),
  };
}
