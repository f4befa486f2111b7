// Drives one session over a transport: runs its operations, keeps its deadlines, passes messages on.
// Every way a connection can end comes through `closed`, once, with its reason.

import { HANDSHAKE_DEADLINE_MS } from '../params.ts';
import { ErrorCode, reject } from '../error.ts';
import type { Reject } from '../error.ts';
import type { Session } from '../session/session.ts';
import type { Clock, Executor, Timer, Transport, TransportEvents } from '../platform.ts';

export interface Deadlines {
  /** From the start to `established`, milliseconds. Default 15,000. */
  readonly handshakeDeadlineMs?: number | undefined;
  /** Closes after this long without an authenticated packet, milliseconds. Default 0: never. */
  readonly idleTimeoutMs?: number | undefined;
}

export interface ConnectionOptions extends Deadlines {
  readonly session: Session;
  readonly timer: Timer;
  readonly clock: Clock;
  readonly execute: Executor;
}

export interface ConnectionEvents {
  established?(): void;
  /** A message; the array is valid during the call only. */
  message?(bytes: Uint8Array): void;
  /** More can be sent after `send` returned false. */
  drain?(): void;
  /** The end, once. `reason` peer_closed or closed is an orderly one. */
  closed?(why: Reject): void;
}

export interface Connection extends TransportEvents {
  readonly session: Session;
  /** Begins the handshake. `transport` is connected; its events go to this object. */
  start(transport: Transport): void;
  /** Sends a message of 1 to 65,504 bytes. False: wait for `drain`. Throws as `Session.seal`. */
  send(message: Uint8Array): boolean;
  /** Stops and goes on delivering messages; the peer is slowed down by its transport. */
  pause(): void;
  resume(): void;
  /** Closes with a notice to the peer. */
  close(): void;
  /** The same for a given reason. */
  fail(why: Reject): void;
}

/** How long a closed connection waits for the peer to close too, once all is sent, milliseconds. */
const LINGER_MS = 1000;
/** How long it waits for what is still queued to be sent, milliseconds. */
const FLUSH_MS = 15000;

const CLOSED = /* @__PURE__ */ reject('closed', ErrorCode.none, 'closed by this end', true);
const CLOSED_EARLY = /* @__PURE__ */ reject('closed', ErrorCode.channelDown, 'closed by this end', true);
const IDLE = /* @__PURE__ */ reject(
  'idle_timeout',
  ErrorCode.channelDown,
  'no packet came within the idle timeout',
);
const SLOW_HANDSHAKE = /* @__PURE__ */ reject(
  'handshake_timeout',
  ErrorCode.connectionFailure,
  'the handshake was not finished within its deadline',
);

function disconnected(session: Session, error: string): string {
  const when = session.state === 'established' ? 'without a close notice' : 'during the handshake';
  return `the peer disconnected ${when}${error === '' ? '' : `: ${error}`}`;
}

