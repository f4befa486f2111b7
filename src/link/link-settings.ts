// What a link is given, whom it tells, and what it counts.

import type { Reject } from '../error.ts';
import type { ClientOptions } from '../session/client.ts';
import type { Clock, Connector, Executor, Timer } from '../platform.ts';
import type { ClientSide } from './client.ts';
import type { Deadlines } from './connection-settings.ts';
import type { PathChooser } from './endpoints.ts';
import type { QueueOptions } from './exactly-once.ts';
import type { BackoffOptions } from './reconnect.ts';

/**
 * `waiting` for the next attempt, `connecting` a stream, in the `handshake`, `connected`, `stopped` for good.
 */
export type LinkState = 'waiting' | 'connecting' | 'handshake' | 'connected' | 'stopped';

export interface LinkOptions extends ClientSide, Deadlines, BackoffOptions {
  /** Number of endpoints; the platform's connector knows them by their index. The first is preferred. */
  readonly endpoints: number;
  /** Chooses among them, such as QACE; absent: in order. */
  readonly chooser?: PathChooser | null;
  /**
   * While connected, how often a stream is opened to each endpoint and closed again, milliseconds: the chooser learns how
   * long each takes, and the link moves by ticket to the one it prefers. Default 0: never.
   */
  readonly probeMs?: number;
  /** Least time between two full handshakes, milliseconds. Default 0; devices: minutes. */
  readonly fullHandshakeMinMs?: number;
  /** Keeps messages until they are delivered, and sends them again after a resumption (X9). Default: none is kept. */
  readonly queue?: QueueOptions | undefined;
  /** Signatures of the certificates that were found good before. */
  readonly verified?: ClientOptions['verified'];
}

export interface LinkPlatform {
  readonly timer: Timer;
  readonly clock: Clock;
  readonly execute: Executor;
  readonly connector: Connector;
  /** A number in [0, 1) for the pauses; no secret depends on it. */
  readonly jitter: () => number;
  /** Room for a packet: as of the connections' settings. */
  readonly room?: (bytes: number) => Uint8Array;
}

export interface LinkEvents {
  /** The link is in another state. `why` for `waiting` and `stopped`: what ended the last connection. */
  state?(state: LinkState, why: Reject | null, waitMs: number): void;
  message?(bytes: Uint8Array): void;
  /** The same without a view made for it. */
  record?(bytes: Uint8Array, from: number, length: number): void;
  drain?(): void;
  /** One line about trust: what was taken or refused, what ends soon (X7, X8). */
  trust?(line: string): void;
  /**
   * A full handshake began a new chain: nobody knows whether these were delivered (X9). Or they were given while
   * there was no connection, and are larger than the server takes. Told before `connected`, what is sent now goes
   * out on the new chain. With no queue a cut promises nothing, and this is not called.
   */
  unsettled?(messages: readonly Uint8Array[]): void;
}

/** Counts and figures since the start, one flat object. Times in milliseconds, -1 where not known. */
export interface LinkMetrics {
  attempts: number;
  connected: number;
  fullHandshakes: number;
  resumptions: number;
  /** Connections that ended after they were connected, orderly or not. */
  ended: number;
  /** Attempts that failed before. */
  failed: number;
  messagesIn: number;
  messagesOut: number;
  endpoint: number;
  /** Times that a connected link went over to an endpoint that answers better. */
  moved: number;
  rttMs: number;
  jitterMs: number;
  lossPermille: number;
  /** Lists, roots and successors that were taken, and that were refused (X7, X8). */
  trustTaken: number;
  trustRefused: number;
  /** Seconds since 1970 when the server's certificate in use ends, or its root's if that is sooner. */
  certificateEnds: number;
  /** Seconds since 1970 of the last full handshake or KEM rekey; 0: none yet. */
  forwardSecrecySince: number;
}

export function newMetrics(): LinkMetrics {
  return {
    attempts: 0,
    connected: 0,
    fullHandshakes: 0,
    resumptions: 0,
    ended: 0,
    failed: 0,
    messagesIn: 0,
    messagesOut: 0,
    endpoint: 0,
    moved: 0,
    rttMs: -1,
    jitterMs: -1,
    lossPermille: -1,
    trustTaken: 0,
    trustRefused: 0,
    certificateEnds: 0,
    forwardSecrecySince: 0,
  };
}
