// What a server sends of trust (X7, X8): successors, new roots, revocation lists. Each is checked, its signatures are
// verified by the caller, and then it is kept.

import { ErrorCode, reject } from '../error.ts';
import type { Reject } from '../error.ts';
import { copyOf, equal, putU32 } from '../bytes.ts';
import type { Job } from '../crypto/job.ts';
import { decodeCertificate } from '../cert/certificate.ts';
import type { ChildCertificate, RootCertificate, ServerCertificate } from '../cert/certificate.ts';
import { revocationJob } from '../cert/revocation.ts';
import type { RevocationList } from '../cert/revocation.ts';
import { checkSuccession, checkSuccessor, successionJob } from '../cert/succession.ts';
import type { Succession } from '../cert/succession.ts';
import { signatureJob } from '../cert/verify.ts';
import type { Holdings } from '../wire/edge.ts';
import { Stored } from '../session/stored.ts';
import { checkIncomingList, isRevokedHere, keepRevocationList } from './revocation-store.ts';
import { follows, isUsable } from './trust-pair.ts';
import type { TrustedPair } from './trust-pair.ts';
import { DAMAGED, ensureHead, isRetired, rootOf, rootSlot, slotOf, writeRecord } from './trust-store.ts';
import type { TrustStore } from './trust-store.ts';

/** What a check says: refused, or good if all jobs are. */
export interface TrustCheck {
  readonly refused: Reject | null;
  readonly jobs: readonly Job[];
}

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
  if (t.damaged || !ensureHead(t)) return false;
  const slot = 1 - t.current;
  const bytes = copyOf(next.bytes);
  if (!writeRecord(t, '.s' + slot, Stored.trustServer, bytes)) return false;
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
  if (t.damaged || !ensureHead(t)) return false;
  const slot = 1 - reigning(t);
  const body = new Uint8Array(4 + statement.certificate.bytes.length);
  putU32(body, 0, statement.number);
  body.set(statement.certificate.bytes, 4);
  if (!writeRecord(t, '.r' + slot, Stored.trustRoot, body)) return false;
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
