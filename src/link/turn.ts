// How one of several connections that share a wallet gets connected (X4). A ticket serves one connection, so
// each takes its ticket out of the wallet. A refused ticket is tried once more, then others of its chain, then
// a full handshake, all in one turn; what was not used goes back. A link that is alone has credentials.ts.

import { WITH_REVOCATION, WITH_SUCCESSION } from '../features.ts';
import { ErrorCode, isOrderly } from '../error.ts';
import type { Reject } from '../error.ts';
import { wipe } from '../bytes.ts';
import { TICKETS_MAX } from '../params.ts';
import { isBusy } from './credentials.ts';
import { checkClient, earliestTime } from './client.ts';
import type { ClientSide } from './client.ts';
import { blamesCertificates } from './trust.ts';
import { trustConfirmed, trustFailed, trustPair } from './trust-pair.ts';
import type { TrustedPair } from './trust-pair.ts';
import { walletClear, walletPutBack, walletTake } from './wallet.ts';
import type { Ticket, Wallet } from './wallet.ts';

/** Plain data: use the functions below. */
export interface Turn {
  readonly side: ClientSide;
  readonly wallet: Wallet | null;
  /** What the attempt under way uses; null for a full handshake. */
  ticket: Ticket | null;
  /** Tickets that failed, though nothing proves them bad. */
  readonly held: Ticket[];
  /** Tickets taken so far. */
  taken: number;
  /** Tries of `ticket`. */
  tries: number;
  /** The last attempt was a resumption. */
  resumed: boolean;
  /** The certificates of the attempt under way. */
  pair: TrustedPair;
}

/** Tries of one ticket before the next. */
const TRIES = 2;

/** Throws `invalid_input` for a poll period that cannot be. */
export function createTurn(side: ClientSide): Turn {
  checkClient(side);
  const wallet = side.extensions === 'never' ? null : (side.wallet ?? null);
  return { side, wallet, ticket: null, held: [], taken: 0, tries: 0, resumed: false, pair: side };
}

/** What the next attempt resumes with; null: a full handshake. */
export function turnTicket(turn: Turn, now: number): Ticket | null {
  if (turn.ticket === null && turn.wallet !== null && turn.taken < TICKETS_MAX) {
    turn.ticket = walletTake(turn.wallet, earliestTime(turn.side, now));
    turn.taken = turn.ticket === null ? TICKETS_MAX : turn.taken + 1;
    turn.tries = 0;
  }
  turn.tries++;
  turn.resumed = turn.ticket !== null;
  return turn.ticket;
}

/** The certificates of the next attempt, or why there are none. */
export function turnPair(turn: Turn, now: number): TrustedPair | Reject {
  const { side } = turn;
  if (!(WITH_REVOCATION || WITH_SUCCESSION) || side.trust === undefined) return side;
  const pair = trustPair(side.trust, earliestTime(side, now));
  if (!('reason' in pair)) turn.pair = pair;
  return pair;
}

/** The attempt led to a connection: its ticket is used up. */
export function turnWorked(turn: Turn): void {
  const full = turn.ticket === null;
  const { trust } = turn.side;
  if ((WITH_REVOCATION || WITH_SUCCESSION) && full && trust !== undefined) trustConfirmed(trust, turn.pair);
  dropTicket(turn);
  // The server, which has just proved who it is, does not know them: nor the others of their time.
  if (full && turn.held.length > 0) walletClear(turn.wallet!);
  while (turn.held.length > 0) wipe(turn.held.pop()!.secret);
}

/**
 * The attempt failed, or the connection ended before it was of use. True: try again at once. Otherwise, and
 * where the caller does not want to go on, the turn is over.
 */
export function turnFailed(turn: Turn, why: Reject, goOn = true): boolean {
  const again = goOn && judge(turn, why);
  if (!again) over(turn);
  return again;
}

function judge(turn: Turn, why: Reject): boolean {
  const { ticket } = turn;
  const { trust } = turn.side;
  if (WITH_SUCCESSION && ticket === null && trust !== undefined && blamesCertificates(why)) {
    trustFailed(trust, turn.pair);
  }
  if (why.authenticated && why.code === ErrorCode.ticketUsed) {
    dropTicket(turn);
    return turn.resumed;
  }
  if (ticket === null || why.authenticated || isOrderly(why)) return false;
  if (why.reason === 'connect_failed' || isBusy(why)) return false;
  if (why.reason === 'handshake_timeout') {
    // Enough time is lost; should it be the ticket's fault, another turn does without it.
    dropTicket(turn);
    return false;
  }
  const refused = why.reason === 'peer_error' && why.code === ErrorCode.keyUnrecognized;
  if (refused && turn.tries < TRIES) return true;
  turn.held.push(ticket);
  turn.ticket = null;
  // Whatever else it is that the server does with R1, it does so with every ticket.
  if (!refused) turn.taken = TICKETS_MAX;
  return true;
}

function dropTicket(turn: Turn): void {
  if (turn.ticket !== null) wipe(turn.ticket.secret);
  turn.ticket = null;
}

function over(turn: Turn): void {
  if (turn.ticket !== null) walletPutBack(turn.wallet!, turn.ticket);
  turn.ticket = null;
  while (turn.held.length > 0) walletPutBack(turn.wallet!, turn.held.pop()!);
  turn.taken = TICKETS_MAX;
}
