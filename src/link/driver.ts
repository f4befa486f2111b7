// A link that stays: it connects to one of several endpoints, resumes where it can, notices a peer that died,
// and comes back with capped, jittered pauses. It needs a platform only through src/platform.ts, and all that it
// waits for is one wake-up.

import { ErrorCode, isOrderly, QstpError, reject } from '../error.ts';
import type { Reject } from '../error.ts';
import { hasFlag, SlotFlag, Word } from '../pool/slot.ts';
import { clockClose, clockTick, doubtClock, notePassed } from '../session/clock.ts';
import type { Session } from '../session/session.ts';
import type { ClientOptions } from '../session/client.ts';
import type { Clock, Connector, Executor, Timer, TransportEvents } from '../platform.ts';
import { checkClient, clientSession, createClientChain } from './client.ts';
import type { ClientSide } from './client.ts';
import { createConnection } from './connection.ts';
import type { Connection, Deadlines } from './connection.ts';
import {
  createCredentials,
  handshakeBegins,
  handshakeFailed,
  handshakeWorked,
  nextHandshake,
} from './credentials.ts';
import {
  ACK_EVERY,
  chainAgreed,
  chainDelivered,
  createChain,
  enterChain,
  flushKept,
  keepMessage,
  noteDelivered,
  removeLarger,
  restartChain,
  rewindKept,
  sendKept,
  tellDelivered,
  WRONG_COUNT,
} from './exactly-once.ts';
import type { Chain, QueueOptions } from './exactly-once.ts';
import { attemptFailed, attemptSucceeded, createEndpoints, nextAttempt, noteMetrics } from './endpoints.ts';
import type { PathChooser } from './endpoints.ts';
import { keepaliveJitterMs, keepaliveLossPermille, keepaliveRttMs } from './keepalive.ts';
import type { BackoffOptions } from './reconnect.ts';
import { sleepBytes, wakeWith } from './sleep.ts';

/**
 * `waiting` for the next attempt, `connecting` a stream, in the `handshake`, `connected`, `stopped` for good.
 */
export type LinkState = 'waiting' | 'connecting' | 'handshake' | 'connected' | 'stopped';

export interface LinkOptions extends ClientSide, Deadlines, BackoffOptions {
  /** Number of endpoints; the platform's connector knows them by their index. The first is preferred. */
  readonly endpoints: number;
  /** Chooses among them, such as QACE; absent: in order. */
  readonly chooser?: PathChooser | null;
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
}

export interface LinkEvents {
  /** The link is in another state. `why` for `waiting` and `stopped`: what ended the last connection. */
  state?(state: LinkState, why: Reject | null, waitMs: number): void;
  message?(bytes: Uint8Array): void;
  /** The same without a view made for it. */
  record?(bytes: Uint8Array, from: number, length: number): void;
  drain?(): void;
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
  rttMs: number;
  jitterMs: number;
  lossPermille: number;
  /** Seconds since 1970 of the last full handshake or KEM rekey; 0: none yet. */
  forwardSecrecySince: number;
}

/** A connection that lived so long proves its endpoint good, milliseconds. */
const PROVED_MS = 10000;

/** Owns a stream that came too late. */
const NOBODY: TransportEvents = {
  data: () => undefined,
  drain: () => undefined,
  gone: () => undefined,
};

const STOPPED = /* @__PURE__ */ reject('closed', ErrorCode.none, 'closed by this end', true);

export class Link {
  readonly metrics: LinkMetrics;
  state: LinkState = 'waiting';
  /** The connection under way or up; null while waiting. */
  connection: Connection | null = null;
  private options: LinkOptions;
  private readonly platform: LinkPlatform;
  private readonly events: LinkEvents;
  private readonly endpoints: ReturnType<typeof createEndpoints>;
  private readonly credentials = createCredentials();
  /** What is kept for the peer (X9); null without a queue. */
  private readonly chain: Chain | null;
  /** The chain of the connection under way goes on, rather than beginning. */
  private chained = false;
  /** Both ends of the connection take part in X9. */
  private agreed = false;
  private verified: ClientOptions['verified'];
  private index = 0;
  private cancelOpen: (() => void) | null = null;
  private cancelRetry: (() => void) | null = null;
  private retryAt = 0;
  private connectedAt = 0;

