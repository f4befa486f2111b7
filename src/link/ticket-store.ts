// The server's side of X4: tickets, sealed, in a store that several gateways may share.
//
// A store sees rows: the ticket's id, its expiry, a tag of its owner, and sealed bytes. Its operations call
// back, at once or later, as a database over the network cannot answer at once, and a file or memory can. The
// one that matters is `take`: of all who take an id, on whatever gateway, one hears true, and the row is gone
// durably before that. It maps to a conditional DELETE, to the removal of a file, to an atomic check of a KV.
//
// A sealed record is nonce[12] || AES-256-GCM(record) || tag[16] with the id as associated data. The sealing
// key stays outside the store; each id has a record key of its own, KMAC256(key, id, "QSTP-EDGE-1 ticket"),
// so that the random nonces of all tickets together come under no limit. Record, 132 bytes:
//
//   version 1 | flags (bit 0: provisioned) | resumptions u16 | secret[32] | identity[16] | anchor[16]
//   | issued u64 | expiry u64 | forward secrecy since u64 | issuer[32] | identity ends u64
//
// Without an identity the last two and its serial are zeros.

import { ISSUER_BYTES, SERIAL_BYTES } from '../params.ts';
import { QstpError } from '../error.ts';
import {
  ascii,
  concat,
  copy,
  fromAscii,
  getTime,
  getU16,
  isZero,
  putTime,
  putU16,
  toHex,
  wipe,
} from '../bytes.ts';
import {
  AES_GCM_NONCE_BYTES,
  AES_GCM_TAG_BYTES,
  AES_GCM_WORDS,
  aesGcmInit,
  aesGcmOpen,
  aesGcmSeal,
} from '../crypto/micro/aes-gcm.ts';
import { kmac, RATE_256 } from '../crypto/micro/sponge.ts';
import type { Random } from '../crypto/provider.ts';
import type { ClientName } from '../session/edge.ts';
import { isProvisioned } from '../wire/edge.ts';
import { RESUME_SECRET_BYTES, TICKET_ID_BYTES } from './wallet.ts';

/** What a server knows of a ticket. Times are seconds since 1970. */
export interface TicketRecord {
  /** resumeSecret, 32 bytes. */
  readonly secret: Uint8Array;
  /** Null for a client that did not identify itself. */
  readonly identity: ClientName | null;
  /** Of a provisioned credential: the server's serial at provisioning; zeros otherwise. */
  readonly anchor: Uint8Array;
  readonly issued: number;
  readonly expiry: number;
  /** Last full handshake or KEM rekey of the chain; 0: none, as with a provisioned credential. */
  readonly since: number;
  /** Resumptions in a row that led to it. */
  readonly resumptions: number;
  /** Reusable: never taken, ended by revocation or expiry. Then bit 7 of the id's last byte is set. */
  readonly provisioned: boolean;
}

export interface TicketRow {
  readonly id: Uint8Array;
  /** Seconds since 1970. */
  readonly expiry: number;
  /** 8 bytes that rows of one identity share. */
  readonly owner: Uint8Array;
  readonly sealed: Uint8Array;
}

export interface TicketStore {
  /** Stores a row durably. False if it could not be stored; when full, the first to expire make room. */
  put(row: TicketRow, done: (stored: boolean) => void): void;
  get(id: Uint8Array, done: (row: TicketRow | null) => void): void;
  /** Removes a row: true to one caller only, and after it is durable. False if in doubt. */
  take(id: Uint8Array, done: (taken: boolean) => void): void;
  /** Removes all rows of an owner; calls back with their number. */
  removeOwner(owner: Uint8Array, done: (removed: number) => void): void;
  /** Removes rows that have expired by `now`; calls back with their number. */
  sweep(now: number, done: (removed: number) => void): void;
}

export interface Tickets {
  /** Seals and stores a ticket under `id`, 16 bytes that are random. */
  put(id: Uint8Array, record: TicketRecord, done: (stored: boolean) => void): void;
  /** The live record of an id, or null: unknown, expired, altered and unreadable ones look alike. */
  get(id: Uint8Array, now: number, done: (record: TicketRecord | null) => void): void;
  /** As {@link TicketStore.take}. Throws `invalid_input` for a provisioned credential. */
  take(id: Uint8Array, done: (taken: boolean) => void): void;
  /** Removes everything of an identity, by the serial of its certificate. */
  revoke(identity: Uint8Array, done: (removed: number) => void): void;
  sweep(now: number, done: (removed: number) => void): void;
}

