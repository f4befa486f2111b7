// Messages of the edge extensions (docs/extensions.md, X1 to X5): one encode/decode pair each. Decoders take a
// body whose length is already checked against the constant beside it.

import {
  ControlType,
  EDGE_VERSION,
  EdgeFlag,
  HEADER_BYTES,
  NONCE_BYTES,
  PROOF_BYTES,
  SERIAL_BYTES,
  TICKET_ID_BYTES,
} from '../params.ts';
import { copy, getTime, getU16, getU32, putTime, putU16, putU32 } from '../bytes.ts';
import { putHeader } from './header.ts';

// ---- X2, the hellos ---------------------------------------------------------------------------------------

export const HELLO_NONCE_BYTES = 16;
export const PROFILE_HASH_BYTES = 32;

/** What both hellos end with. */
interface HelloEnd {
  /** Largest plaintext this end takes in one record, bytes. */
  readonly maxRecord: number;
  /** Messages delivered to this end since the chain's full handshake, int32 halves (X9). */
  readonly deliveredLow: number;
  readonly deliveredHigh: number;
  readonly profileHash: Uint8Array;
  readonly nonce: Uint8Array;
}

/** maxRecord u16 | delivered u64 | profileHash[32] | nonce[16] */
function putEnd(b: Uint8Array, at: number, hello: HelloEnd): void {
  putU16(b, at, hello.maxRecord);
  putU32(b, at + 2, hello.deliveredLow);
  putU32(b, at + 6, hello.deliveredHigh);
  copy(b, at + 10, hello.profileHash, 0, PROFILE_HASH_BYTES);
  copy(b, at + 42, hello.nonce, 0, HELLO_NONCE_BYTES);
}

export interface ServerHello extends HelloEnd {
  /** Byte 41 as the server received it. */
  readonly discovery: number;
  readonly mustAuthenticate: boolean;
  readonly features: number;
  /** Milliseconds since 1970. */
  readonly serverTime: number;
  /** The server closes a connection that is silent for longer, milliseconds; 0: never. */
  readonly maxIdle: number;
}

/** 01 | version | byte 41 | flags | features u32 | serverTime u64 | maxIdle u32 | maxRecord u16 | delivered u64 | profileHash[32] | nonce[16] */
export const SERVER_HELLO_BYTES = 78;

export function encodeServerHello(hello: ServerHello): Uint8Array {
  const b = new Uint8Array(SERVER_HELLO_BYTES);
  b[0] = ControlType.serverHello;
  b[1] = EDGE_VERSION;
  b[2] = hello.discovery;
  b[3] = hello.mustAuthenticate ? 1 : 0;
  putU32(b, 4, hello.features);
  putTime(b, 8, hello.serverTime);
  putU32(b, 16, hello.maxIdle);
  putEnd(b, 20, hello);
  return b;
}

/** Null unless it is a server's hello of this version. */
export function decodeServerHello(b: Uint8Array): ServerHello | null {
  if (b.length !== SERVER_HELLO_BYTES || b[0] !== ControlType.serverHello || b[1] !== EDGE_VERSION)
    return null;
  if (b[3]! > 1) return null;
  return {
    discovery: b[2]!,
    mustAuthenticate: b[3] === 1,
    features: getU32(b, 4),
    serverTime: getTime(b, 8),
    maxIdle: getU32(b, 16),
    maxRecord: getU16(b, 20),
    deliveredLow: getU32(b, 22) | 0,
    deliveredHigh: getU32(b, 26) | 0,
    profileHash: b.subarray(30, 62),
    nonce: b.subarray(62, 78),
  };
}

export interface ClientHello extends HelloEnd {
  /** 0 none, 1 floor, 2 synced. */
  readonly clockState: number;
  /** Cycles without a response after which the client gives up (X3). */
  readonly missed: number;
  /** Features of the server's that the client takes. */
  readonly features: number;
  /** The client's poll period, milliseconds; 0: no keep-alives. */
  readonly poll: number;
}

