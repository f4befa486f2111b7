// Error and log codes of QSTP 1.4 with their texts, and what this implementation raises.
// A caller's misuse throws QstpError. What a peer can cause is a Reject: a value, never an exception.

import { WITH_TEXTS } from './features.ts';

/** One-byte error codes as they travel in error_condition packets. From 0x40 on: our own. */
export const ErrorCode = {
  none: 0x00,
  acceptFail: 0x01,
  authenticationFailure: 0x02,
  channelDown: 0x03,
  connectionFailure: 0x04,
  connectFailure: 0x05,
  decapsulationFailure: 0x06,
  decryptionFailure: 0x07,
  establishFailure: 0x08,
  exchangeFailure: 0x09,
  hashInvalid: 0x0a,
  hostsExceeded: 0x0b,
  invalidInput: 0x0c,
  invalidRequest: 0x0d,
  keyExpired: 0x0e,
  keyUnrecognized: 0x0f,
  keychainFail: 0x10,
  listenerFail: 0x11,
  memoryAllocation: 0x12,
  messageTimeInvalid: 0x13,
  packetUnsequenced: 0x14,
  randomFailure: 0x15,
  receiveFailure: 0x16,
  signatureFailure: 0x17,
  transmitFailure: 0x18,
  unknownProtocol: 0x19,
  verifyFailure: 0x1a,
  systemMessage: 0x1b,
  extensionsRequired: 0x40,
  helloMismatch: 0x41,
  idleTooShort: 0x42,
  identityRequired: 0x43,
  keepaliveExpired: 0x44,
  keyUpdateInvalid: 0x45,
  ticketUsed: 0x46,
  identityRefused: 0x47,
  certificateRevoked: 0x48,
} as const;

const ERRORS: readonly (readonly [name: string, description: string])[] = [
  ['none', 'no error'],
  ['accept_fail', 'the socket accept failed'],
  ['authentication_failure', 'a packet failed its authentication'],
  ['channel_down', 'the communications channel is down'],
  ['connection_failure', 'the connection could not be made to the remote host'],
  ['connect_failure', 'the transmission failed at the connection phase'],
  ['decapsulation_failure', 'the shared secret could not be decapsulated'],
  ['decryption_failure', 'a packet could not be decrypted'],
  ['establish_failure', 'the two ends do not agree on the session cookie'],
  ['exchange_failure', 'the transmission failed at the key exchange phase'],
  ['hash_invalid', 'a hash does not match the data it covers'],
  ['hosts_exceeded', 'the server has no free connection'],
  ['invalid_input', 'an argument is invalid'],
  ['invalid_request', 'the packet flag or length is not allowed in this state'],
  ['key_expired', 'the key or certificate is outside its validity period'],
  ['key_unrecognized', 'the key serial number is not known here'],
  ['keychain_fail', 'the key ratchet failed'],
  ['listener_fail', 'the listener could not be started'],
  ['memory_allocation', 'no memory is left for the connection'],
  ['message_time_invalid', 'the packet time differs from the local clock by more than the window'],
  ['packet_unsequenced', 'the packet sequence number is not the next one'],
  ['random_failure', 'the random source failed'],
  ['receive_failure', 'the receive failed at the network layer'],
  ['signature_failure', 'a signature does not verify'],
  ['transmit_failure', 'the transmission failed at the network layer'],
  ['unknown_protocol', 'the parameter set is not the one of this end'],
  ['verify_failure', 'the signed hash does not match the packet'],
  ['system_message', 'a message of the operating system'],
];

/** Codes of the extensions, from 0x40 on. */
const EDGE_ERRORS: readonly (readonly [name: string, description: string])[] = [
  ['extensions_required', 'this end talks to ends that speak the edge extensions only'],
  ['hello_mismatch', 'the hello does not fit the handshake: it was altered on the way'],
  ['idle_too_short', 'the server closes idle connections sooner than the client asks for life'],
  ['identity_required', 'the server wants an identity of the client'],
  ['keepalive_expired', 'the peer did not answer for too long'],
  ['key_update_invalid', 'a key update came too soon or out of turn'],
  ['ticket_used', 'the ticket was used by another connection'],
  ['identity_refused', "the server refused the client's identity"],
  ['certificate_revoked', 'the certificate of an end was revoked by its root'],
];
const FIRST_EDGE_ERROR = 0x40;

