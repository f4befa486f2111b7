// What a connection is given: what all connections of an endpoint share, and who is told of what happens.

import type { Reject } from '../error.ts';
import type { ClientName } from '../session/edge.ts';
import type { Holdings } from '../wire/edge.ts';
import type { Clock, Executor, Timer } from '../platform.ts';

export interface Deadlines {
  /** From the start to `established`, milliseconds. Default 15,000. */
  readonly handshakeDeadlineMs?: number | undefined;
  /**
   * How long a server waits for the client's hello after R2 (X4), milliseconds. Default 5,000; more for clients that
   * interpret source text.
   */
  readonly halfOpenMs?: number | undefined;
  /** Closes after this long without an authenticated packet, milliseconds. Default 0: never. */
  readonly idleTimeoutMs?: number | undefined;
}

/** What all connections of an endpoint share. */
export interface ConnectionSettings extends Deadlines {
  readonly timer: Timer;
  readonly clock: Clock;
  readonly execute: Executor;
  /** The pool's transmit buffer, in which records are sealed; absent: each gets an array of its own. */
  readonly transmit?: Uint8Array | null;
  /** Room of so many bytes, whatever lies there, for a packet that the transport keeps. Default: a new array. */
  readonly room?: (bytes: number) => Uint8Array;
}

export interface ConnectionEvents {
  established?(): void;
  /** The handshake is done, the hello is waited for: the session's `phase` says of what kind it is. */
  hello?(): void;
  /** A message; the array is valid during the call only. */
  message?(bytes: Uint8Array): void;
  /** The same without a view made for it: `bytes[from .. from + length)`. Then `message` is not called. */
  record?(bytes: Uint8Array, from: number, length: number): void;
  /** More can be sent after `send` returned false. */
  drain?(): void;
  /** A keep-alive was answered after `tripMs`, or (-1) came, or told no time. The slot's figures are new. */
  keepalive?(tripMs: number): void;
  /** As of `SessionOwner`: the chain of a connection, and the tickets that lead on in it (X9). */
  enterChain?(ticketId: Uint8Array | null, words: Int32Array): boolean;
  ticketIssued?(id: Uint8Array): void;
  /** As of `SessionOwner`: who the client is (X6), and what a server says of a revocation (X7). */
  identified?(client: ClientName): void;
  client?(): ClientName | null;
  holdings?(held: Holdings): boolean;
  revocationAnswered?(status: number, serial: Uint8Array): void;
  /** The peer has delivered messages of ours: see the session's slot (X9). */
  delivered?(): void;
  /** The end, once. `reason` peer_closed or closed is an orderly one. */
  closed?(why: Reject): void;
}