/** 0B | version | clock | missed | features u32 | poll u32 | maxRecord u16 | delivered u64 | profileHash[32] | nonce[16] */
export const CLIENT_HELLO_BYTES = 70;

export function encodeClientHello(hello: ClientHello): Uint8Array {
  const b = new Uint8Array(CLIENT_HELLO_BYTES);
  b[0] = ControlType.clientHello;
  b[1] = EDGE_VERSION;
  b[2] = hello.clockState;
  b[3] = hello.missed;
  putU32(b, 4, hello.features);
  putU32(b, 8, hello.poll);
  putEnd(b, 12, hello);
  return b;
}

export function decodeClientHello(b: Uint8Array): ClientHello | null {
  if (b.length !== CLIENT_HELLO_BYTES || b[0] !== ControlType.clientHello || b[1] !== EDGE_VERSION)
    return null;
  if (b[2]! > 2) return null;
  return {
    clockState: b[2]!,
    missed: b[3]!,
    features: getU32(b, 4),
    poll: getU32(b, 8),
    maxRecord: getU16(b, 12),
    deliveredLow: getU32(b, 14) | 0,
    deliveredHigh: getU32(b, 18) | 0,
    profileHash: b.subarray(22, 54),
    nonce: b.subarray(54, 70),
  };
}

// ---- X8, what a client holds ------------------------------------------------------------------------------

/** What a client trusts, so that a server can send it what is newer. */
export interface Holdings {
  /** Number of the revocation list of its root; 0: none. */
  readonly listNumber: number;
  /** Number of the succession of its root that it holds; 0: none. */
  readonly successionNumber: number;
  /** Seconds: the end of the last certificate it holds of this server. */
  readonly until: number;
  /** Serials of the certificate it pins now, and of its root: 16 bytes each. */
  readonly serial: Uint8Array;
  readonly rootSerial: Uint8Array;
}

/** 11 | listNumber u32 | successionNumber u32 | until u64 | serial[16] | rootSerial[16] */
export const HOLDINGS_BYTES = 49;

export function encodeHoldings(held: Holdings): Uint8Array {
  const b = new Uint8Array(HOLDINGS_BYTES);
  b[0] = ControlType.holdings;
  putU32(b, 1, held.listNumber);
  putU32(b, 5, held.successionNumber);
  putTime(b, 9, held.until);
  copy(b, 17, held.serial, 0, SERIAL_BYTES);
  copy(b, 33, held.rootSerial, 0, SERIAL_BYTES);
  return b;
}

export function decodeHoldings(b: Uint8Array): Holdings {
  return {
    listNumber: getU32(b, 1),
    successionNumber: getU32(b, 5),
    until: getTime(b, 9),
    serial: b.subarray(17, 33),
    rootSerial: b.subarray(33, 49),
  };
}

// ---- X4, tickets and resumption ---------------------------------------------------------------------------

export interface TicketMessage {
  readonly id: Uint8Array;
  /** Seconds. */
  readonly lifetime: number;
  readonly nonce: Uint8Array;
}

/** 02 | ticketId[16] | lifetime u32 | nonce[32] */
export const TICKET_BYTES = 53;

export function encodeTicket(ticket: TicketMessage): Uint8Array {
  const b = new Uint8Array(TICKET_BYTES);
  b[0] = ControlType.ticket;
  copy(b, 1, ticket.id, 0, TICKET_ID_BYTES);
  putU32(b, 17, ticket.lifetime);
  copy(b, 21, ticket.nonce, 0, NONCE_BYTES);
  return b;
}

export function decodeTicket(b: Uint8Array): TicketMessage {
  return { id: b.subarray(1, 17), lifetime: getU32(b, 17), nonce: b.subarray(21, 53) };
}

/** True for the id of a provisioned credential, which is not consumed. */
export function isProvisioned(ticketId: Uint8Array): boolean {
  return (ticketId[TICKET_ID_BYTES - 1]! & 0x80) !== 0;
}