  constructor(options: LinkOptions, platform: LinkPlatform, events: LinkEvents) {
    this.options = { ...options, chain: options.chain ?? createClientChain() };
    this.platform = platform;
    this.events = events;
    checkClient(options);
    this.verified = options.verified;
    this.chain = options.queue === undefined ? null : createChain(options.queue);
    const { chooser } = options;
    const more = chooser === undefined ? {} : { chooser };
    this.endpoints = createEndpoints({ ...options, count: options.endpoints, ...more }, platform.timer.now());
    this.metrics = {
      attempts: 0,
      connected: 0,
      fullHandshakes: 0,
      resumptions: 0,
      ended: 0,
      failed: 0,
      messagesIn: 0,
      messagesOut: 0,
      endpoint: 0,
      rttMs: -1,
      jitterMs: -1,
      lossPermille: -1,
      forwardSecrecySince: 0,
    };
  }

  /** Begins to connect, and goes on until {@link stop}. */
  start(): void {
    if (this.state === 'stopped') throw new QstpError('link_stopped', 'the link was stopped: make a new one');
    if (this.cancelRetry === null && this.connection === null && this.cancelOpen === null)
      this.schedule(null);
  }

  /** True if `send` would send now. */
  get connected(): boolean {
    return this.state === 'connected';
  }

  /**
   * Sends a message. False: wait for `drain`. Throws `not_connected`, or as `Connection.send`. With a queue it
   * is kept until it is delivered, and may be given while there is no connection; throws `queue_full`,
   * `message_length`.
   */
  send(message: Uint8Array): boolean {
    const { chain } = this;
    if (chain !== null && (this.agreed || this.state !== 'connected') && this.state !== 'stopped') {
      const { connection } = this;
      keepMessage(chain, message, this.state === 'connected' ? connection : null);
      if (connection === null || this.state !== 'connected') return true;
      this.metrics.messagesOut++;
      return sendKept(chain, connection);
    }
    if (this.connection === null || this.state !== 'connected') {
      throw new QstpError('not_connected', `the link is ${this.state}: wait for "connected"`);
    }
    this.metrics.messagesOut++;
    return this.connection.send(message);
  }

  /** Closes with a notice, and does not come back. */
  stop(): void {
    if (this.state === 'stopped') return;
    if (this.cancelRetry !== null) this.cancelRetry();
    if (this.cancelOpen !== null) this.cancelOpen();
    this.cancelRetry = null;
    this.cancelOpen = null;
    const { connection, options } = this;
    if (options.deviceClock !== undefined && options.counter !== undefined) {
      clockClose(options.deviceClock, options.counter());
    }
    this.enter('stopped', STOPPED, 0);
    if (connection !== null) connection.close();
    this.connection = null;
  }

  /**
   * Stops for a deep sleep: the bytes to keep, at most 256, sealed with the device's key of 32 bytes. After the
   * sleep a new link goes on from them with {@link resume}. Throws `nothing_to_keep` while there is no ticket.
   */
  suspend(key: Uint8Array): Uint8Array {
    const { wallet, random } = this.options;
    if (wallet === undefined || wallet === null) {
      throw new QstpError('nothing_to_keep', 'the link has no wallet: give it one to sleep with');
    }
    const bytes = sleepBytes(wallet, key, random, this.platform.clock.now());
    this.stop();
    return bytes;
  }

  /** Takes what {@link suspend} gave before this link is started. False if it cannot be used. */
  resume(bytes: Uint8Array, key: Uint8Array): boolean {
    const { wallet, deviceClock } = this.options;
    const time = wallet === undefined || wallet === null ? null : wakeWith(wallet, bytes, key);
    if (time !== null && deviceClock !== undefined) notePassed(deviceClock, time);
    return time !== null;
  }

  /**
   * Starts a KEM rekey (X5): it heals a passive compromise of the chain, and costs both ends a KEM operation or
   * two. Throws `not_connected`, `rekey_unavailable`.
   */
  rekey(): void {
    const { connection } = this;
    if (connection === null || this.state !== 'connected') {
      throw new QstpError('not_connected', `the link is ${this.state}: wait for "connected"`);
    }
    connection.control((now) => connection.session.startRekey(now));
  }

  /** Milliseconds until the link needs the processor again if nothing comes in; -1: not by itself. */
  wakeIn(): number {
    if (this.cancelRetry !== null) {
      const left = (this.retryAt - this.platform.timer.now()) | 0;
      return left > 0 ? left : 0;
    }
    return this.connection === null ? -1 : this.connection.wakeIn();
  }

  /** Tells the chooser of paths, if there is one, how an endpoint does. */
  private tell(what: (chooser: PathChooser) => void): void {
    const { chooser } = this.options;
    if (chooser !== undefined && chooser !== null) what(chooser);
  }

  private enter(state: LinkState, why: Reject | null, waitMs: number): void {
    this.state = state;
    if (this.events.state !== undefined) this.events.state(state, why, waitMs);
  }

