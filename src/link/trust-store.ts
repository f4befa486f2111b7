// Whom a client trusts, as it goes on (X8): the server's certificate and the one that follows it, the root and the one
// that follows that, and what is held of their revocations. It begins with the pair that was provisioned, which is
// not stored; what came since is, in these records of a storage, NAME being 1 to 10 characters:
//
//   NAME.h          anchor[32] | current u8 | told u8 | number u32 | retired root's serial[16]
//   NAME.s0, .s1    a server's certificate; without a record slot 0 is the provisioned one
//   NAME.r0, .r1    number u32 | a root's certificate; likewise
//   NAME0.*, NAME1.*  revocations of the root in that slot (revocation-store.ts)
//
// Every change is one write of one record, so a cut leaves the old state or the new one. `current` names the server's
// slot in use, and its certificate names the root that reigns: signs successors, lists, the next root. What is in the
// other slots follows if it lasts longer, else it is what was before. The anchor is H of both provisioned certificates'
// hashes: another one means that the device was provisioned anew, which begins anew.

import { HASH_BYTES, SERIAL_BYTES } from '../params.ts';
import { ErrorCode, reject } from '../error.ts';
import { copyOf, equal, equalAt, getU32, isZero, putU32 } from '../bytes.ts';
import { decodeCertificate } from '../cert/certificate.ts';
import type { AnyCertificate, RootCertificate, ServerCertificate } from '../cert/certificate.ts';
import { sessionCookie } from '../cert/cookie.ts';
import { packStored, Stored, unpackStored } from '../session/stored.ts';
import { openRevocations } from './revocation-store.ts';
import type { Revocations } from './revocation-store.ts';
import type { Storage } from '../platform.ts';

const VERSION = 1;
const HEAD_BYTES = HASH_BYTES + 2 + 4 + SERIAL_BYTES;

export interface TrustOptions {
  /** The provisioned pair. */
  readonly root: RootCertificate;
  readonly server: ServerCertificate;
  /** None: what comes is forgotten with the process. */
  readonly storage: Storage | null;
  /** Begin of the storage keys, 1 to 10 characters. Default "qs". */
  readonly name?: string;
  /** `rootKeyHash` of the root that is to follow the provisioned one, 32 bytes: then no other may. */
  readonly nextRootHash?: Uint8Array | null;
  /** Largest statement a connection takes, bytes: it is put together in memory. A larger one ends it. Default 16,384. */
  readonly bytesMax?: number | undefined;
  /** Told in one line of what is damaged, cannot be stored, or changes. */
  readonly report?: (line: string) => void;
}

interface RootSlot {
  readonly certificate: RootCertificate;
  /** Of the statement that brought it; 0: provisioned. */
  readonly number: number;
  readonly revocations: Revocations;
}

/** Plain data: use the functions below, of trust-pair.ts and of trust-news.ts. */
export interface TrustStore {
  readonly storage: Storage | null;
  readonly name: string;
  readonly anchor: Uint8Array;
  /** Serial of the provisioned root. */
  readonly firstRoot: Uint8Array;
  readonly nextRootHash: Uint8Array | null;
  readonly bytesMax: number | undefined;
  readonly report: ((line: string) => void) | null;
  readonly servers: (ServerCertificate | null)[];
  readonly roots: (RootSlot | null)[];
  /** 0 or 1: the server's slot in use. */
  current: number;
  /** The one that follows is to be used now. */
  told: boolean;
  /** Of the newest root that a connection verified under. */
  number: number;
  /** Serial of the root that signs nothing any more; zeros: none. */
  retired: Uint8Array;
  /** The record of this state is stored. */
  headed: boolean;
  /** The server's slot that failed last; -1: none. */
  avoid: number;
  /** Nothing can be said for certain: no connection is made. */
  damaged: boolean;
}

export const DAMAGED = /* @__PURE__ */ reject(
  'trust_damaged',
  ErrorCode.keychainFail,
  'the stored trust is damaged: reset it (resetTrust) and provision the root and server certificate again',
);

export function tell(t: TrustStore, line: string): void {
  if (t.report !== null) t.report('trust: ' + line);
}

// ---- Reading -----------------------------------------------------------------------------------------------

/** The body of a record; null if there is none, 'damaged' if it cannot be read. */
function readRecord(t: TrustStore, key: string, kind: number, length: number): Uint8Array | null | 'damaged' {
  if (t.storage === null) return null;
  let value: Uint8Array | null;
  try {
    value = t.storage.get(t.name + key);
  } catch {
    return 'damaged';
  }
  if (value === null) return null;
  const found = unpackStored(kind, VERSION, value, length);
  return found === null ? 'damaged' : found;
}

function decoded(bytes: Uint8Array): AnyCertificate | null {
  try {
    return decodeCertificate(bytes);
  } catch {
    return null;
  }
}