export const TICKET_RECORD_BYTES = 132;
export const TICKET_SEALED_BYTES = AES_GCM_NONCE_BYTES + TICKET_RECORD_BYTES + AES_GCM_TAG_BYTES;
export const TICKET_OWNER_BYTES = 8;
/** Rows of a store unless told otherwise. */
export const TICKETS_MAX = 10000;
const VERSION = 2;

function check(good: boolean, message: string): void {
  if (!good) throw new QstpError('invalid_input', message);
}

function recordKey(key: Uint8Array, id: Uint8Array): Int32Array {
  const g = new Int32Array(AES_GCM_WORDS);
  const own = kmac(RATE_256, key, id, ascii('QSTP-EDGE-1 ticket'), 32);
  aesGcmInit(g, own);
  wipe(own);
  return g;
}

/** Seals a record: 160 bytes. */
export function sealTicket(
  key: Uint8Array,
  random: Random,
  id: Uint8Array,
  record: TicketRecord,
): Uint8Array {
  const nonce = new Uint8Array(AES_GCM_NONCE_BYTES);
  random(nonce);
  const out = new Uint8Array(TICKET_SEALED_BYTES);
  const at = AES_GCM_NONCE_BYTES;
  copy(out, 0, nonce, 0, at);
  out[at] = VERSION;
  out[at + 1] = record.provisioned ? 1 : 0;
  putU16(out, at + 2, record.resumptions);
  copy(out, at + 4, record.secret, 0, RESUME_SECRET_BYTES);
  if (record.identity !== null) putName(out, at, record.identity);
  copy(out, at + 52, record.anchor, 0, SERIAL_BYTES);
  putTime(out, at + 68, record.issued);
  putTime(out, at + 76, record.expiry);
  putTime(out, at + 84, record.since);
  const g = recordKey(key, id);
  aesGcmSeal(g, nonce, id, id.length, out, at, TICKET_RECORD_BYTES);
  wipe(g);
  return out;
}

function putName(out: Uint8Array, at: number, name: ClientName): void {
  copy(out, at + 36, name.serial, 0, SERIAL_BYTES);
  copy(out, at + 92, ascii(name.issuer, ISSUER_BYTES), 0, ISSUER_BYTES);
  putTime(out, at + 124, name.to);
}

function takeName(b: Uint8Array): ClientName | null {
  const issuer = part(b, 92, ISSUER_BYTES);
  if (isZero(issuer)) return null;
  return { serial: part(b, 36, SERIAL_BYTES), issuer: fromAscii(issuer), to: getTime(b, 124) };
}

function part(b: Uint8Array, at: number, length: number): Uint8Array {
  const out = new Uint8Array(length);
  copy(out, 0, b, at, length);
  return out;
}

/** Opens a sealed record; null if it is not one of this id and key. */
export function openTicket(key: Uint8Array, id: Uint8Array, sealed: Uint8Array): TicketRecord | null {
  if (sealed.length !== TICKET_SEALED_BYTES) return null;
  const nonce = part(sealed, 0, AES_GCM_NONCE_BYTES);
  const b = part(sealed, AES_GCM_NONCE_BYTES, TICKET_RECORD_BYTES + AES_GCM_TAG_BYTES);
  const g = recordKey(key, id);
  const good = aesGcmOpen(g, nonce, id, id.length, b, 0, TICKET_RECORD_BYTES, new Uint8Array(16));
  wipe(g);
  if (!good || b[0] !== VERSION) return null;
  const record: TicketRecord = {
    secret: part(b, 4, RESUME_SECRET_BYTES),
    identity: takeName(b),
    anchor: part(b, 52, SERIAL_BYTES),
    issued: getTime(b, 68),
    expiry: getTime(b, 76),
    since: getTime(b, 84),
    resumptions: getU16(b, 2),
    provisioned: b[1] === 1,
  };
  wipe(b);
  return record;
}

function serialOf(name: ClientName | null): Uint8Array {
  return name === null ? new Uint8Array(SERIAL_BYTES) : name.serial;
}

