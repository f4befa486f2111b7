// A link that stays: it connects to one of several endpoints, resumes where it can, notices a peer that died,
// and comes back with capped, jittered pauses. It needs a platform only through src/platform.ts, and all that it
// waits for is one wake-up.

import {
  WITH_CLOCK,
  WITH_EXACTLY_ONCE,
  WITH_KEEPALIVE,
  WITH_PATHS,
  WITH_REKEY,
  WITH_SLEEP,
  WITH_STRICT,
} from '../features.ts';
import { ErrorCode, isOrderly, missing, QstpError, reject } from '../error.ts';
import type { Reject } from '../error.ts';
import { hasFlag, SlotFlag, Word } from '../pool/slot.ts';
import { clockClose, clockProved, clockTick, doubtClock, notePassed } from '../session/clock.ts';
import type { Session } from '../session/session.ts';
import type { Connector } from '../platform.ts';
import { checkClient, clientSession } from './client.ts';
import { createConnection } from './connection.ts';
import type { Connection } from './connection.ts';
import {
  createCredentials,
  handshakeBegins,
  handshakeFailed,
  handshakeWorked,
  nextHandshake,
} from './credentials.ts';
import { ACK_EVERY, keepMessage, sendKept, tellDelivered } from './exactly-once.ts';
import {
  attemptFailed,
  attemptSucceeded,
  createEndpoints,
  nextAttempt,
  noteMetrics,
  preferred,
} from './endpoints.ts';
import type { PathChooser } from './endpoints.ts';
import { keepaliveJitterMs, keepaliveLossPermille, keepaliveRttMs } from './keepalive.ts';
import type { LinkEvents, LinkMetrics, LinkOptions, LinkPlatform, LinkState } from './link-settings.ts';
import { NOBODY, Probes } from './probes.ts';
import { sleepBytes, wakeWith } from './sleep.ts';
import { TrustingLink } from './trusting.ts';

export type { LinkEvents, LinkMetrics, LinkOptions, LinkPlatform, LinkState } from './link-settings.ts';

/** A connection that lived so long proves its endpoint good, milliseconds. */
const PROVED_MS = 10000;

const STOPPED = /* @__PURE__ */ reject('closed', ErrorCode.none, 'closed by this end', true);
const MOVED = /* @__PURE__ */ reject('moved', ErrorCode.none, 'another endpoint answers better', true);

export class Link extends TrustingLink {
  state: LinkState = 'waiting';
  private readonly endpoints: ReturnType<typeof createEndpoints>;
  private readonly credentials = createCredentials();
  private index = 0;
  private cancelOpen: (() => void) | null = null;
  private cancelRetry: (() => void) | null = null;
  private retryAt = 0;
  private connectedAt = 0;
  /** Of the endpoints, for the chooser; null without. */
  private readonly probes: Probes | null;

