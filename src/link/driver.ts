// A link that stays: it connects to one of several endpoints, resumes where it can, notices a peer that died,
// and comes back with capped, jittered pauses. It needs a platform only through src/platform.ts, and all that it
// waits for is one wake-up.

import {
  WITH_CLOCK,
  WITH_ENGINE,
  WITH_EXACTLY_ONCE,
  WITH_PATHS,
  WITH_REKEY,
  WITH_SLEEP,
  WITH_STRICT,
} from '../features.ts';
import { ErrorCode, isOrderly, missing, QstpError, reject } from '../error.ts';
import type { Reject } from '../error.ts';
import { hasFlag, SlotFlag } from '../pool/slot.ts';
import { clockClose, clockProved, clockTick, doubtClock, notePassed } from '../session/clock.ts';
import type { Session } from '../session/session.ts';
import type { Connector } from '../platform.ts';
import { checkClient, clientSession } from './client.ts';
import { createConnection } from './connection.ts';
import type { Connection, ConnectionEvents, ConnectionSettings } from './connection.ts';
import {
  createCredentials,
  handshakeBegins,
  handshakeFailed,
  handshakeWorked,
  nextHandshake,
} from './credentials.ts';
import { ACK_EVERY, keepMessage, sendKept, tellDelivered } from './exactly-once.ts';
import { attemptFailed, nextAttempt } from './endpoints.ts';
import type { LinkEvents, LinkOptions, LinkPlatform, LinkState } from './link-settings.ts';
import { NOBODY } from './probes.ts';
import { sleepBytes, wakeWith } from './sleep.ts';
import { MovingLink } from './moving.ts';

export type { LinkEvents, LinkMetrics, LinkOptions, LinkPlatform, LinkState } from './link-settings.ts';

const STOPPED = /* @__PURE__ */ reject('closed', ErrorCode.none, 'closed by this end', true);

type Bind = Parameters<Parameters<Connector['open']>[1]>[0] & object;

/** What all connections of a link are given. */
function settingsOf(options: LinkOptions, platform: LinkPlatform): ConnectionSettings {
  const { handshakeDeadlineMs, halfOpenMs, idleTimeoutMs, pool } = options;
  const { timer, clock, execute, room } = platform;
  const transmit = pool === undefined ? null : pool.transmit;
  const more = WITH_ENGINE && room !== undefined ? { room } : {};
  return { timer, clock, execute, handshakeDeadlineMs, halfOpenMs, idleTimeoutMs, transmit, ...more };
}

export class Link extends MovingLink implements ConnectionEvents {
  private readonly credentials = createCredentials();
  private readonly settings: ConnectionSettings;
  private cancelOpen: (() => void) | null = null;
  private cancelRetry: (() => void) | null = null;
  private retryAt = 0;

  constructor(options: LinkOptions, platform: LinkPlatform, events: LinkEvents) {
    super(options, platform, events);
    checkClient(options);
    this.settings = settingsOf(options, platform);
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

  protected enter(state: LinkState, why: Reject | null, waitMs: number): void {
    this.state = state;
    if (this.events.state !== undefined) this.events.state(state, why, waitMs);
  }

  /** Plans the next attempt. */
  protected schedule(why: Reject | null): void {
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

  private handshake(bind: Bind): void {
    // What is made before is not on the engine's stack any more when the handshake begins.
    const connection = this.prepare(bind);
    if (connection !== null) connection.start(bind(connection));
  }

  /** The connection of this attempt; null, and the stream is closed, if there is to be none. */
  private prepare(bind: Bind): Connection | null {
    const session = this.nextSession(bind);
    if (session === null) return null;
    const connection = createConnection(session, this.settings, this);
    this.connection = connection;
    this.enter('handshake', null, 0);
    if (this.state === 'handshake') return connection;
    bind(NOBODY).destroy();
    return null;
  }

  private nextSession(bind: Bind): Session | null {
    const { options, platform, credentials } = this;
    const { timer, clock } = platform;
    const now = (): number => clock.now();
    const limit = options.fullHandshakeMinMs ?? 0;
    const { ticket, waitMs } = nextHandshake(credentials, options, now(), timer.now(), limit);
    if (waitMs > 0) {
      // The ticket this attempt was for has expired meanwhile.
      bind(NOBODY).destroy();
      this.schedule(null);
      return null;
    }
    const pair = this.pairs.next(now());
    if ('reason' in pair) {
      this.giveUp(bind, pair);
      return null;
    }
    this.pair = pair;
    handshakeBegins(credentials, ticket, timer.now());
    try {
      return clientSession(options, ticket, this.pairs.verifiedOf(pair), now, pair);
    } catch (error) {
      // No slot, or a counter that cannot be stored: what is wrong may be over by the next attempt.
      credentials.ticket = null;
      const { code, message } = error as QstpError;
      this.giveUp(bind, reject(code, ErrorCode.memoryAllocation, message));
      return null;
    }
  }

  /** The attempt has failed before its handshake. */
  private giveUp(bind: Bind, why: Reject): void {
    const { timer, jitter } = this.platform;
    bind(NOBODY).destroy();
    this.metrics.failed++;
    attemptFailed(this.endpoints, this.index, timer.now(), jitter());
    this.schedule(why);
  }

  // ---- What its connection tells: not for others to call ------------------------------------------------------

  established(): void {
    const connection = this.connection!;
    const { session } = connection;
    const { fullHandshake } = session;
    const { ticket } = this.credentials;
    const since = ticket === null ? this.platform.clock.now() : ticket.since;
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

  keepalive(tripMs: number): void {
    const { options } = this;
    const connection = this.connection!;
    this.updateMetrics();
    this.askAgain(connection);
    this.answered(tripMs);
    if (WITH_CLOCK && options.deviceClock !== undefined && options.counter !== undefined) {
      clockTick(options.deviceClock, options.counter());
    }
    if (WITH_EXACTLY_ONCE && this.chain !== null) tellDelivered(this.chain, connection);
  }

  drain(): void {
    const { chain } = this;
    if (WITH_EXACTLY_ONCE && chain !== null && this.agreed && chain.untold >= ACK_EVERY) {
      tellDelivered(chain, this.connection!);
    }
    if (this.events.drain !== undefined) this.events.drain();
  }

  /** A server that said hello once speaks the extensions: `allow` becomes `require` (X1). */
  private insist(session: Session): void {
    const { options } = this;
    if (!WITH_STRICT || options.extensions !== 'allow' || !hasFlag(session.slot, SlotFlag.edge)) return;
    this.options = { ...options, extensions: 'require' };
    options.chain!.edge = null;
  }

  closed(why: Reject): void {
    const { connection } = this;
    // Of a connection that this link has left for another it needs to know nothing.
    if (connection === null || connection.session.state !== 'closed') return;
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
      this.noteProved(ms);
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