  /** Plans the next attempt. */
  private schedule(why: Reject | null): void {
    const { timer, clock } = this.platform;
    const ms = timer.now();
    const next = nextAttempt(this.endpoints, ms);
    const handshake = nextHandshake(
      this.credentials,
      this.options,
      clock.now(),
      ms,
      this.options.fullHandshakeMinMs ?? 0,
    );
    const wait = handshake.waitMs > next.waitMs ? handshake.waitMs : next.waitMs;
    this.index = next.index;
    this.retryAt = (ms + wait) | 0;
    this.cancelRetry = timer.set(() => {
      this.cancelRetry = null;
      this.attempt();
    }, wait);
    this.enter('waiting', why, wait);
  }

  private attempt(): void {
    const { connector, timer } = this.platform;
    this.metrics.attempts++;
    this.metrics.endpoint = this.index;
    this.enter('connecting', null, 0);
    if (this.state !== 'connecting') return;
    let answered = false;
    const cancel = connector.open(this.index, (bind, problem) => {
      answered = true;
      this.cancelOpen = null;
      if (this.state !== 'connecting') {
        if (bind !== null) bind(NOBODY).destroy();
      } else if (bind === null) {
        this.metrics.failed++;
        this.tell((chooser) => chooser.lost?.(this.index));
        attemptFailed(this.endpoints, this.index, timer.now(), this.platform.jitter());
        this.schedule(reject('connect_failed', ErrorCode.connectFailure, problem));
      } else {
        this.handshake(bind);
      }
    });
    if (!answered) this.cancelOpen = cancel;
  }

  private handshake(bind: Parameters<Parameters<Connector['open']>[1]>[0] & object): void {
    const { options, platform, credentials } = this;
    const { timer, clock } = platform;
    const now = (): number => clock.now();
    const limit = options.fullHandshakeMinMs ?? 0;
    const { ticket, waitMs } = nextHandshake(credentials, options, now(), timer.now(), limit);
    if (waitMs > 0) {
      // The ticket this attempt was for has expired meanwhile.
      bind(NOBODY).destroy();
      this.schedule(null);
      return;
    }
    handshakeBegins(credentials, ticket, timer.now());
    let session: Session;
    try {
      session = clientSession(options, ticket, this.verified, now);
    } catch (error) {
      // No slot, or a counter that cannot be stored: what is wrong may be over by the next attempt.
      bind(NOBODY).destroy();
      this.metrics.failed++;
      credentials.ticket = null;
      attemptFailed(this.endpoints, this.index, timer.now(), platform.jitter());
      const { code, message } = error as QstpError;
      this.schedule(reject(code, ErrorCode.memoryAllocation, message));
      return;
    }
    const settings = {
      ...options,
      ...platform,
      transmit: options.pool === undefined ? null : options.pool.transmit,
    };
    const connection = createConnection(session, settings, {
      established: () => this.established(ticket === null ? now() : ticket.since),
      ...(this.events.record === undefined
        ? { message: (bytes) => this.message(bytes) }
        : { record: (bytes, from, length) => this.record(bytes, from, length) }),
      keepalive: (tripMs) => {
        this.updateMetrics();
        if (tripMs >= 0) this.tell((chooser) => chooser.answered?.(this.index, tripMs));
        if (options.deviceClock !== undefined && options.counter !== undefined) {
          clockTick(options.deviceClock, options.counter());
        }
        if (this.chain !== null) tellDelivered(this.chain, connection);
      },
      enterChain: (ticketId, words) => this.enterChain(ticketId, words),
      delivered: () => this.delivered(connection),
      drain: () => {
        if (this.chain !== null && this.agreed && this.chain.untold >= ACK_EVERY) {
          tellDelivered(this.chain, connection);
        }
        if (this.events.drain !== undefined) this.events.drain();
      },
      closed: (why) => this.ended(connection, why),
    });
    this.connection = connection;
    this.enter('handshake', null, 0);
    if (this.state === 'handshake') connection.start(bind(connection));
    else bind(NOBODY).destroy();
  }

  private established(since: number): void {
    const connection = this.connection!;
    const { session } = connection;
    const { fullHandshake } = session;
    handshakeWorked(this.credentials);
    this.connectedAt = this.platform.timer.now();
    if (fullHandshake) this.verified = 'chain';
    this.insist(session);
    // What is kept goes first: what the owner sends on being told comes after it, and is counted.
    if (!this.goOn(connection)) return;
    this.metrics.connected++;
    this.tell((chooser) => chooser.used?.(this.index));
    if (fullHandshake) this.metrics.fullHandshakes++;
    else this.metrics.resumptions++;
    this.metrics.forwardSecrecySince = since;
    this.enter('connected', null, 0);
  }

