// Deep sleep: what a device keeps, in memory that survives it, to go on by resumption (X4) when it wakes. At most
// 256 bytes, sealed with a key of the device's own. A ticket serves one wake-up: a server takes each once only,
// so bytes that are kept and used twice find their first ticket gone.
//
//   version 1 | nonce[12] | AES-256-GCM(time u64 | count u8 | tickets) | tag[16]
//   ticket: id[16] | secret[32] | expiry u64 | since u64 | resumptions u16

import { QstpError } from '../error.ts';
import { copy, copyOf, getTime, getU16, putTime, putU16, wipe } from '../bytes.ts';
import {
  AES_GCM_NONCE_BYTES,
  AES_GCM_TAG_BYTES,
  AES_GCM_WORDS,
  aesGcmInit,
  aesGcmOpen,
  aesGcmSeal,
} from '../crypto/micro/aes-gcm.ts';
import type { Random } from '../crypto/provider.ts';
import { TICKETS_MAX } from '../params.ts';
import { walletAdd, walletClear, walletExpire } from './wallet.ts';
import type { Ticket, Wallet } from './wallet.ts';

const VERSION = 1;
const HEAD_BYTES = 1 + AES_GCM_NONCE_BYTES;
const PLAIN_HEAD_BYTES = 9;
const TICKET_BYTES = 66;
/** Bytes that {@link sleepBytes} yields at the most. */
export const SLEEP_BYTES_MAX = HEAD_BYTES + PLAIN_HEAD_BYTES + TICKETS_MAX * TICKET_BYTES + AES_GCM_TAG_BYTES;
export const SLEEP_KEY_BYTES = 32;

function gcmOf(key: Uint8Array): Int32Array {
  if (key.length !== SLEEP_KEY_BYTES) {
    throw new QstpError('invalid_input', `a device key has ${SLEEP_KEY_BYTES} bytes, not ${key.length}`);
  }
  const g = new Int32Array(AES_GCM_WORDS);
  aesGcmInit(g, key);
  return g;
}

/**
 * The bytes to keep: up to three tickets, which leave the wallet, and the latest time known, seconds since 1970
 * or 0. Throws `nothing_to_keep` if the wallet has no ticket: stay awake until the server has sent one.
 */
export function sleepBytes(wallet: Wallet, key: Uint8Array, random: Random, time: number): Uint8Array {
  const g = gcmOf(key);
  walletExpire(wallet, time);
  const count = wallet.tickets.length < TICKETS_MAX ? wallet.tickets.length : TICKETS_MAX;
  if (count === 0) {
    throw new QstpError('nothing_to_keep', 'there is no ticket to wake up with: connect, and wait for one');
  }
  const length = PLAIN_HEAD_BYTES + count * TICKET_BYTES;
  const out = new Uint8Array(HEAD_BYTES + length + AES_GCM_TAG_BYTES);
  const nonce = new Uint8Array(AES_GCM_NONCE_BYTES);
  random(nonce);
  out[0] = VERSION;
  copy(out, 1, nonce, 0, nonce.length);
  putTime(out, HEAD_BYTES, time);
  out[HEAD_BYTES + 8] = count;
  for (let i = 0; i < count; i++) {
    const ticket = wallet.tickets[i]!;
    const at = HEAD_BYTES + PLAIN_HEAD_BYTES + i * TICKET_BYTES;
    copy(out, at, ticket.id, 0, 16);
    copy(out, at + 16, ticket.secret, 0, 32);
    putTime(out, at + 48, ticket.expiry);
    putTime(out, at + 56, ticket.since);
    putU16(out, at + 64, ticket.resumptions);
  }
  aesGcmSeal(g, nonce, out, 1, out, HEAD_BYTES, length);
  wipe(g);
  walletClear(wallet);
  return out;
}

/**
 * Puts the tickets of kept bytes into the wallet. Returns the time they were kept at, or null if they are not
 * this device's, were altered, or are no such bytes: then a full handshake is due.
 */
export function wakeWith(wallet: Wallet, bytes: Uint8Array, key: Uint8Array): number | null {
  const length = bytes.length - HEAD_BYTES - AES_GCM_TAG_BYTES;
  const g = gcmOf(key);
  const count = (length - PLAIN_HEAD_BYTES) / TICKET_BYTES;
  if (bytes[0] !== VERSION || !(count >= 1 && count <= TICKETS_MAX) || count % 1 !== 0) return null;
  // The slice of a Node Buffer is no copy.
  const plain = new Uint8Array(bytes.length);
  copy(plain, 0, bytes, 0, bytes.length);
  const good = aesGcmOpen(
    g,
    copyOf(plain, 1, HEAD_BYTES),
    plain,
    1,
    plain,
    HEAD_BYTES,
    length,
    new Uint8Array(AES_GCM_TAG_BYTES),
  );
  wipe(g);
  if (!good || plain[HEAD_BYTES + 8] !== count) return null;
  for (let i = 0; i < count; i++) {
    const at = HEAD_BYTES + PLAIN_HEAD_BYTES + i * TICKET_BYTES;
    const ticket: Ticket = {
      id: copyOf(plain, at, at + 16),
      secret: copyOf(plain, at + 16, at + 48),
      expiry: getTime(plain, at + 48),
      since: getTime(plain, at + 56),
      resumptions: getU16(plain, at + 64),
    };
    walletAdd(wallet, ticket);
  }
  const time = getTime(plain, HEAD_BYTES);
  wipe(plain);
  return time;
}