/** R1: ticketId[16] | clientNonce[32] | byte 41 | proof[32] */
export const RESUME_REQUEST_BYTES = 81;
const R1_NONCE = HEADER_BYTES + TICKET_ID_BYTES;
const R1_DISCOVERY = R1_NONCE + NONCE_BYTES;
/** Where R1's proof begins: it covers all before. */
export const R1_PROOF = R1_DISCOVERY + 1;

/** R1 with its proof left zero. */
export function encodeResumeRequest(
  ticketId: Uint8Array,
  clientNonce: Uint8Array,
  discovery: number,
  time: number,
): Uint8Array {
  const packet = new Uint8Array(HEADER_BYTES + RESUME_REQUEST_BYTES);
  putHeader(packet, EdgeFlag.resumeRequest, RESUME_REQUEST_BYTES, 0, 0, time);
  copy(packet, HEADER_BYTES, ticketId, 0, TICKET_ID_BYTES);
  copy(packet, R1_NONCE, clientNonce, 0, NONCE_BYTES);
  packet[R1_DISCOVERY] = discovery;
  return packet;
}

export function decodeResumeRequest(packet: Uint8Array): {
  ticketId: Uint8Array;
  discovery: number;
  proof: Uint8Array;
} {
  return {
    ticketId: packet.subarray(HEADER_BYTES, R1_NONCE),
    discovery: packet[R1_DISCOVERY]!,
    proof: packet.subarray(R1_PROOF, R1_PROOF + PROOF_BYTES),
  };
}

/** R2: serverNonce[32] | proof[32] */
export const RESUME_RESPONSE_BYTES = 64;
/** Where R2's proof begins. */
export const R2_PROOF = HEADER_BYTES + NONCE_BYTES;

/** R2 with its proof left zero. */
export function encodeResumeResponse(serverNonce: Uint8Array, time: number): Uint8Array {
  const packet = new Uint8Array(HEADER_BYTES + RESUME_RESPONSE_BYTES);
  putHeader(packet, EdgeFlag.resumeResponse, RESUME_RESPONSE_BYTES, 0, 0, time);
  copy(packet, HEADER_BYTES, serverNonce, 0, NONCE_BYTES);
  return packet;
}

// ---- Fragments of large control messages ------------------------------------------------------------------

/** type | total u16 | offset u16 | bytes */
export const FRAGMENT_HEAD_BYTES = 5;

/** Cuts a message into bodies of at most `bodyMax` bytes. */
export function encodeFragments(type: number, message: Uint8Array, bodyMax: number): Uint8Array[] {
  const room = bodyMax - FRAGMENT_HEAD_BYTES;
  const bodies: Uint8Array[] = [];
  for (let at = 0; at < message.length; at += room) {
    const length = message.length - at < room ? message.length - at : room;
    const body = new Uint8Array(FRAGMENT_HEAD_BYTES + length);
    body[0] = type;
    putU16(body, 1, message.length);
    putU16(body, 3, at);
    copy(body, FRAGMENT_HEAD_BYTES, message, at, length);
    bodies.push(body);
  }
  return bodies;
}

/** A message as its fragments come in. */
export interface Assembly {
  readonly type: number;
  readonly bytes: Uint8Array;
  fill: number;
}

/**
 * Takes one fragment: in order, of the message begun, never more than `most` bytes in all. Null if it is
 * not the next one. `fill` equals `bytes.length` when the message is complete.
 */
export function takeFragment(before: Assembly | null, body: Uint8Array, most: number): Assembly | null {
  if (body.length <= FRAGMENT_HEAD_BYTES) return null;
  const total = getU16(body, 1);
  const offset = getU16(body, 3);
  const length = body.length - FRAGMENT_HEAD_BYTES;
  if (total > most || total === 0 || offset + length > total) return null;
  if (before === null) {
    if (offset !== 0) return null;
    before = { type: body[0]!, bytes: new Uint8Array(total), fill: 0 };
  } else if (before.type !== body[0] || before.bytes.length !== total || before.fill !== offset) {
    return null;
  }
  copy(before.bytes, offset, body, FRAGMENT_HEAD_BYTES, length);
  before.fill += length;
  return before;
}
