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
import type { Reject } from '../error.ts';
import { copyOf, equal, equalAt, getU32, isZero, putU32 } from '../bytes.ts';
import type { Job } from '../crypto/job.ts';
import { decodeCertificate } from '../cert/certificate.ts';
import type {
  AnyCertificate,
  ChildCertificate,
  RootCertificate,
  ServerCertificate,
} from '../cert/certificate.ts';
import { sessionCookie } from '../cert/cookie.ts';
import { revocationJob, revoked } from '../cert/revocation.ts';
import type { RevocationList } from '../cert/revocation.ts';
import { checkSuccession, checkSuccessor, successionJob } from '../cert/succession.ts';
import type { Succession } from '../cert/succession.ts';
import { signatureJob } from '../cert/verify.ts';
import type { Holdings } from '../wire/edge.ts';
import { packStored, Stored, unpackStored } from '../session/stored.ts';
import { checkIncomingList, isRevokedHere, keepRevocationList, openRevocations } from './revocation-store.ts';
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
  /** Told in one line of what is damaged, cannot be stored, or changes. */
  readonly report?: (line: string) => void;
}

interface RootSlot {
  readonly certificate: RootCertificate;
  /** Of the statement that brought it; 0: provisioned. */
  readonly number: number;
  readonly revocations: Revocations;
}

