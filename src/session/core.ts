// What the parts of a session work on: the data of one connection, and how any part of it sends and ends.

import { WITH_STRICT } from '../features.ts';
import { EdgeFlag, Flag, HEADER_BYTES, MESSAGE_MAX, PLAINTEXT_MAX } from '../params.ts';
import type { Reject } from '../error.ts';
import { concat, copy } from '../bytes.ts';
import type { Job } from '../crypto/job.ts';
import type { SuiteCrypto } from '../crypto/provider.ts';
import { hasFlag, SlotFlag, Word } from '../pool/slot.ts';
import type { Slot } from '../pool/slot.ts';
import { encodeFragments } from '../wire/edge.ts';
import type { Assembly, Holdings, ServerHello } from '../wire/edge.ts';
import { isGcm, sealRecord, sequenceExhausted, tagBytes } from './channel.ts';
import type { ClientEdge, ClientName, HandshakeKeys, ServerEdge } from './edge.ts';
import type { Handshake } from './handshake.ts';

/**
 * `handshake`, then `hello` between ends that speak the extensions (X2), then `established`. Nothing is
 * delivered, and nothing can be sent, before `established`.
 */
export type SessionState = 'handshake' | 'hello' | 'established' | 'closed';

/** What the last `receive` brought; its body is in `body`, `bodyAt`, `bodyLength`. */
export const SessionEvent = {
  none: 0,
  message: 1,
  keepaliveRequest: 2,
  keepaliveResponse: 3,
  /** The peer said how many messages it has delivered (X9): see the slot's words. */
  delivered: 4,
} as const;

/** From the end of the handshake to both hellos. */
export interface HelloPhase {
  readonly keys: HandshakeKeys;
  /** True once the server's freshness signature verified. */
  fresh: boolean;
  assembly: Assembly | null;
  /** A server's hello that is to be answered. */
  hello: ServerHello | null;
  /** The nonce of this server's hello; null at a client. */
  readonly serverNonce: Uint8Array | null;
  /** A server waits for the client's identity. */
  identity: IdentityWait | null;
}

/** A client's identity as it comes in (X6). */
export interface IdentityWait {
  assembly: Assembly | null;
  readonly clientNonce: Uint8Array;
  then(now: number): void;
}

/** An operation the session waits for, and how it goes on. */
export interface Waiting {
  readonly job: Job;
  then(good: boolean, now: number): void;
}

/** A KEM rekey under way (X5). */
export interface RekeyState {
  readonly publicKey: Uint8Array;
  readonly secretKey: Uint8Array;
  readonly sharedSecret: Uint8Array;
  /** H(public key || ciphertext), once both are known. */
  transcript: Uint8Array;
  /** The peer's message as it comes in. */
  assembly: Assembly | null;
}

/**
 * What a session has only while something is under way, or at its end: at rest it has none of it, for each
 * field of each connection costs a device memory.
 */
export interface Progress {
  handshake: Handshake | null;
  phase: HelloPhase | null;
  waiting: Waiting | null;
  rekey: RekeyState | null;
  /** A list, root or certificate as it comes in (X7, X8). */
  statement: Assembly | null;
  /** To be sent now. */
  output: Uint8Array | null;
  /** The shared handshake buffer: a `Lease`. */
  lease: number;
  /** Why the session is closed, and which end it was. */
  closed: Reject | null;
  role: 'client' | 'server';
}

/** What a session has of the shared handshake buffer. */
export const Lease = {
  none: 0,
  /** Asked for: nothing is taken in meanwhile. */
  asked: 1,
  /** Lent: packets are collected there. */
  lent: 2,
  /** Kept after the handshake: the freshness signature is put together there, packets are collected elsewhere. */
  kept: 3,
} as const;

