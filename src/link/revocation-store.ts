// What an end holds of one root's revocations (X7): the newest list and, beside it, the number that must not go back
// and serials that were revoked one by one. Two records of a storage:
//
//   NAME.l  the list as the root signed it
//   NAME.n  rootSerial[16] | number u32 | count u16 | serials[16 each]
//
// The list is written first: a cut in between leaves the new list, which brings its number. Nothing is removed, so a
// record that is missing or damaged is noticed by the other, and identities are refused until a list comes.

import { FRAGMENTED_MAX, SERIAL_BYTES } from '../params.ts';
import { ErrorCode, reject } from '../error.ts';
import type { Reject } from '../error.ts';
import { copyOf, equal, equalAt, getU16, getU32, putU16, putU32 } from '../bytes.ts';
import type { RootCertificate } from '../cert/certificate.ts';
import {
  checkRevocationList,
  decodeRevocationList,
  isRevoked,
  revocationListState,
  revoked,
} from '../cert/revocation.ts';
import type { RevocationList } from '../cert/revocation.ts';
import { packStored, Stored, unpackStored } from '../session/stored.ts';
import type { Storage } from '../platform.ts';

const VERSION = 1;
const HEAD_BYTES = SERIAL_BYTES + 4 + 2;
/** Serials revoked one by one that are in no list yet: as many as a list holds at the most. */
export const SINGLE_REVOCATIONS_MAX = 732;

export interface RevocationOptions {
  readonly root: RootCertificate;
  /** None: what is held ends with the process. */
  readonly storage: Storage | null;
  /** Storage key without its ending, 1 to 13 characters. Default "qr". */
  readonly name?: string;
  /** Told in one line of what is damaged or cannot be stored. */
  readonly report?: (line: string) => void;
}

/** Plain data: use the functions below. */
export interface Revocations {
  readonly root: RootCertificate;
  readonly storage: Storage | null;
  readonly name: string;
  readonly report: ((line: string) => void) | null;
  list: RevocationList | null;
  /** Of the newest list that was ever held, 0: none. */
  number: number;
  /** Revoked one by one, and in no list that is held. */
  singles: Uint8Array[];
  /** A record was lost: nobody is let in until a list comes. */
  damaged: boolean;
}

const DAMAGED =
  'the stored revocations are damaged: identities are refused until a newer list is loaded (`qstp root revoke` makes one)';

function tell(r: Revocations, line: string): void {
  if (r.report !== null) r.report('revocations: ' + line);
}

/** The body of a stored value; null if there is none, 'damaged' if it cannot be read. */
function body(storage: Storage, key: string, kind: number): Uint8Array | null | 'damaged' {
  let value: Uint8Array | null;
  try {
    value = storage.get(key);
  } catch {
    return 'damaged';
  }
  if (value === null) return null;
  const found = unpackStored(kind, VERSION, value, -1);
  return found === null ? 'damaged' : found;
}

function readNumber(r: Revocations, storage: Storage): void {
  const value = body(storage, r.name + '.n', Stored.revocations);
  if (value === null) return;
  const short = value === 'damaged' || value.length < HEAD_BYTES;
  if (short || value.length !== HEAD_BYTES + SERIAL_BYTES * getU16(value, SERIAL_BYTES + 4)) {
    r.damaged = true;
    return;
  }
  // Of the root that was before: none of this one's, and overwritten.
  if (!equalAt(value, 0, r.root.serial, 0, SERIAL_BYTES)) return;
  r.number = getU32(value, SERIAL_BYTES);
  for (let at = HEAD_BYTES; at < value.length; at += SERIAL_BYTES) {
    r.singles.push(copyOf(value, at, at + SERIAL_BYTES));
  }
}

function readList(r: Revocations, storage: Storage): void {
  const value = body(storage, r.name + '.l', Stored.revocationList);
  const list = value === null || value === 'damaged' ? null : decodeRevocationList(value, r.root.suite);
  if (value !== null && list === null) {
    r.damaged = true;
  } else if (list !== null && equal(list.rootSerial, r.root.serial)) {
    r.list = list;
    // A number from before the cut would let the list that is held come again.
    if (list.number >= r.number) r.number = list.number;
    else r.damaged = true;
  } else if (r.number > 0) {
    r.damaged = true;
  }
}

/** Opens what is held of a root's revocations. Damage is reported, and in {@link Revocations.damaged}. */
export function openRevocations(options: RevocationOptions): Revocations {
  const { storage } = options;
  const r: Revocations = {
    root: options.root,
    storage,
    name: options.name ?? 'qr',
    report: options.report ?? null,
    list: null,
    number: 0,
    singles: [],
    damaged: false,
  };
  if (storage !== null) {
    readNumber(r, storage);
    readList(r, storage);
  }
  if (r.damaged) tell(r, DAMAGED);
  return r;
}

