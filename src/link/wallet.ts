// The tickets a client holds for one server (X4), in memory and, where there is a storage, in one record of it:
//
//   serial of the server's certificate[16] | count u8 | tickets
//   ticket: id[16] | secret[32] | expiry u64 | forward secrecy since u64 | resumptions u16
//
// A removal is written along with the next ticket, or by walletFlush: one that a power cut brings back has been
// consumed at the server, is refused there and costs a round trip. A record that is damaged is an empty wallet,
// and reported: the next connection takes a full handshake.

import { QstpError } from '../error.ts';
import { copy, equal, equalAt, getTime, getU16, putTime, putU16, toHex, wipe } from '../bytes.ts';
import { SERIAL_BYTES } from '../params.ts';
import { packStored, Stored, unpackStored } from '../session/stored.ts';
import type { Storage } from '../platform.ts';

export const TICKET_ID_BYTES = 16;
export const RESUME_SECRET_BYTES = 32;
/** Live tickets of a chain, unless the profile says otherwise. */
export const WALLET_MAX = 3;

const TICKET_BYTES = TICKET_ID_BYTES + RESUME_SECRET_BYTES + 18;
const HEAD_BYTES = SERIAL_BYTES + 1;
const VERSION = 1;

export interface Ticket {
  readonly id: Uint8Array;
  /** resumeSecret, 32 bytes. */
  readonly secret: Uint8Array;
  /** Seconds since 1970; 0 if no time of day was known when it came. */
  readonly expiry: number;
  /** Last full handshake or KEM rekey of its chain, seconds since 1970; 0: none. */
  readonly since: number;
  /** Resumptions in a row that led to it. */
  readonly resumptions: number;
  /** The client's nonce for each use; absent: 32 random bytes. A provisioned credential counts. */
  nonce?(): Uint8Array;
}

export interface WalletOptions {
  /** Serial of the server's certificate. */
  readonly serial: Uint8Array;
  readonly storage?: Storage | null;
  /** Tickets kept, 1 to 255. Default 3. */
  readonly max?: number;
  /** Told in one line of a record that is damaged, and of a storage that fails. */
  readonly report?: (line: string) => void;
  /**
   * Calls back when what is under way is done: tickets are written then, those that came together at once, and
   * on a stack that is short again. Default: each is written when it comes.
   */
  readonly defer?: (act: () => void) => void;
}

/** Plain data: use the functions below. */
export interface Wallet {
  readonly serial: Uint8Array;
  readonly storage: Storage | null;
  readonly key: string;
  readonly max: number;
  readonly report: ((line: string) => void) | null;
  readonly defer: ((act: () => void) => void) | null;
  /** The one that expiry first comes first. */
  readonly tickets: Ticket[];
  /** Differs from what is stored. */
  changed: boolean;
}

/** The storage key of a server's wallet. */
export function walletKey(serial: Uint8Array): string {
  return 'qt.' + toHex(serial).slice(0, 12);
}

function tell(w: Wallet, line: string): void {
  if (w.report !== null) w.report('tickets: ' + line);
}

function forget(ticket: Ticket): void {
  wipe(ticket.secret);
}

function insert(w: Wallet, ticket: Ticket): void {
  let at = w.tickets.length;
  w.tickets.push(ticket);
  for (; at > 0 && w.tickets[at - 1]!.expiry > ticket.expiry; at--) w.tickets[at] = w.tickets[at - 1]!;
  w.tickets[at] = ticket;
}

function read(w: Wallet): void {
  if (w.storage === null) return;
  let value: Uint8Array | null = null;
  try {
    value = w.storage.get(w.key);
  } catch {
    tell(w, 'the storage cannot be read: they are lost');
  }
  if (value === null) return;
  const body = unpackStored(Stored.wallet, VERSION, value, -1);
  wipe(value);
  const count = body === null || body.length < HEAD_BYTES ? -1 : body[SERIAL_BYTES]!;
  if (body === null || body.length !== HEAD_BYTES + count * TICKET_BYTES) {
    tell(w, 'the record is damaged: they are lost');
    return;
  }
  // Another server whose serial begins alike: its tickets are not ours, and are overwritten.
  if (!equalAt(body, 0, w.serial, 0, SERIAL_BYTES)) return;
  for (let i = 0; i < count && i < w.max; i++) {
    const at = HEAD_BYTES + i * TICKET_BYTES;
    const id = new Uint8Array(TICKET_ID_BYTES);
    const secret = new Uint8Array(RESUME_SECRET_BYTES);
    copy(id, 0, body, at, TICKET_ID_BYTES);
    copy(secret, 0, body, at + 16, RESUME_SECRET_BYTES);
    const [expiry, since] = [getTime(body, at + 48), getTime(body, at + 56)];
    insert(w, { id, secret, expiry, since, resumptions: getU16(body, at + 64) });
  }
  wipe(body);
}