/** Tickets over a store. `key`: 32 secret bytes that are kept elsewhere than the store. */
export function createTickets(store: TicketStore, key: Uint8Array, random: Random): Tickets {
  check(key.length === 32, 'a ticket key has 32 bytes');
  const ownerOf = (identity: Uint8Array): Uint8Array =>
    kmac(RATE_256, key, identity, ascii('QSTP-EDGE-1 ticket owner'), TICKET_OWNER_BYTES);
  return {
    put(id, record, done) {
      check(id.length === TICKET_ID_BYTES, 'a ticket id has 16 bytes');
      check(record.secret.length === RESUME_SECRET_BYTES, 'a resumption secret has 32 bytes');
      check(
        record.anchor.length === SERIAL_BYTES &&
          (record.identity === null || record.identity.serial.length === SERIAL_BYTES),
        "an identity's serial and an anchor have 16 bytes",
      );
      check(isProvisioned(id) === record.provisioned, 'bit 7 of the last byte of the id says provisioned');
      const sealed = sealTicket(key, random, id, record);
      store.put({ id, expiry: record.expiry, owner: ownerOf(serialOf(record.identity)), sealed }, done);
    },
    get(id, now, done) {
      store.get(id, (row) => {
        const record = row === null ? null : openTicket(key, id, row.sealed);
        // What the seal covers counts: the row's expiry is the store's word only.
        const live = record !== null && record.expiry > now && record.provisioned === isProvisioned(id);
        if (!live && record !== null) wipe(record.secret);
        done(live ? record : null);
      });
    },
    take(id, done) {
      check(!isProvisioned(id), 'a provisioned credential is never taken');
      store.take(id, done);
    },
    revoke(identity, done) {
      store.removeOwner(ownerOf(identity), done);
    },
    sweep(now, done) {
      store.sweep(now, done);
    },
  };
}

/**
 * Which rows make room in a full store: those that expire first, a sixteenth of `max` and at least one, for to look
 * at all rows again with each new one would take the server's whole time. Provisioned credentials stay.
 */
export function rowsToEvict<Row extends Pick<TicketRow, 'id' | 'expiry'>>(
  rows: readonly Row[],
  max: number,
): Row[] {
  const tickets: Row[] = [];
  for (let i = 0; i < rows.length; i++) if (!isProvisioned(rows[i]!.id)) tickets.push(rows[i]!);
  tickets.sort((a, b) => a.expiry - b.expiry);
  const spare = rows.length - max + (max >> 4);
  return tickets.slice(0, spare > 1 ? spare : 1);
}

/** A row as it lies in memory: id, owner and sealed in one array. An array costs an engine more than what is in it. */
interface PackedRow {
  readonly bytes: Uint8Array;
  readonly ownerAt: number;
  readonly sealedAt: number;
  readonly expiry: number;
}

function pack({ id, owner, sealed, expiry }: TicketRow): PackedRow {
  const ownerAt = id.length;
  const sealedAt = ownerAt + owner.length;
  return { bytes: concat([id, owner, sealed]), ownerAt, sealedAt, expiry };
}

function unpack({ bytes, ownerAt, sealedAt, expiry }: PackedRow): TicketRow {
  return {
    id: part(bytes, 0, ownerAt),
    owner: part(bytes, ownerAt, sealedAt - ownerAt),
    sealed: part(bytes, sealedAt, bytes.length - sealedAt),
    expiry,
  };
}

/** A store in memory, for one server without restarts: it calls back at once. */
export function memoryTicketStore(max: number = TICKETS_MAX): TicketStore & { readonly size: number } {
  const rows: Record<string, PackedRow> = Object.create(null) as Record<string, PackedRow>;
  let size = 0;
  const remove = (key: string): boolean => {
    const row = rows[key];
    if (row === undefined) return false;
    wipe(row.bytes);
    delete rows[key];
    size--;
    return true;
  };
  const removeIf = (leaves: (row: TicketRow) => boolean): number => {
    const before = size;
    const keys = Object.keys(rows);
    for (let i = 0; i < keys.length; i++) if (leaves(unpack(rows[keys[i]!]!))) remove(keys[i]!);
    return before - size;
  };
  return {
    get size() {
      return size;
    },
    put(row, done) {
      const key = toHex(row.id);
      remove(key);
      if (size >= max) {
        // Not unpacked: so many arrays at once would be most of the memory of a server. A row begins with its id.
        const all = Object.keys(rows).map((name) => ({
          name,
          id: rows[name]!.bytes,
          expiry: rows[name]!.expiry,
        }));
        const leaving = rowsToEvict(all, max);
        if (leaving.length === 0) return done(false);
        for (let i = 0; i < leaving.length; i++) remove(leaving[i]!.name);
      }
      rows[key] = pack(row);
      size++;
      done(true);
    },
    get(id, done) {
      const row = rows[toHex(id)];
      done(row === undefined ? null : unpack(row));
    },
    take(id, done) {
      done(remove(toHex(id)));
    },
    removeOwner(owner, done) {
      const name = toHex(owner);
      done(removeIf((row) => toHex(row.owner) === name));
    },
    sweep(now, done) {
      done(removeIf((row) => row.expiry <= now));
    },
  };
}