/**
 * All checks of a list that comes in but its signature (`revocationJob`): null if {@link keepRevocationList} may have
 * it. After damage the list that was held is taken again, unless only the serials beside it were lost.
 */
export function checkIncomingList(r: Revocations, list: RevocationList, now: number): Reject | null {
  const lost = r.list === null || r.list.number < r.number;
  const again = r.damaged && lost && list.number === r.number && r.number > 0;
  return checkRevocationList(list, r.root, again ? r.number - 1 : r.number, now);
}

function store(r: Revocations, key: string, kind: number, value: Uint8Array): boolean {
  if (r.storage === null) return true;
  try {
    r.storage.set(r.name + key, packStored(kind, VERSION, value));
    return true;
  } catch {
    tell(r, 'they cannot be stored: repair the storage');
    return false;
  }
}

function storeNumber(r: Revocations, number: number, singles: readonly Uint8Array[]): boolean {
  const value = new Uint8Array(HEAD_BYTES + SERIAL_BYTES * singles.length);
  value.set(r.root.serial);
  putU32(value, SERIAL_BYTES, number);
  putU16(value, SERIAL_BYTES + 4, singles.length);
  for (let i = 0; i < singles.length; i++) value.set(singles[i]!, HEAD_BYTES + SERIAL_BYTES * i);
  return store(r, '.n', Stored.revocations, value);
}

/**
 * Takes a list that was checked and whose signature verified; `mine`: serials whose fate must be known even if the
 * list is damaged later. False if it could not be stored: it counts from now on, but not after a restart.
 */
export function keepRevocationList(
  r: Revocations,
  list: RevocationList,
  mine: readonly Uint8Array[] = [],
): boolean {
  // The bytes may lie in a buffer that is used again.
  const kept = decodeRevocationList(copyOf(list.bytes), r.root.suite)!;
  const singles: Uint8Array[] = [];
  for (let i = 0; i < r.singles.length; i++) {
    if (!isRevoked(kept, r.singles[i]!) || holds(mine, r.singles[i]!)) singles.push(r.singles[i]!);
  }
  for (let i = 0; i < mine.length; i++) {
    if (isRevoked(kept, mine[i]!) && !holds(singles, mine[i]!)) singles.push(copyOf(mine[i]!));
  }
  const stored = store(r, '.l', Stored.revocationList, kept.bytes) && storeNumber(r, kept.number, singles);
  r.list = kept;
  r.number = kept.number;
  r.singles = singles;
  r.damaged = false;
  return stored;
}

function holds(serials: readonly Uint8Array[], serial: Uint8Array): boolean {
  for (let i = 0; i < serials.length; i++) if (equal(serials[i]!, serial)) return true;
  return false;
}

/**
 * Takes a single revocation whose signature verified (`revocationOfJob`): `full` if there are too many that are in no
 * list, `unstored` if it counts until a restart only.
 */
export function keepRevocation(
  r: Revocations,
  serial: Uint8Array,
): 'revoked' | 'already' | 'full' | 'unstored' {
  if (isRevokedHere(r, serial)) return 'already';
  if (r.singles.length >= SINGLE_REVOCATIONS_MAX) return 'full';
  r.singles.push(copyOf(serial));
  return storeNumber(r, r.number, r.singles) ? 'revoked' : 'unstored';
}

/** True if the list or a single revocation has this serial. */
export function isRevokedHere(r: Revocations, serial: Uint8Array): boolean {
  return isRevoked(r.list, serial) || holds(r.singles, serial);
}

/**
 * Whether a certificate of this serial may be let in, as far as revocation goes. Null if so. `required`: a list must be
 * held, and not be stale; what a list or a single revocation says counts in any case.
 */
export function checkIdentity(
  r: Revocations,
  serial: Uint8Array,
  required: boolean,
  now: number,
): Reject | null {
  if (isRevokedHere(r, serial)) return revoked('client');
  if (r.damaged) return reject('revocation_damaged', ErrorCode.keychainFail, DAMAGED, true);
  if (!required) return null;
  const state = revocationListState(r.list, now);
  if (state === 'missing') {
    return reject(
      'revocation_missing',
      ErrorCode.keychainFail,
      'no revocation list is held, and one is required: load the one of `qstp root revoke`',
      true,
    );
  }
  if (state === 'stale') {
    return reject(
      'revocation_stale',
      ErrorCode.keyExpired,
      'the revocation list is past its next update: issue and load a new one with `qstp root revoke`',
      true,
    );
  }
  return null;
}

/** Bytes that the two records take at the most. */
export const REVOCATIONS_BYTES_MAX: number =
  FRAGMENTED_MAX + HEAD_BYTES + SERIAL_BYTES * SINGLE_REVOCATIONS_MAX + 12;