/** Opens the wallet of a server. */
export function openWallet(options: WalletOptions): Wallet {
  if (options.serial.length !== SERIAL_BYTES) throw new QstpError('invalid_input', 'a serial has 16 bytes');
  const w: Wallet = {
    serial: options.serial,
    storage: options.storage ?? null,
    key: walletKey(options.serial),
    max: options.max ?? WALLET_MAX,
    report: options.report ?? null,
    defer: options.defer ?? null,
    tickets: [],
    changed: false,
  };
  read(w);
  return w;
}

/** Writes what has changed. What cannot be written is reported, and stays in memory. */
export function walletFlush(w: Wallet): void {
  if (!w.changed || w.storage === null) return;
  w.changed = false;
  const count = w.tickets.length;
  const body = new Uint8Array(HEAD_BYTES + count * TICKET_BYTES);
  copy(body, 0, w.serial, 0, SERIAL_BYTES);
  body[SERIAL_BYTES] = count;
  for (let i = 0; i < count; i++) {
    const ticket = w.tickets[i]!;
    const at = HEAD_BYTES + i * TICKET_BYTES;
    copy(body, at, ticket.id, 0, TICKET_ID_BYTES);
    copy(body, at + 16, ticket.secret, 0, RESUME_SECRET_BYTES);
    putTime(body, at + 48, ticket.expiry);
    putTime(body, at + 56, ticket.since);
    putU16(body, at + 64, ticket.resumptions);
  }
  const value = packStored(Stored.wallet, VERSION, body);
  wipe(body);
  try {
    if (count === 0) w.storage.remove(w.key);
    else w.storage.set(w.key, value);
  } catch {
    w.changed = true;
    tell(w, 'they could not be stored: a restart may take a full handshake');
  }
  wipe(value);
}

/** Takes over a ticket, whose arrays are the wallet's from now on; the first to expire makes room. Writes. */
export function walletAdd(w: Wallet, ticket: Ticket): void {
  walletRemove(w, ticket.id);
  while (w.tickets.length >= w.max) forget(w.tickets.shift()!);
  insert(w, ticket);
  w.changed = true;
  if (w.defer === null) walletFlush(w);
  else w.defer(() => walletFlush(w));
}

/** Removes those that have expired by `earliest`: the time, or the clock's floor where it is not known. */
export function walletExpire(w: Wallet, earliest: number): void {
  for (let i = w.tickets.length - 1; i >= 0; i--) {
    const ticket = w.tickets[i]!;
    if (ticket.expiry === 0 || ticket.expiry > earliest) continue;
    w.tickets.splice(i, 1);
    forget(ticket);
    w.changed = true;
  }
}

/**
 * The ticket to try next: the first to expire that is not among the `skip` first usable ones; null if there is
 * none. `earliest` as for {@link walletExpire}.
 */
export function walletNext(w: Wallet, earliest: number, skip = 0): Ticket | null {
  walletExpire(w, earliest);
  return w.tickets[skip] ?? null;
}

/** Removes a ticket and wipes its secret; not there is as good. Written with the next change or flush. */
export function walletRemove(w: Wallet, id: Uint8Array): void {
  for (let i = 0; i < w.tickets.length; i++) {
    const ticket = w.tickets[i]!;
    if (!equal(ticket.id, id)) continue;
    w.tickets.splice(i, 1);
    forget(ticket);
    w.changed = true;
    return;
  }
}

/**
 * Takes the ticket to try next out, so that no other of several connections tries it: the caller wipes it when it
 * is used, or puts it back. `earliest` as for {@link walletExpire}. Writes.
 */
export function walletTake(w: Wallet, earliest: number): Ticket | null {
  const ticket = walletNext(w, earliest);
  if (ticket !== null) {
    w.tickets.shift();
    w.changed = true;
  }
  walletFlush(w);
  return ticket;
}

/** Puts back a ticket that was not used, if there is room: newer ones are worth more. Writes. */
export function walletPutBack(w: Wallet, ticket: Ticket): void {
  if (w.tickets.length >= w.max) forget(ticket);
  else walletAdd(w, ticket);
}

/** Removes all, as after a KEM rekey or a revocation. Writes. */
export function walletClear(w: Wallet): void {
  while (w.tickets.length > 0) forget(w.tickets.pop()!);
  w.changed = true;
  walletFlush(w);
}
