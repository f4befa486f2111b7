// Which certificates a client uses (X8): the pair it is on, the one that follows when the time comes, the one before
// where that fails.

import type { Reject } from '../error.ts';
import { revoked } from '../cert/revocation.ts';
import type { RootCertificate, ServerCertificate } from '../cert/certificate.ts';
import { isRevokedHere } from './revocation-store.ts';
import { DAMAGED, ensureHead, isRetired, rootOf, slotOf, tell, writeHead } from './trust-store.ts';
import type { TrustStore } from './trust-store.ts';

export interface TrustedPair {
  readonly root: RootCertificate;
  readonly server: ServerCertificate;
}

/** True if this slot holds a certificate that is not revoked, of a root that is held. */
export function isUsable(t: TrustStore, slot: number): boolean {
  const server = t.servers[slot]!;
  if (server === null) return false;
  const root = rootOf(t, server.rootSerial);
  return root >= 0 && !isRevokedHere(t.roots[root]!.revocations, server.serial);
}

/** True if the slot that is not in use holds what is to follow. */
export function follows(t: TrustStore): boolean {
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
  return ensureHead(t) && writeHead(t);
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
  if (!ensureHead(t)) return false;
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

/**
 * A full handshake with this pair failed for what may lie with its certificates (the server does not know the serial, a
 * signature or a period is wrong): the other pair is tried next, if it has not ended.
 */
export function trustFailed(t: TrustStore, pair: TrustedPair): void {
  t.avoid = slotOf(t, pair.server.serial);
}