export function createConnection(options: ConnectionOptions, events: ConnectionEvents): Connection {
  const { session, timer, clock, execute } = options;
  const idleMs = options.idleTimeoutMs ?? 0;
  let transport: Transport | null = null;
  /** Received and not yet taken by the session. */
  let waiting: Uint8Array[] = [];
  let taken = 0;
  let paused = false;
  let stopped = false;
  let receiving = false;
  let reported = false;
  /** Set when the transport is gone: its error, or an empty string. */
  let ended: string | null = null;
  let cancelDeadline: (() => void) | null = null;
  let cancelJob: (() => void) | null = null;
  let cancelLinger: (() => void) | null = null;

  const report = (): void => {
    if (reported) return;
    reported = true;
    if (cancelDeadline !== null) cancelDeadline();
    if (cancelJob !== null) cancelJob();
    waiting = [];
    if (events.closed !== undefined) events.closed(session.closed!);
  };

  const setDeadline = (ms: number, why: Reject): void => {
    if (cancelDeadline !== null) cancelDeadline();
    cancelDeadline = ms === 0 ? null : timer.set(() => connection.fail(why), ms);
  };

  /** Brings transport, timers and owner in line with the session after every call to it. */
  const follow = (before: Session['state']): void => {
    const packet = session.takeOutput();
    if (packet !== null && transport !== null) transport.write(packet);
    if (session.state === 'closed') {
      if (transport !== null && cancelLinger === null) {
        const closing = transport;
        // The peer may still be sending: without reading on, its data would turn the close into a reset.
        closing.resume();
        const linger = (ms: number): void => {
          if (cancelLinger !== null) cancelLinger();
          cancelLinger = timer.set(() => closing.destroy(), ms);
        };
        linger(FLUSH_MS);
        closing.end(() => {
          if (ended === null) linger(LINGER_MS);
        });
      }
      report();
      return;
    }
    if (before === 'handshake' && session.state === 'established') {
      setDeadline(idleMs, IDLE);
      if (events.established !== undefined) {
        // Messages that are here already wait until the owner has been told.
        const outer = receiving;
        receiving = true;
        events.established();
        receiving = outer;
      }
    }
    const job = session.pending;
    if (job !== null && cancelJob === null) {
      cancelJob = execute(session.crypto!, job, (good) => {
        cancelJob = null;
        if (session.state !== 'handshake') return;
        session.resume(good, clock.now());
        follow('handshake');
        receiveWaiting();
      });
    }
  };

  /** Reports a transport that is gone, once all it brought was delivered. */
  const finish = (error: string): void => {
    if (session.state !== 'closed') {
      session.close(reject('disconnected', ErrorCode.channelDown, disconnected(session, error)), clock.now());
      session.takeOutput();
    }
    report();
  };

  /** Feeds the session until it wants no more; then holds the transport back. */
  const receiveWaiting = (): void => {
    if (receiving) return;
    receiving = true;
    while (waiting.length > 0 && !paused && session.pending === null && session.state !== 'closed') {
      const before = session.state;
      const count = session.receive(waiting[0]!, taken, clock.now());
      if (count === 0) break;
      taken += count;
      if (taken === waiting[0]!.length) {
        waiting.shift();
        taken = 0;
      }
      const message = session.message;
      if (message !== null) {
        if (!paused) setDeadline(idleMs, IDLE);
        if (events.message !== undefined) events.message(message);
      }
      follow(before);
    }
    receiving = false;
    if (ended !== null && waiting.length === 0) finish(ended);
    const hold = (paused || waiting.length > 0) && session.state !== 'closed';
    if (transport !== null && hold !== stopped) {
      stopped = hold;
      if (hold) transport.pause();
      else transport.resume();
    }
  };

  const connection: Connection = {
    session,
    start(connected) {
      transport = connected;
      setDeadline(options.handshakeDeadlineMs ?? HANDSHAKE_DEADLINE_MS, SLOW_HANDSHAKE);
      session.start(clock.now());
      follow('handshake');
    },
    data(bytes) {
      if (session.state === 'closed' || bytes.length === 0) return;
      waiting.push(bytes);
      receiveWaiting();
    },
    drain() {
      if (session.state === 'established' && events.drain !== undefined) events.drain();
    },
    gone(error) {
      if (cancelLinger !== null) cancelLinger();
      transport = null;
      ended = error ?? '';
      // A writer that waits for room must not wait for ever.
      if (waiting.length > 0) connection.drain();
      receiveWaiting();
    },
    send(message) {
      const packet = session.seal(message, clock.now());
      // With the transport gone there is only what it brought to be read; the end is reported after that.
      return transport === null || transport.write(packet);
    },
    pause() {
      paused = true;
      // What a slow reader leaves lying is no silence of the peer's.
      if (session.state === 'established') setDeadline(0, IDLE);
      if (transport !== null && !stopped) {
        stopped = true;
        transport.pause();
      }
    },
    resume() {
      if (paused && session.state === 'established') setDeadline(idleMs, IDLE);
      paused = false;
      receiveWaiting();
    },
    close() {
      connection.fail(session.state === 'handshake' ? CLOSED_EARLY : CLOSED);
    },
    fail(why) {
      if (session.state === 'closed') return;
      const before = session.state;
      session.close(why, clock.now());
      follow(before);
    },
  };
  return connection;
}