function readSlots(t: TrustStore, slot: number): void {
  const server = readRecord(t, '.s' + slot, Stored.trustServer, -1);
  if (server !== null) {
    const found = server === 'damaged' ? null : decoded(server);
    t.servers[slot] = found !== null && found.kind === 'server' ? found : null;
    if (t.servers[slot] === null) tell(t, 'a stored server certificate is damaged: it is not used');
  }
  const root = readRecord(t, '.r' + slot, Stored.trustRoot, -1);
  if (root !== null) {
    const found = root === 'damaged' || root.length < 4 ? null : decoded(root.subarray(4));
    const good = found !== null && found.kind === 'root' && root !== 'damaged';
    t.roots[slot] = good ? rootSlot(t, slot, found, getU32(root, 0)) : null;
    if (!good) tell(t, 'a stored root certificate is damaged: it is not used');
  }
}

export function rootSlot(
  t: TrustStore,
  slot: number,
  certificate: RootCertificate,
  number: number,
): RootSlot {
  const { storage } = t;
  const name = t.name + slot;
  const revocations =
    t.report === null
      ? openRevocations({ root: certificate, storage, name })
      : openRevocations({ root: certificate, storage, name, report: t.report });
  return { certificate, number, revocations };
}

/** Opens a client's trust. What is damaged is reported; {@link trustPair} refuses what cannot be helped. */
export function openTrust(options: TrustOptions): TrustStore {
  const t: TrustStore = {
    storage: options.storage,
    name: options.name ?? 'qs',
    anchor: sessionCookie(options.root.hash, options.server.hash),
    firstRoot: options.root.serial,
    nextRootHash: options.nextRootHash ?? null,
    bytesMax: options.bytesMax,
    report: options.report ?? null,
    servers: [options.server, null],
    roots: [null, null],
    current: 0,
    told: false,
    number: 0,
    retired: new Uint8Array(SERIAL_BYTES),
    headed: false,
    avoid: -1,
    damaged: false,
  };
  t.roots[0] = rootSlot(t, 0, options.root, 0);
  const head = readRecord(t, '.h', Stored.trust, HEAD_BYTES);
  if (head === 'damaged') {
    t.damaged = true;
    tell(t, DAMAGED.detail);
  } else if (head !== null && equalAt(head, 0, t.anchor, 0, HASH_BYTES)) {
    t.headed = true;
    t.current = head[HASH_BYTES]! & 1;
    t.told = head[HASH_BYTES + 1] === 1;
    t.number = getU32(head, HASH_BYTES + 2);
    t.retired = copyOf(head, HASH_BYTES + 6);
    for (let slot = 0; slot < 2; slot++) readSlots(t, slot);
  }
  return t;
}

// ---- Writing -----------------------------------------------------------------------------------------------

export function writeRecord(t: TrustStore, key: string, kind: number, body: Uint8Array): boolean {
  if (t.storage === null) return true;
  try {
    t.storage.set(t.name + key, packStored(kind, VERSION, body));
    return true;
  } catch {
    tell(t, 'it cannot be stored: repair the storage');
    return false;
  }
}

export function writeHead(t: TrustStore): boolean {
  const head = new Uint8Array(HEAD_BYTES);
  head.set(t.anchor);
  head[HASH_BYTES] = t.current;
  head[HASH_BYTES + 1] = t.told ? 1 : 0;
  putU32(head, HASH_BYTES + 2, t.number);
  head.set(t.retired, HASH_BYTES + 6);
  if (!writeRecord(t, '.h', Stored.trust, head)) return false;
  t.headed = true;
  return true;
}

/** Slots count beside a head of this provisioning only: those of one before are removed first. */
export function ensureHead(t: TrustStore): boolean {
  if (t.headed || t.storage === null) return true;
  try {
    for (let slot = 0; slot < 2; slot++) {
      t.storage.remove(t.name + '.s' + slot);
      t.storage.remove(t.name + '.r' + slot);
    }
  } catch {
    tell(t, 'what was stored before cannot be removed: repair the storage');
    return false;
  }
  return writeHead(t);
}

/**
 * Removes all that is stored but the revocations, to begin anew with the provisioned pair: after damage, once that pair
 * is known to be good. Throws what the storage throws.
 */
export function resetTrust(storage: Storage, name: string = 'qs'): void {
  for (let slot = 0; slot < 2; slot++) {
    storage.remove(name + '.s' + slot);
    storage.remove(name + '.r' + slot);
  }
  storage.remove(name + '.h');
}

// ---- Looking up --------------------------------------------------------------------------------------------

/** The slot of the root with this serial, or -1; not that of a root that signs nothing any more. */
export function rootOf(t: TrustStore, serial: Uint8Array): number {
  if (isRetired(t, serial)) return -1;
  for (let slot = 0; slot < 2; slot++) {
    const root = t.roots[slot];
    if (root !== null && root !== undefined && equal(root.certificate.serial, serial)) return slot;
  }
  return -1;
}

/** True if this root signs nothing any more. */
export function isRetired(t: TrustStore, serial: Uint8Array): boolean {
  return !isZero(t.retired) && equal(t.retired, serial);
}

/** The slot of the server's certificate with this serial, or -1. */
export function slotOf(t: TrustStore, serial: Uint8Array): number {
  for (let slot = 0; slot < 2; slot++) {
    const server = t.servers[slot]!;
    if (server !== null && equal(server.serial, serial)) return slot;
  }
  return -1;
}
