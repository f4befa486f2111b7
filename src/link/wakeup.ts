// When a connection has to do something by itself: all its deadlines and its keep-alives (X3) are one wake-up,
// which a device that sleeps can ask for.

import { WITH_KEEPALIVE, WITH_SERVER } from '../features.ts';
import { EdgeFlag, HANDSHAKE_DEADLINE_MS, HEADER_BYTES, HELLO_WAIT_MS } from '../params.ts';
import { ErrorCode, reject } from '../error.ts';
import type { Reject } from '../error.ts';
import { Cipher, Word } from '../pool/slot.ts';
import type { Session } from '../session/session.ts';
import type { TimerHandle, Transport, Waker } from '../platform.ts';
import type { ConnectionEvents, ConnectionSettings } from './connection-settings.ts';
import {
  Due,
  KEEPALIVE_REQUEST_BYTES,
  KEEPALIVE_RESPONSE_BYTES,
  keepaliveAnswer,
  keepaliveDue,
  keepaliveReceived,
  keepaliveRequest,
  keepaliveWake,
} from './keepalive.ts';

/** How long a server waits for the client's hello after R2 (X4), milliseconds. */
const HALF_OPEN_MS = 5000;
/** No deadline. */
const NEVER = 0x7fffffff;

const IDLE = /* @__PURE__ */ reject(
  'idle_timeout',
  ErrorCode.channelDown,
  'no packet came within the idle timeout',
);
const EXPIRED = /* @__PURE__ */ reject(
  'keepalive_expired',
  ErrorCode.keepaliveExpired,
  'the peer sent nothing, and answered nothing, for too many polls',
);
const SLOW_HANDSHAKE = /* @__PURE__ */ reject(
  'handshake_timeout',
  ErrorCode.connectionFailure,
  'the handshake was not finished within its deadline',
);

/** What a connection is doing besides waiting, as bits. */
export const Doing = {
  receiving: 1,
  paused: 2,
  stopped: 4,
  reported: 8,
  keepalive: 16,
  told: 32,
  hello: 64,
  /** The transport's queue is full. */
  full: 128,
} as const;

/** What a connection has only while something is under way. */
export interface Extra {
  /** Received and not yet taken by the session; null if there is nothing. */
  waiting: Uint8Array[] | null;
  /** Bytes of the first of them that are taken. */
  taken: number;
  cancelJob: (() => void) | null;
  /** Set when the transport is gone: its error, or an empty string. */
  ended: string | null;
  /** Bytes the session had to say since the transport's queue is full. */
  unread: number;
}

function left(ms: number, passed: number): number {
  return passed >= ms ? 0 : ms - passed;
}

export abstract class Wakeful implements Waker {
  readonly session: Session;
  protected readonly settings: ConnectionSettings;
  protected readonly events: ConnectionEvents;
  protected transport: Transport | null = null;
  /** Bits of `Doing`. */
  protected doing = 0;
  /** The one wake-up, if it is set. */
  protected timer: TimerHandle | null = null;
  protected extra: Extra | null = null;

  constructor(session: Session, settings: ConnectionSettings, events: ConnectionEvents) {
    this.session = session;
    this.settings = settings;
    this.events = events;
  }

  /** Closes with a notice to the peer. */
  abstract fail(why: Reject): void;
  /** Brings transport, wake-up and owner in line with the session after every call to it. */
  protected abstract follow(received: boolean): void;
  /** Goes on under a new key where the old one has done enough (X5). */
  protected abstract updateKeys(now: number): void;

  protected write(transport: Transport, packet: Uint8Array, length: number): boolean {
    const free = transport.write(packet, length);
    if (!free) this.doing |= Doing.full;
    return free;
  }

  /**
   * True from a write that filled the transport's queue until it drains. A peer that asks and does not read must
   * not fill memory: nothing that it alone brings about is queued meanwhile.
   */
  get full(): boolean {
    return this.is(Doing.full);
  }

  /** True while this end watches the peer with keep-alives (X3). */
  get keepsAlive(): boolean {
    return WITH_KEEPALIVE && this.is(Doing.keepalive);
  }

  /** Milliseconds until the next wake-up this connection needs, or -1 for none: a device may sleep so long. */
  wakeIn(): number {
    const now = this.settings.timer.now();
    const left = this.deadline(now);
    return left === NEVER ? -1 : left;
  }

  /** When the state this connection is in began, or a packet came last: ms. */
  protected get since(): number {
    return this.session.slot.words[Word.since]!;
  }
  protected set since(ms: number) {
    this.session.slot.words[Word.since] = ms;
  }

  protected is(bit: number): boolean {
    return (this.doing & bit) !== 0;
  }

  /** An authenticated packet came. */
  protected noteLife(application: boolean): void {
    const { session, settings } = this;
    if (session.state !== 'established') return;
    const now = settings.timer.now();
    this.since = now;
    if (WITH_KEEPALIVE && this.is(Doing.keepalive))
      keepaliveReceived(session.slot.words, Word.keepalive, now, application);
  }

  // ---- The one wake-up ------------------------------------------------------------------------------------

