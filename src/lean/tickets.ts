// The tickets a device holds for its server (X4), in the order they came, and in one record of its flash: that of
// src/link/wallet.ts. One is the bytes it has there:
//
//   id[16] | secret[32] | expiry u64 | forward secrecy since u64 | resumptions u16

import { copyOf, equalAt, getTime, part, toHex } from '../bytes.ts';
import { readStored, WALLET_KIND, writeStored } from './stored.ts';
import type { Files, Tickets } from './types.ts';

const TICKETS_MAX = 3;
const TICKET_BYTES = 66;
const EXPIRY = 48;

/** The tickets of a server. A record that is damaged holds none. */
export function openTickets(files: Files, serial: Uint8Array): Tickets {
  const tickets: Tickets = { files, serial, name: 'qt.' + toHex(part(serial, 0, 6)), list: [] };
  let body: Uint8Array;
  try {
    body = readStored(files, tickets.name, WALLET_KIND, 0);
  } catch (_) {
    return tickets;
  }
  if (equalAt(body, 0, serial, 0, 16)) {
    for (let at = 17; at + TICKET_BYTES <= body.length; at += TICKET_BYTES) {
      tickets.list.push(copyOf(body, at, at + TICKET_BYTES));
    }
  }
  return tickets;
}

/** Keeps a ticket; the oldest makes room. */
export function addTicket(tickets: Tickets, ticket: Uint8Array): void {
  const { list } = tickets;
  while (list.length >= TICKETS_MAX) list.shift();
  list.push(ticket);
  const body = new Uint8Array(17 + TICKET_BYTES * list.length);
  body.set(tickets.serial);
  body[16] = list.length;
  for (let i = 0; i < list.length; i++) body.set(list[i]!, 17 + TICKET_BYTES * i);
  // What flash does not keep is there until the next start.
  writeStored(tickets.files, tickets.name, WALLET_KIND, body);
}

/** The ticket to try after `skip` others; null if there is none. `now`: seconds since 1970, as far as is known. */
export function nextTicket(tickets: Tickets, now: number, skip: number): Uint8Array | null {
  tickets.list = tickets.list.filter((ticket) => getTime(ticket, EXPIRY) > now);
  const ticket = tickets.list[skip];
  return ticket === undefined ? null : ticket;
}

/** Forgets a ticket, in flash with the next one that comes. */
export function removeTicket(tickets: Tickets, ticket: Uint8Array): void {
  tickets.list = tickets.list.filter((other) => other !== ticket);
}