/** Plain data: use the functions below. */
export interface TrustStore {
  readonly storage: Storage | null;
  readonly name: string;
  readonly anchor: Uint8Array;
  /** Serial of the provisioned root. */
  readonly firstRoot: Uint8Array;
  readonly nextRootHash: Uint8Array | null;
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

/** What a check says: refused, or good if all jobs are. */
export interface TrustCheck {
  readonly refused: Reject | null;
  readonly jobs: readonly Job[];
}

export interface TrustedPair {
  readonly root: RootCertificate;
  readonly server: ServerCertificate;
}

const DAMAGED = /* @__PURE__ */ reject(
  'trust_damaged',
  ErrorCode.keychainFail,
  'the stored trust is damaged: reset it (resetTrust) and provision the root and server certificate again',
);

function tell(t: TrustStore, line: string): void {
  if (t.report !== null) t.report('trust: ' + line);
}

// ---- Reading -----------------------------------------------------------------------------------------------

/** The body of a record; null if there is none, 'damaged' if it cannot be read. */
function read(t: TrustStore, key: string, kind: number, length: number): Uint8Array | null | 'damaged' {
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
  const server = read(t, '.s' + slot, Stored.trustServer, -1);
  if (server !== null) {
    const found = server === 'damaged' ? null : decoded(server);
    t.servers[slot] = found !== null && found.kind === 'server' ? found : null;
    if (t.servers[slot] === null) tell(t, 'a stored server certificate is damaged: it is not used');
  }
  const root = read(t, '.r' + slot, Stored.trustRoot, -1);
  if (root !== null) {
    const found = root === 'damaged' || root.length < 4 ? null : decoded(root.subarray(4));
    const good = found !== null && found.kind === 'root' && root !== 'damaged';
    t.roots[slot] = good ? rootSlot(t, slot, found, getU32(root, 0)) : null;
    if (!good) tell(t, 'a stored root certificate is damaged: it is not used');
  }
}

function rootSlot(t: TrustStore, slot: number, certificate: RootCertificate, number: number): RootSlot {
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
  const head = read(t, '.h', Stored.trust, HEAD_BYTES);
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

function write(t: TrustStore, key: string, kind: number, body: Uint8Array): boolean {
  if (t.storage === null) return true;
  try {
    t.storage.set(t.name + key, packStored(kind, VERSION, body));
    return true;
  } catch {
    tell(t, 'it cannot be stored: repair the storage');
    return false;
  }
}

function writeHead(t: TrustStore): boolean {
  const head = new Uint8Array(HEAD_BYTES);
  head.set(t.anchor);
  head[HASH_BYTES] = t.current;
  head[HASH_BYTES + 1] = t.told ? 1 : 0;
  putU32(head, HASH_BYTES + 2, t.number);
  head.set(t.retired, HASH_BYTES + 6);
  if (!write(t, '.h', Stored.trust, head)) return false;
  t.headed = true;
  return true;
}

/** Slots count beside a head of this provisioning only: those of one before are removed first. */
function begin(t: TrustStore): boolean {
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

// ---- What to use -------------------------------------------------------------------------------------------

/** The slot of the root with this serial, or -1; not that of a root that signs nothing any more. */
function rootOf(t: TrustStore, serial: Uint8Array): number {
  if (isRetired(t, serial)) return -1;
  for (let slot = 0; slot < 2; slot++) {
    const root = t.roots[slot];
    if (root !== null && root !== undefined && equal(root.certificate.serial, serial)) return slot;
  }
  return -1;
}

function isRetired(t: TrustStore, serial: Uint8Array): boolean {
  return !isZero(t.retired) && equal(t.retired, serial);
}

function isUsable(t: TrustStore, slot: number): boolean {
  const server = t.servers[slot]!;
  if (server === null) return false;
  const root = rootOf(t, server.rootSerial);
  return root >= 0 && !isRevokedHere(t.roots[root]!.revocations, server.serial);
}

/** True if the slot that is not in use holds what is to follow. */
function follows(t: TrustStore): boolean {
  const mine = t.servers[t.current]!;
  return isUsable(t, 1 - t.current) && (mine === null || t.servers[1 - t.current]!.to > mine.to);
}

/** True if a certificate is held that follows the one in use. */
export function trustFollowed(t: TrustStore): boolean {
  return !t.damaged && follows(t);
}

/** The slot to use: the current one until it ends, is revoked or told to give way; the other if it failed. */
function choose(t: TrustStore, now: number): number {
  const other = 1 - t.current;
  if (!isUsable(t, other)) return isUsable(t, t.current) ? t.current : -1;
  if (!isUsable(t, t.current)) return other;
  const preferred = follows(t) && (t.told || now > t.servers[t.current]!.to) ? other : t.current;
  const second = 1 - preferred;
  return t.avoid === preferred && now <= t.servers[second]!.to ? second : preferred;
}

/** The certificates for the next connection, or why there are none. */
export function trustPair(t: TrustStore, now: number): TrustedPair | Reject {
  if (t.damaged) return DAMAGED;
  const slot = choose(t, now);
  if (slot >= 0) {
    const server = t.servers[slot]!;
    return { root: t.roots[rootOf(t, server.rootSerial)]!.certificate, server };
  }
  const server = t.servers[t.current]!;
  const root = server === null ? -1 : rootOf(t, server.rootSerial);
  // A provisioned pair that does not fit together: the handshake says so.
  if (root < 0 && server !== null && !t.headed) return { root: t.roots[0]!.certificate, server };
  return root < 0 ? DAMAGED : revoked('server');
}

/** The certificate that follows is to be used from now on. False if there is none, or that could not be stored. */
export function switchTrust(t: TrustStore): boolean {
  if (t.damaged || !follows(t)) return false;
  t.told = true;
  return begin(t) && writeHead(t);
}

/**
 * A full handshake verified under this pair. If its certificate was not the current one it is now, and if its root was
 * not, the root before it signs nothing any more. False if a change could not be stored.
 */
export function trustConfirmed(t: TrustStore, pair: TrustedPair): boolean {
  const slot = slotOf(t, pair.server.serial);
  const root = rootOf(t, pair.server.rootSerial);
  if (slot < 0 || root < 0) return true;
  t.avoid = -1;
  const old = t.roots[1 - root]!;
  const retires = old !== null && old.number < t.roots[root]!.number && !isRetired(t, old.certificate.serial);
  if (slot === t.current && !retires) return true;
  if (!begin(t)) return false;
  if (retires) {
    t.number = t.roots[root]!.number;
    t.retired = old.certificate.serial;
    tell(t, 'a new root is in use: the one before it signs nothing any more');
  }
  if (slot !== t.current) {
    t.current = slot;
    t.told = false;
    tell(t, 'another certificate of the server is in use');
  }
  return writeHead(t);
}

function slotOf(t: TrustStore, serial: Uint8Array): number {
  for (let slot = 0; slot < 2; slot++) {
    const server = t.servers[slot]!;
    if (server !== null && equal(server.serial, serial)) return slot;
  }
  return -1;
}

/**
 * A full handshake with this pair failed for what may lie with its certificates (the server does not know the serial, a
 * signature or a period is wrong): the other pair is tried next, if it has not ended.
 */
export function trustFailed(t: TrustStore, pair: TrustedPair): void {
  t.avoid = slotOf(t, pair.server.serial);
}

// ---- What comes --------------------------------------------------------------------------------------------

function refusal(refused: Reject): TrustCheck {
  return { refused, jobs: [] };
}

function retiredRoot(): Reject {
  return reject(
    'root_retired',
    ErrorCode.keyUnrecognized,
    'a root that was followed by another signs nothing any more: sign with the root in use',
    true,
  );
}

/** Checks a certificate that is to follow the server's (type 0C). */
export function checkTrustSuccessor(t: TrustStore, next: ChildCertificate, now: number): TrustCheck {
  if (t.damaged) return refusal(DAMAGED);
  if (isRetired(t, next.rootSerial)) return refusal(retiredRoot());
  if (slotOf(t, next.serial) >= 0) {
    return refusal(
      reject(
        'successor_held',
        ErrorCode.invalidInput,
        'a certificate with the serial of the successor is held already',
        true,
      ),
    );
  }
  const under = rootOf(t, next.rootSerial);
  const root = t.roots[under < 0 ? reigning(t) : under]!;
  const { list, damaged } = root.revocations;
  if (damaged) {
    return refusal(
      reject(
        'revocation_damaged',
        ErrorCode.keychainFail,
        'the stored revocations are damaged: no successor is taken until a revocation list comes',
        true,
      ),
    );
  }
  // The newest that is held: one in between must not take the place of a later one.
  const pinned = t.servers[follows(t) ? 1 - t.current : t.current]!;
  if (pinned === null) return refusal(DAMAGED);
  const refused = checkSuccessor(next, pinned, root.certificate, list, now);
  if (refused !== null) return refusal(refused);
  return { refused: null, jobs: [signatureJob(next, root.certificate)] };
}

/** Stores a successor that passed {@link checkTrustSuccessor} and its jobs, beside the current one. */
export function keepSuccessor(t: TrustStore, next: ServerCertificate): boolean {
  if (t.damaged || !begin(t)) return false;
  const slot = 1 - t.current;
  const bytes = copyOf(next.bytes);
  if (!write(t, '.s' + slot, Stored.trustServer, bytes)) return false;
  t.servers[slot] = decodeCertificate(bytes) as ServerCertificate;
  return true;
}

/** What is held, for a server to send what is newer. */
export function trustHoldings(t: TrustStore, pair: TrustedPair): Holdings {
  const root = rootOf(t, pair.root.serial);
  let until = 0;
  for (let slot = 0; slot < 2; slot++) {
    const server = t.servers[slot]!;
    if (server !== null && isUsable(t, slot) && server.to > until) until = server.to;
  }
  return {
    listNumber: root < 0 ? 0 : t.roots[root]!.revocations.number,
    successionNumber: lastNumber(t),
    until,
    serial: pair.server.serial,
    rootSerial: pair.root.serial,
  };
}

/** The slot of the root that reigns. */
function reigning(t: TrustStore): number {
  const server = t.servers[t.current]!;
  const slot = server === null ? -1 : rootOf(t, server.rootSerial);
  if (slot >= 0) return slot;
  return t.roots[0] !== null && !isRetired(t, t.roots[0]!.certificate.serial) ? 0 : 1;
}

/** Checks the statement of a new root (type 0D). */
export function checkTrustRoot(t: TrustStore, statement: Succession, now: number): TrustCheck {
  if (t.damaged || t.roots[reigning(t)] === null) return refusal(DAMAGED);
  const { certificate } = t.roots[reigning(t)]!;
  const { certificate: next } = statement;
  if (isRetired(t, next.serial)) return refusal(retiredRoot());
  const expected = equal(certificate.serial, t.firstRoot) ? t.nextRootHash : null;
  const refused = checkSuccession(statement, certificate, lastNumber(t), expected, now);
  if (refused !== null) return refusal(refused);
  return { refused: null, jobs: [successionJob(statement, certificate), signatureJob(next, next)] };
}

function lastNumber(t: TrustStore): number {
  let last = t.number;
  for (let slot = 0; slot < 2; slot++) {
    const root = t.roots[slot];
    if (root !== null && root !== undefined && root.number > last) last = root.number;
  }
  return last;
}

/** Stores a new root that passed {@link checkTrustRoot} and its jobs, beside the one that reigns. */
export function keepRoot(t: TrustStore, statement: Succession): boolean {
  if (t.damaged || !begin(t)) return false;
  const slot = 1 - reigning(t);
  const body = new Uint8Array(4 + statement.certificate.bytes.length);
  putU32(body, 0, statement.number);
  body.set(statement.certificate.bytes, 4);
  if (!write(t, '.r' + slot, Stored.trustRoot, body)) return false;
  t.roots[slot] = rootSlot(t, slot, decodeCertificate(body.subarray(4)) as RootCertificate, statement.number);
  return true;
}

/** Checks a revocation list of either root (type 0A). */
export function checkTrustList(t: TrustStore, list: RevocationList, now: number): TrustCheck {
  if (t.damaged) return refusal(DAMAGED);
  if (isRetired(t, list.rootSerial)) return refusal(retiredRoot());
  const slot = rootOf(t, list.rootSerial);
  const root = t.roots[slot < 0 ? reigning(t) : slot]!;
  const refused = checkIncomingList(root.revocations, list, now);
  if (refused !== null) return refusal(refused);
  return { refused: null, jobs: [revocationJob(list, root.certificate)] };
}

/**
 * Stores a list that passed {@link checkTrustList} and its jobs. Afterwards {@link isTrustRevoked} says whether the
 * server of the connection may go on.
 */
export function keepTrustList(t: TrustStore, list: RevocationList): boolean {
  const slot = rootOf(t, list.rootSerial);
  if (t.damaged || slot < 0) return false;
  const mine: Uint8Array[] = [];
  for (let i = 0; i < 2; i++) if (t.servers[i]! !== null) mine.push(t.servers[i]!.serial);
  return keepRevocationList(t.roots[slot]!.revocations, list, mine);
}

/** True if this certificate of the server was revoked by its root, or its root signs nothing any more. */
export function isTrustRevoked(t: TrustStore, server: ServerCertificate): boolean {
  if (isRetired(t, server.rootSerial)) return true;
  const slot = rootOf(t, server.rootSerial);
  return slot >= 0 && isRevokedHere(t.roots[slot]!.revocations, server.serial);
}