  constructor(options: LinkOptions, platform: LinkPlatform, events: LinkEvents) {
    super(options, platform, events);
    checkClient(options);
    const { chooser } = options;
    if (!WITH_PATHS && (options.endpoints !== 1 || (chooser ?? null) !== null)) throw missing('paths');
    const more = chooser === undefined ? {} : { chooser };
    this.endpoints = createEndpoints({ ...options, count: options.endpoints, ...more }, platform.timer.now());
    const { endpoints, probeMs = 0 } = options;
    this.probes =
      WITH_PATHS && probeMs > 0 && endpoints > 1 && chooser !== undefined && chooser !== null
        ? new Probes({ ...platform, chooser, endpoints, everyMs: probeMs, done: () => this.reconsider() })
        : null;
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
    if (
      WITH_EXACTLY_ONCE &&
      chain !== null &&
      (this.agreed || this.state !== 'connected') &&
      this.state !== 'stopped'
    ) {
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
    if (WITH_CLOCK && options.deviceClock !== undefined && options.counter !== undefined) {
      clockClose(options.deviceClock, options.counter());
    }
    if (this.probes !== null) this.probes.stop();
    this.enter('stopped', STOPPED, 0);
    if (connection !== null) connection.close();
    this.connection = null;
  }

  /**
   * Stops for a deep sleep: the bytes to keep, at most 256, sealed with the device's key of 32 bytes. After the
   * sleep a new link goes on from them with {@link resume}. Throws `nothing_to_keep` while there is no ticket.
   */
  suspend(key: Uint8Array): Uint8Array {
    if (!WITH_SLEEP) throw missing('sleep');
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
    if (!WITH_SLEEP) throw missing('sleep');
    const { wallet, deviceClock } = this.options;
    const time = wallet === undefined || wallet === null ? null : wakeWith(wallet, bytes, key);
    if (WITH_CLOCK && time !== null && deviceClock !== undefined) notePassed(deviceClock, time);
    return time !== null;
  }

  /**
   * Starts a KEM rekey (X5): it heals a passive compromise of the chain, and costs both ends a KEM operation or
   * two. Throws `not_connected`, `rekey_unavailable`.
   */
  rekey(): void {
    if (!WITH_REKEY) throw missing('rekey');
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
    if (WITH_PATHS && chooser !== undefined && chooser !== null) what(chooser);
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
    const pair = this.pairs.choose(now());
    if ('reason' in pair) {
      bind(NOBODY).destroy();
      this.metrics.failed++;
      attemptFailed(this.endpoints, this.index, timer.now(), platform.jitter());
      this.schedule(pair);
      return;
    }
    this.pair = pair;
    handshakeBegins(credentials, ticket, timer.now());
    let session: Session;
    try {
      session = clientSession(options, ticket, this.pairs.verifiedOf(pair), now, pair);
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
        this.askAgain(connection);
        if (WITH_PATHS && tripMs >= 0) {
          if (this.probes !== null) this.probes.answered(this.index);
          this.tell((chooser) => chooser.answered?.(this.index, tripMs));
        }
        if (WITH_CLOCK && options.deviceClock !== undefined && options.counter !== undefined) {
          clockTick(options.deviceClock, options.counter());
        }
        if (WITH_EXACTLY_ONCE && this.chain !== null) tellDelivered(this.chain, connection);
      },
      enterChain: (ticketId, words) => this.enterChain(ticketId, words),
      delivered: () => this.delivered(connection),
      drain: () => {
        if (WITH_EXACTLY_ONCE && this.chain !== null && this.agreed && this.chain.untold >= ACK_EVERY) {
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
    if (fullHandshake) this.pairs.confirm(this.pair);
    const { deviceClock, counter } = this.options;
    if (WITH_CLOCK && fullHandshake && deviceClock !== undefined && counter !== undefined) {
      clockProved(deviceClock, counter());
    }
    this.warn();
    this.insist(session);
    // What is kept goes first: what the owner sends on being told comes after it, and is counted.
    if (!this.goOn(connection)) return;
    this.metrics.connected++;
    this.tell((chooser) => chooser.used?.(this.index));
    if (fullHandshake) this.metrics.fullHandshakes++;
    else this.metrics.resumptions++;
    this.metrics.forwardSecrecySince = since;
    if (this.probes !== null) this.probes.start();
    this.enter('connected', null, 0);
  }

  /** The chooser has heard of every endpoint: goes on by ticket through another if that is better now. */
  private reconsider(): void {
    const { connection, endpoints } = this;
    const ms = this.platform.timer.now();
    const index = preferred(endpoints, ms);
    if (index === -1 || index === this.index || connection === null || this.state !== 'connected') return;
    if (((ms - this.connectedAt) | 0) >= PROVED_MS) attemptSucceeded(endpoints, this.index);
    this.leave();
    this.metrics.moved++;
    connection.close();
    this.schedule(MOVED);
  }

  /** The connection is no longer this link's. */
  private leave(): void {
    if (this.probes !== null) this.probes.stop();
    this.connection = null;
    this.agreed = false;
  }

  /** A server that said hello once speaks the extensions: `allow` becomes `require` (X1). */
  private insist(session: Session): void {
    const { options } = this;
    if (!WITH_STRICT || options.extensions !== 'allow' || !hasFlag(session.slot, SlotFlag.edge)) return;
    this.options = { ...options, extensions: 'require' };
    options.chain!.edge = null;
  }

  /** Reads the figures of the keep-alive, for metrics and the choice of paths. */
  updateMetrics(): LinkMetrics {
    const { metrics, connection } = this;
    const ticket = this.options.chain!.ticket;
    // After a KEM rekey the chain begins there.
    if (ticket !== null && ticket.resumptions < 0) metrics.forwardSecrecySince = ticket.since;
    if (WITH_KEEPALIVE && connection !== null && this.state === 'connected' && connection.keepsAlive) {
      const { words } = connection.session.slot;
      metrics.rttMs = keepaliveRttMs(words, Word.keepalive);
      metrics.jitterMs = keepaliveJitterMs(words, Word.keepalive);
      metrics.lossPermille = keepaliveLossPermille(words, Word.keepalive);
      if (WITH_PATHS)
        noteMetrics(this.endpoints, this.index, metrics.rttMs, metrics.jitterMs, metrics.lossPermille);
    }
    return metrics;
  }

  private ended(connection: Connection, why: Reject): void {
    if (connection !== this.connection) return;
    const { timer, jitter } = this.platform;
    const was = this.state;
    this.leave();
    const { deviceClock } = this.options;
    if (
      WITH_CLOCK &&
      deviceClock !== undefined &&
      was !== 'connected' &&
      why.code === ErrorCode.messageTimeInvalid
    ) {
      doubtClock(deviceClock, "a server's time differs by more than 60 s");
    }
    if (was === 'stopped') return;
    if (!WITH_PATHS) {
      // Nobody chooses.
    } else if (was === 'connected' && why.reason === 'disconnected') {
      this.tell((chooser) => chooser.missed?.(this.index));
    } else if (!isOrderly(why) && !why.authenticated) {
      this.tell((chooser) => chooser.lost?.(this.index));
    }
    this.pairs.forsake(why);
    const ms = timer.now();
    if (was === 'connected') {
      this.metrics.ended++;
      if (((ms - this.connectedAt) | 0) >= PROVED_MS) attemptSucceeded(this.endpoints, this.index);
      attemptFailed(this.endpoints, this.index, ms, jitter());
    } else {
      this.metrics.failed++;
      if (this.credentials.ticket === null) this.pairs.failed(this.pair, why);
      const other = handshakeFailed(this.credentials, this.options, connection.session);
      if (!other) attemptFailed(this.endpoints, this.index, ms, jitter());
    }
    this.schedule(isOrderly(why) && was !== 'connected' ? null : why);
  }
}