function entryOf(code: number): readonly [name: string, description: string] | undefined {
  return code < FIRST_EDGE_ERROR ? ERRORS[code] : EDGE_ERRORS[code - FIRST_EDGE_ERROR];
}

const MESSAGES: readonly (readonly [name: string, description: string])[] = [
  ['none', 'no message'],
  ['accept_fail', 'the socket accept failed'],
  ['listen_fail', 'the listener could not listen'],
  ['bind_fail', 'the address could not be bound'],
  ['create_fail', 'the socket could not be created'],
  ['connect_success', 'a client connected'],
  ['receive_fail', 'the receive failed'],
  ['allocate_fail', 'no memory is left'],
  ['kex_fail', 'the key exchange failed'],
  ['disconnect', 'a client disconnected'],
  ['disconnect_fail', 'the disconnection failed'],
  ['socket_message', 'a message of the socket'],
  ['queue_empty', 'the connection queue is full'],
  ['listener_fail', 'the listener failed'],
  ['sockalloc_fail', 'no socket could be allocated'],
  ['decryption_fail', 'a packet could not be decrypted'],
  ['connection_fail', 'the connection failed'],
  ['invalid_request', 'a packet was not allowed in its state'],
  ['symmetric_ratchet', 'the keys were ratcheted'],
];

/** The reference's name of an error code, such as `key_expired`; `unknown` for a code it does not have. */
export function errorToString(code: number): string {
  if (!WITH_TEXTS) return String(code);
  const entry = entryOf(code);
  return entry === undefined ? 'unknown' : entry[0];
}

/** A sentence on an error code. */
export function errorDescription(code: number): string {
  if (!WITH_TEXTS) return '';
  const entry = entryOf(code);
  return entry === undefined ? 'a code this implementation does not know' : entry[1];
}

/** The name of a log message id (0x00 to 0x12), such as `connect_success`. */
export function messageToString(id: number): string {
  const entry = MESSAGES[id];
  return entry === undefined ? 'unknown' : entry[0];
}

/** A sentence on a log message id. */
export function messageDescription(id: number): string {
  const entry = MESSAGES[id];
  return entry === undefined ? 'an id this implementation does not know' : entry[1];
}

/** Thrown for misuse by the caller. `message` says what is wrong and what to do next. */
export class QstpError extends Error {
  /** Stable, for programs: lower case words joined by `_`. */
  readonly code: string;
  constructor(code: string, message: string) {
    super(WITH_TEXTS ? message : code);
    // Lowered to ES5, the constructor of Error gives its own object back.
    Object.setPrototypeOf(this, QstpError.prototype);
    // Not assigned: devices freeze the built-ins, and a name that is read-only in a prototype cannot be.
    Object.defineProperty(this, 'name', { value: 'QstpError', configurable: true, writable: true });
    this.code = code;
  }
}

/** For what the profile of this bundle left out (features.ts). */
export function missing(what: string): QstpError {
  return new QstpError(
    'feature_missing',
    `${what} is not in this bundle: its firmware profile leaves it out`,
  );
}

/** Why a connection or packet was refused: an event to report and count, not an exception. */
export interface Reject {
  /** Stable, for programs and counters. */
  readonly reason: string;
  /** The one-byte code that went, or would go, to the peer. */
  readonly code: number;
  /** One sentence for people. Never sent to the peer. */
  readonly detail: string;
  /** True if the peer proved who it is before causing this. */
  readonly authenticated: boolean;
}

/** True if one of the ends closed the connection on purpose, and said so. */
export function isOrderly(why: Reject): boolean {
  return why.reason === 'closed' || why.reason === 'peer_closed';
}

export function reject(reason: string, code: number, detail: string, authenticated = false): Reject {
  return { reason, code, detail, authenticated };
}