/** Who drives a session, as the session sees it. */
export interface SessionOwner {
  /** The shared handshake buffer that the session waited for is its own: offer the bytes again. */
  handshakeBufferReady(): void;
  /**
   * The hello is due. Puts the counts of the chain that `ticketId` belongs to (null: a new one) into the slot's
   * words, and says whether this end can keep its promise of exactly once (X9).
   */
  enterChain(ticketId: Uint8Array | null, words: Int32Array): boolean;
  /** A server told the client of a ticket that belongs to this connection's chain. */
  ticketIssued(id: Uint8Array): void;
  /** The client proved who it is, now or where its ticket came from (X6). */
  identified(client: ClientName): void;
  /** Who the client is; null if that is not known. */
  client(): ClientName | null;
  /** A client said what it holds (X8). False: too often. */
  holdings(held: Holdings): boolean;
  /** The server's answer to a revocation that was sent: a `RevocationStatus` (X7). */
  revocationAnswered(status: number, serial: Uint8Array): void;
}

export interface SessionCore {
  readonly role: 'client' | 'server';
  readonly state: SessionState;
  readonly slot: Slot;
  crypto: SuiteCrypto | null;
  readonly edge: ClientEdge | ServerEdge | null;
  readonly owner: SessionOwner | null;
  output: Uint8Array | null;
  phase: HelloPhase | null;
  waiting: Waiting | null;
  rekey: RekeyState | null;
  statement: Assembly | null;
  event: number;
  /** Both hellos are through, or the peer speaks strict 1.4. */
  establish(): void;
  /** A server knows who its client is. */
  identify(client: ClientName): void;
  /** Ends the session with a sealed notice to the peer. */
  fail(why: Reject, now: number): void;
}

/** Adds a packet to what is to be sent. */
export function emit(core: SessionCore, packet: Uint8Array): void {
  core.output = core.output === null ? packet : concat([core.output, packet]);
}

/** The largest plaintext this end may send in one record, bytes. */
export function sendLimit(slot: Slot): number {
  if (WITH_STRICT && !hasFlag(slot, SlotFlag.edge)) return PLAINTEXT_MAX;
  const most = MESSAGE_MAX - tagBytes(slot);
  const peer = slot.words[Word.peerMaxRecord]!;
  return peer < most ? peer : most;
}

/** A packet of its own for a record, with the body in its place. */
function packetOf(slot: Slot, body: Uint8Array): Uint8Array {
  const packet = new Uint8Array(HEADER_BYTES + body.length + tagBytes(slot));
  copy(packet, HEADER_BYTES, body, 0, body.length);
  return packet;
}

// Sealing goes deep into a device's stack: what is called before it does not stand there any more.

/** Seals a record of any flag and adds it to what is to be sent. */
export function emitRecord(core: SessionCore, flag: number, body: Uint8Array, now: number): void {
  if (sequenceExhausted(core.slot)) return;
  const packet = packetOf(core.slot, body);
  sealRecord(core.slot, packet, flag, body.length, now);
  emit(core, packet);
}

/** The flag of this connection's control messages. */
export function controlFlag(slot: Slot): number {
  return isGcm(slot) ? EdgeFlag.controlGcm : EdgeFlag.control;
}

/** Seals a control message and adds it to what is to be sent. */
export function emitControl(core: SessionCore, body: Uint8Array, now: number): void {
  emitRecord(core, controlFlag(core.slot), body, now);
}

/** The same for a control message that travels in fragments. */
export function emitFragments(core: SessionCore, type: number, message: Uint8Array, now: number): void {
  const bodies = encodeFragments(type, message, sendLimit(core.slot));
  for (let i = 0; i < bodies.length; i++) emitRecord(core, controlFlag(core.slot), bodies[i]!, now);
}

/** A sealed packet of its own. */
export function sealed(slot: Slot, flag: number, body: Uint8Array, now: number): Uint8Array {
  const packet = packetOf(slot, body);
  sealRecord(slot, packet, flag, body.length, now);
  return packet;
}

/** The notice that ends a connection: one byte, sealed. Null if no sequence number is left. */
export function closeNotice(slot: Slot, code: number, now: number): Uint8Array | null {
  if (sequenceExhausted(slot)) return null;
  return sealed(slot, Flag.errorCondition, new Uint8Array([code]), now);
}