  /** Goes on with the chain (X9), or begins it. False if the connection ended over it. */
  private goOn(connection: Connection): boolean {
    const { chain } = this;
    if (chain === null) return true;
    this.agreed = chainAgreed(connection);
    if (!this.agreed || !this.chained) this.settle(restartChain(chain));
    if (this.connection !== connection) return false;
    if (this.agreed && !rewindKept(chain, connection)) {
      connection.fail(WRONG_COUNT);
      return false;
    }
    this.settle(removeLarger(chain, connection.session.messageMax));
    if (this.connection !== connection) return false;
    if (this.agreed) sendKept(chain, connection);
    else flushKept(chain, connection);
    return true;
  }

  /** A server that said hello once speaks the extensions: `allow` becomes `require` (X1). */
  private insist(session: Session): void {
    const { options } = this;
    if (options.extensions !== 'allow' || !hasFlag(session.slot, SlotFlag.edge)) return;
    this.options = { ...options, extensions: 'require' };
    options.chain!.edge = null;
  }

  private settle(unsettled: readonly Uint8Array[]): void {
    if (unsettled.length > 0 && this.events.unsettled !== undefined) this.events.unsettled(unsettled);
  }

  private enterChain(ticketId: Uint8Array | null, words: Int32Array): boolean {
    const { chain } = this;
    this.chained = ticketId !== null;
    if (chain === null) return false;
    if (ticketId !== null) enterChain(chain, words);
    return true;
  }

  /** The peer says how many of our messages it has delivered. */
  private delivered(connection: Connection): void {
    const { chain } = this;
    if (chain === null) return;
    if (!chainDelivered(chain, connection.session.slot.words)) connection.fail(WRONG_COUNT);
    else if (this.events.drain !== undefined) this.events.drain();
  }

  private message(bytes: Uint8Array): void {
    this.metrics.messagesIn++;
    if (this.chain !== null) noteDelivered(this.chain, this.connection!);
    if (this.events.message !== undefined) this.events.message(bytes);
  }

  private record(bytes: Uint8Array, from: number, length: number): void {
    this.metrics.messagesIn++;
    if (this.chain !== null) noteDelivered(this.chain, this.connection!);
    this.events.record!(bytes, from, length);
  }

  /** Reads the figures of the keep-alive, for metrics and the choice of paths. */
  updateMetrics(): LinkMetrics {
    const { metrics, connection } = this;
    const ticket = this.options.chain!.ticket;
    // After a KEM rekey the chain begins there.
    if (ticket !== null && ticket.resumptions < 0) metrics.forwardSecrecySince = ticket.since;
    if (connection !== null && this.state === 'connected' && connection.keepsAlive) {
      const { words } = connection.session.slot;
      metrics.rttMs = keepaliveRttMs(words, Word.keepalive);
      metrics.jitterMs = keepaliveJitterMs(words, Word.keepalive);
      metrics.lossPermille = keepaliveLossPermille(words, Word.keepalive);
      noteMetrics(this.endpoints, this.index, metrics.rttMs, metrics.jitterMs, metrics.lossPermille);
    }
    return metrics;
  }

  private ended(connection: Connection, why: Reject): void {
    if (connection !== this.connection) return;
    const { timer, jitter } = this.platform;
    const was = this.state;
    this.connection = null;
    this.agreed = false;
    const { deviceClock } = this.options;
    if (deviceClock !== undefined && was !== 'connected' && why.code === ErrorCode.messageTimeInvalid) {
      doubtClock(deviceClock, "a server's time differs by more than 60 s");
    }
    if (was === 'stopped') return;
    if (was === 'connected' && why.reason === 'disconnected') {
      this.tell((chooser) => chooser.missed?.(this.index));
    } else if (!isOrderly(why) && !why.authenticated) {
      this.tell((chooser) => chooser.lost?.(this.index));
    }
    const ms = timer.now();
    if (was === 'connected') {
      this.metrics.ended++;
      if (((ms - this.connectedAt) | 0) >= PROVED_MS) attemptSucceeded(this.endpoints, this.index);
      attemptFailed(this.endpoints, this.index, ms, jitter());
    } else {
      this.metrics.failed++;
      const other = handshakeFailed(this.credentials, this.options, connection.session);
      if (!other) attemptFailed(this.endpoints, this.index, ms, jitter());
    }
    this.schedule(isOrderly(why) && was !== 'connected' ? null : why);
  }
}
