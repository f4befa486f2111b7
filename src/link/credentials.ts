// Which handshake a client does next (X4): a resumption with a ticket, with its provisioned credential, or a
// full one. A refusal is unauthenticated, so it invalidates nothing: each ticket is tried again with a fresh
// nonce, then the others, then a full handshake, which comes at most once per `fullHandshakeMinMs`.

import { WITH_FULL_HANDSHAKE, WITH_PROVISIONED } from '../features.ts';
import { ErrorCode } from '../error.ts';
import type { Reject } from '../error.ts';
import { wipe } from '../bytes.ts';
import type { Session } from '../session/session.ts';
import { nextTicket } from './client.ts';
import type { ClientSide } from './client.ts';
import { walletFlush, walletRemove } from './wallet.ts';
import type { Ticket } from './wallet.ts';

export interface Credentials {
  /** Failures of tickets since the last connection that worked, or full handshake that did not. */
  refusals: number;
  /** The same of the provisioned credential. */
  provisionedRefusals: number;
  /** When the last full handshake began, ms of the link's timer; null: never. */
  fullAt: number | null;
  /** What the attempt under way uses; null for a full handshake. */
  ticket: Ticket | null;
}

/** Tries of one ticket before the next. */
const TRIES = 2;

export function createCredentials(): Credentials {
  return { refusals: 0, provisionedRefusals: 0, fullAt: null, ticket: null };
}

/** What to do next: resume with `ticket`, or (null) a full handshake after `waitMs`. */
export function nextHandshake(
  c: Credentials,
  side: ClientSide,
  now: number,
  ms: number,
  fullHandshakeMinMs: number,
): { readonly ticket: Ticket | null; readonly waitMs: number } {
  const ticket = nextTicket(side, now, (c.refusals / TRIES) | 0);
  if (ticket !== null) return { ticket, waitMs: 0 };
  const { credential } = side;
  if (
    WITH_PROVISIONED &&
    credential !== undefined &&
    side.extensions !== 'never' &&
    c.provisionedRefusals < TRIES
  ) {
    return { ticket: credential, waitMs: 0 };
  }
  // Without the full handshake the credential is all there is, whoever refused it.
  if (!WITH_FULL_HANDSHAKE) return { ticket: credential ?? null, waitMs: 0 };
  if (c.fullAt === null || fullHandshakeMinMs === 0) return { ticket, waitMs: 0 };
  const left = (c.fullAt + fullHandshakeMinMs - ms) | 0;
  return { ticket, waitMs: left > 0 && left <= fullHandshakeMinMs ? left : 0 };
}

/** The attempt chosen begins. */
export function handshakeBegins(c: Credentials, ticket: Ticket | null, ms: number): void {
  c.ticket = ticket;
  if (ticket === null) c.fullAt = ms;
}

export function handshakeWorked(c: Credentials): void {
  c.refusals = 0;
  c.provisionedRefusals = 0;
  c.ticket = null;
}

/** The server has no room now: a full handshake would only be one more burden to it. */
export function isBusy(why: Reject): boolean {
  const { code } = why;
  const full = code === ErrorCode.hostsExceeded || code === ErrorCode.memoryAllocation;
  return why.reason === 'peer_error' && (full || code === ErrorCode.acceptFail);
}

/** The attempt failed. True if another handshake may work where this one did not: try it soon. */
export function handshakeFailed(c: Credentials, side: ClientSide, session: Session): boolean {
  const { ticket } = c;
  const why = session.closed;
  c.ticket = null;
  if (ticket === null || why === null) {
    // What refused the tickets may be gone by the next attempt.
    c.refusals = 0;
    c.provisionedRefusals = 0;
    return false;
  }
  // A provisioned credential is never used up: it stays, whatever a server says of it.
  if (why.code === ErrorCode.ticketUsed && why.authenticated && ticket !== side.credential) {
    const wallet = side.wallet ?? null;
    if (wallet !== null) {
      walletRemove(wallet, ticket.id);
      walletFlush(wallet);
    } else {
      wipe(ticket.secret);
    }
    return true;
  }
  // A server of strict 1.4 refuses R1 for its length, others may just hang up; nobody vouches for any of it, and
  // what never works must not be tried for ever.
  if (isBusy(why) || (why.authenticated && why.code !== ErrorCode.ticketUsed)) return false;
  if (ticket === side.credential) c.provisionedRefusals++;
  else c.refusals++;
  return why.reason === 'peer_error' && why.code === ErrorCode.keyUnrecognized;
}
