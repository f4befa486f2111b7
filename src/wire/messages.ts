// Handshake and error packets: one encode/decode pair each. Encoders write the whole packet, header
// included, and return it; decoders return views of a packet whose flag and length are already checked.

import {
  CONFIG_BYTES,
  CONFIG_COMPARED,
  Flag,
  HASH_BYTES,
  HEADER_BYTES,
  SEQUENCE_ERROR_HIGH,
  SERIAL_BYTES,
} from '../params.ts';
import type { Suite } from '../params.ts';
import { ascii, copy } from '../bytes.ts';
import { putHeader } from './header.ts';

// ---- S1: connect_request: serial[16] | configuration[42] ------------------------------------------------

export const CONNECT_REQUEST_BYTES = SERIAL_BYTES + CONFIG_BYTES;

/** Where byte 41 of the configuration lies in the packet: zero in 1.4, discovery bits otherwise (X1). */
export const DISCOVERY_AT = HEADER_BYTES + SERIAL_BYTES + CONFIG_COMPARED;

export function encodeConnectRequest(
  suite: Suite,
  serial: Uint8Array,
  time: number,
  discovery = 0,
): Uint8Array {
  const packet = new Uint8Array(HEADER_BYTES + CONNECT_REQUEST_BYTES);
  putHeader(packet, Flag.connectRequest, CONNECT_REQUEST_BYTES, 0, 0, time);
  packet.set(serial, HEADER_BYTES);
  packet.set(ascii(suite.name), HEADER_BYTES + SERIAL_BYTES);
  packet[DISCOVERY_AT] = discovery;
  return packet;
}

export function decodeConnectRequest(packet: Uint8Array): { serial: Uint8Array; configuration: Uint8Array } {
  const configurationAt = HEADER_BYTES + SERIAL_BYTES;
  return {
    serial: packet.subarray(HEADER_BYTES, configurationAt),
    configuration: packet.subarray(configurationAt, configurationAt + CONFIG_BYTES),
  };
}

// ---- S2: connect_response: signature[SIG] | hash[32] | public key[PK] -----------------------------------

export function connectResponseBytes(suite: Suite): number {
  return suite.signatureBytes + HASH_BYTES + suite.kemPublicKeyBytes;
}

/** The header alone: the hash that is signed covers it. */
export function connectResponseHeader(suite: Suite, time: number): Uint8Array {
  const header = new Uint8Array(HEADER_BYTES);
  putHeader(header, Flag.connectResponse, connectResponseBytes(suite), 0, 0, time);
  return header;
}

export function encodeConnectResponse(
  header: Uint8Array,
  signature: Uint8Array,
  hash: Uint8Array,
  publicKey: Uint8Array,
): Uint8Array {
  const packet = new Uint8Array(header.length + signature.length + hash.length + publicKey.length);
  let at = 0;
  for (const part of [header, signature, hash, publicKey]) {
    copy(packet, at, part, 0, part.length);
    at += part.length;
  }
  return packet;
}

export function decodeConnectResponse(
  suite: Suite,
  packet: Uint8Array,
): { header: Uint8Array; signature: Uint8Array; hash: Uint8Array; publicKey: Uint8Array } {
  const hashAt = HEADER_BYTES + suite.signatureBytes;
  const keyAt = hashAt + HASH_BYTES;
  return {
    header: packet.subarray(0, HEADER_BYTES),
    signature: packet.subarray(HEADER_BYTES, hashAt),
    hash: packet.subarray(hashAt, keyAt),
    publicKey: packet.subarray(keyAt, keyAt + suite.kemPublicKeyBytes),
  };
}

// ---- S3: exchange_request: ciphertext[CT] ---------------------------------------------------------------

export function encodeExchangeRequest(ciphertext: Uint8Array, time: number): Uint8Array {
  return bodyPacket(Flag.exchangeRequest, 1, 0, ciphertext, time);
}

export function decodeExchangeRequest(packet: Uint8Array): Uint8Array {
  return packet.subarray(HEADER_BYTES);
}

// ---- S4: exchange_response: session cookie[32] ----------------------------------------------------------

export function encodeExchangeResponse(cookie: Uint8Array, time: number): Uint8Array {
  return bodyPacket(Flag.exchangeResponse, 1, 0, cookie, time);
}

export function decodeExchangeResponse(packet: Uint8Array): Uint8Array {
  return packet.subarray(HEADER_BYTES);
}

// ---- error_condition in clear: code u8 ------------------------------------------------------------------

/** What either end sends when a handshake fails: unauthenticated, 22 bytes. */
export function encodeError(code: number, time: number): Uint8Array {
  return bodyPacket(Flag.errorCondition, 0, SEQUENCE_ERROR_HIGH, new Uint8Array([code]), time);
}

export function decodeError(packet: Uint8Array): number {
  return packet[HEADER_BYTES]!;
}

function bodyPacket(
  flag: number,
  sequenceLow: number,
  sequenceHigh: number,
  body: Uint8Array,
  time: number,
): Uint8Array {
  const packet = new Uint8Array(HEADER_BYTES + body.length);
  putHeader(packet, flag, body.length, sequenceLow, sequenceHigh, time);
  packet.set(body, HEADER_BYTES);
  return packet;
}