  /** Milliseconds to the next deadline, 0 if it has passed; NEVER if there is none. */
  protected deadline(now: number): number {
    const { session, settings } = this;
    const passed = (now - this.since) | 0;
    if (session.state === 'handshake' || session.state === 'hello') {
      const whole = left(this.handshakeMs(), passed);
      if (session.state === 'handshake' || session.role === 'server') return whole;
      // With the first sealed packet here, the hello is on its way.
      if (session.slot.words[Word.cipher] !== Cipher.none) return whole;
      const hello = left(HELLO_WAIT_MS, passed);
      return hello < whole ? hello : whole;
    }
    if (session.state === 'closed' || this.is(Doing.paused)) return NEVER;
    const idleMs = settings.idleTimeoutMs ?? 0;
    const idle = idleMs === 0 ? NEVER : left(idleMs, passed);
    if (!WITH_KEEPALIVE || !this.is(Doing.keepalive)) return idle;
    const keepalive = keepaliveWake(session.slot.words, Word.keepalive, now);
    return keepalive < idle ? keepalive : idle;
  }

  protected handshakeMs(): number {
    const { session, settings } = this;
    const phase = WITH_SERVER && session.role === 'server' ? session.phase : null;
    // A client that proved to hold the ticket, and has its identity still to show, signs first.
    if (phase !== null && phase.keys.kind === 1 && phase.identity === null) {
      return settings.halfOpenMs ?? HALF_OPEN_MS;
    }
    return settings.handshakeDeadlineMs ?? HANDSHAKE_DEADLINE_MS;
  }

  /** Sets the wake-up, unless one is set that comes early enough: it will look again. */
  protected arm(): void {
    const { timer } = this.settings;
    const now = timer.now();
    const ms = this.deadline(now);
    if (ms === NEVER) {
      if (this.session.state !== 'closed') this.disarm();
      return;
    }
    const { words } = this.session.slot;
    if (this.timer !== null) {
      if (((words[Word.wakeAt]! - now) | 0) <= ms) return;
      timer.cancel(this.timer);
    }
    words[Word.wakeAt] = (now + ms) | 0;
    this.timer = timer.schedule(this, ms);
  }

  protected disarm(): void {
    if (this.timer !== null) this.settings.timer.cancel(this.timer);
    this.timer = null;
  }

  wake(): void {
    const { session, settings } = this;
    this.timer = null;
    if (session.state === 'closed') return;
    const now = settings.timer.now();
    const passed = (now - this.since) | 0;
    if (session.state === 'handshake' || session.state === 'hello') {
      if (left(this.handshakeMs(), passed) === 0) {
        this.fail(SLOW_HANDSHAKE);
        return;
      }
      if (session.state === 'hello' && session.role === 'client' && left(HELLO_WAIT_MS, passed) === 0) {
        session.helloMissed(settings.clock.now());
        this.follow(false);
      }
    } else if (session.state === 'established' && !this.is(Doing.paused)) {
      const idleMs = settings.idleTimeoutMs ?? 0;
      if (idleMs > 0 && left(idleMs, passed) === 0) {
        this.fail(IDLE);
        return;
      }
      if (WITH_KEEPALIVE && this.is(Doing.keepalive)) this.keepalive(now);
    }
    this.arm();
  }

  // ---- Keep-alive (X3) ------------------------------------------------------------------------------------

  protected keepalive(now: number): void {
    if (!WITH_KEEPALIVE) return;
    const { session } = this;
    const due = keepaliveDue(session.slot.words, Word.keepalive, now);
    if (due === Due.dead) this.fail(EXPIRED);
    if (due !== Due.request) return;
    this.updateKeys(this.settings.clock.now());
    const packet = this.packet(KEEPALIVE_REQUEST_BYTES);
    keepaliveRequest(session.slot.words, Word.keepalive, now, packet, HEADER_BYTES);
    this.sendKeepalive(EdgeFlag.keepaliveRequest, packet, KEEPALIVE_REQUEST_BYTES);
  }

  protected answer(): void {
    const { session } = this;
    // What is queued is a sign of life already, once the peer reads it.
    if (this.full) return;
    const now = this.settings.timer.now();
    const packet = this.packet(KEEPALIVE_RESPONSE_BYTES);
    const { body, bodyAt, bodyLength } = session;
    keepaliveAnswer(body!, bodyAt, bodyLength, now, now, packet, HEADER_BYTES);
    this.sendKeepalive(EdgeFlag.keepaliveResponse, packet, KEEPALIVE_RESPONSE_BYTES);
  }

  /** Where a keep-alive of `length` bytes is sealed. */
  protected packet(length: number): Uint8Array {
    return this.settings.transmit ?? new Uint8Array(HEADER_BYTES + length + 32);
  }

  protected sendKeepalive(flag: number, packet: Uint8Array, length: number): void {
    const { session, settings, transport } = this;
    const sealed = session.sealKeepalive(flag, packet, length, settings.clock.now());
    if (sealed > 0 && transport !== null) this.write(transport, packet, sealed);
  }
}
