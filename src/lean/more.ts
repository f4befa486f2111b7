// What a device connects with that can do more than resume by its credential: a ticket, else the credential, else a full
// handshake (full.ts), where there is one.

import { getTime, getU16, getU32, part, putTime, putU16 } from '../bytes.ts';
import { ErrorCode } from '../error.ts';
import { WITH_FULL_HANDSHAKE } from '../features.ts';
import { readAnchor } from './anchor.ts';
import { lab } from './hash.ts';
import { SEALED } from './packets.ts';
import { addTicket, nextTicket, openTickets, removeTicket } from './tickets.ts';
import type { Credential, Device, More } from './types.ts';

/** Bit of `Feature`. */
export const RESUMPTION = 2;
const FRESHNESS = 4;
const TICKET = 2;
const TICKET_BYTES = 53;
const SINCE = 56;
const RESUMPTIONS = 64;
/** Tries of a ticket, or of the credential, before what comes next. */
const TRIES = 2;

/** `fullMinMs`: least time between two full handshakes. Throws if the device was not given its server. */
export function createMore(device: Device, fullMinMs: number): More {
  const anchor = readAnchor(device.files);
  return {
    device,
    fullMinMs,
    anchor,
    tickets: openTickets(device.files, anchor.serial),
    time: 0,
    ticket: null,
    refusals: 0,
    credentialRefusals: 0,
    using: null,
    fullAt: 0,
    transcript: null,
    fresh: null,
    freshBytes: 0,
    since: 0,
    resumptions: 0,
  };
}

function next(m: More): Uint8Array | null {
  return nextTicket(m.tickets, m.time, (m.refusals / TRIES) | 0);
}

/** How long to wait before the next attempt, ms. */
export function waitMs(m: More, now: number): number {
  if (next(m) !== null || (m.device.ownCredential !== null && m.credentialRefusals < TRIES)) return 0;
  const left = m.fullAt === 0 ? 0 : m.fullAt + m.fullMinMs - now;
  return left > 0 && left <= m.fullMinMs ? left : 0;
}

/** What to resume with now; null: a full handshake is due. */
export function chooseCredential(m: More): Credential | null {
  const ticket = next(m);
  m.ticket = ticket;
  m.using = null;
  if (ticket !== null) {
    m.using = { id: part(ticket, 0, 16), secret: part(ticket, 16, 48), counts: false };
  } else if (!WITH_FULL_HANDSHAKE || m.credentialRefusals < TRIES) m.using = m.device.ownCredential;
  return m.using;
}

/** A control message before the hello: a fragment of the freshness signature (X2). False: it has no place here. */
export function takeFragment(m: More, body: Uint8Array): boolean {
  const { fresh, freshBytes } = m;
  const total = getU16(body, 1);
  const fragment = part(body, 5);
  const good =
    fresh !== null && body[0] === FRESHNESS && total === fresh.length && getU16(body, 3) === freshBytes;
  if (!good || body.length < 6 || freshBytes + fragment.length > total) return false;
  fresh!.set(fragment, freshBytes);
  m.freshBytes += fragment.length;
  return true;
}

/** The server's hello is good, and says this time. False: its certificate is not good at this time. */
export function settle(m: More, seconds: number): boolean {
  const { anchor, ticket } = m;
  m.fresh = m.transcript = null;
  if (seconds < anchor.from || seconds > anchor.to) return false;
  m.time = Math.floor(seconds);
  m.since = m.using === null ? m.time : 0;
  m.resumptions = m.refusals = m.credentialRefusals = 0;
  if (ticket !== null) {
    m.since = getTime(ticket, SINCE);
    m.resumptions = getU16(ticket, RESUMPTIONS) + 1;
    removeTicket(m.tickets, ticket);
    m.ticket = null;
  }
  return true;
}

/** A control message of an established connection: a ticket. False: not one. `now`: ms since 1970. */
export function takeTicket(m: More, body: Uint8Array, exportSecret: Uint8Array, now: number): boolean {
  const { to } = m.anchor;
  if (body[0] !== TICKET || body.length !== TICKET_BYTES) return false;
  const id = part(body, 1, 17);
  const expiry = Math.floor(now / 1000) + getU32(body, 17);
  const got = new Uint8Array(66);
  got.set(id);
  got.set(lab(exportSecret, 'resume', [id, part(body, 21)], 32), 16);
  exportSecret.set(lab(exportSecret, 'next', [], 32));
  putTime(got, 48, expiry < to ? expiry : to);
  putTime(got, SINCE, m.since);
  putU16(got, RESUMPTIONS, m.resumptions);
  addTicket(m.tickets, got);
  return true;
}

/** The attempt failed before it was connected, with the server's code, if it sent one. True: try again at once. */
export function failed(m: More, code: number): boolean {
  const { ticket } = m;
  const wasFull = m.using === null;
  m.fresh = m.transcript = m.ticket = m.using = null;
  if (wasFull) {
    // What refused the tickets may be gone by the next attempt.
    m.refusals = m.credentialRefusals = 0;
    return false;
  }
  if (code === SEALED + ErrorCode.ticketUsed && ticket !== null) {
    removeTicket(m.tickets, ticket);
    return true;
  }
  const busy =
    code === ErrorCode.hostsExceeded || code === ErrorCode.memoryAllocation || code === ErrorCode.acceptFail;
  if (busy || code >= SEALED) return false;
  if (ticket === null) m.credentialRefusals++;
  else m.refusals++;
  // Something else is next, if there is something else.
  return (WITH_FULL_HANDSHAKE || ticket !== null) && code === ErrorCode.keyUnrecognized;
}
