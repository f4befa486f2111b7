// Drives one session over a transport: runs its operations, keeps its deadlines and its keep-alives, passes
// messages on. Every way a connection can end comes through `closed`, once, with its reason. All its deadlines
// are one wake-up, which a device that sleeps can ask for.

import { EdgeFlag, Feature, HANDSHAKE_DEADLINE_MS, HEADER_BYTES, HELLO_WAIT_MS } from '../params.ts';
import { ErrorCode, reject } from '../error.ts';
import type { Reject } from '../error.ts';
import type { Job } from '../crypto/job.ts';
import { Cipher, Word } from '../pool/slot.ts';
import { SessionEvent } from '../session/core.ts';
import type { SessionOwner } from '../session/core.ts';
import type { ClientEdge } from '../session/edge.ts';
import type { Session } from '../session/session.ts';
import type { Clock, Executor, Timer, TimerHandle, Transport, TransportEvents, Waker } from '../platform.ts';
import {
  Due,
  KEEPALIVE_REQUEST_BYTES,
  KEEPALIVE_RESPONSE_BYTES,
  keepaliveAnswer,
  keepaliveAnswered,
  keepaliveDue,
  keepaliveInit,
  keepaliveReceived,
  keepaliveRequest,
  keepaliveSent,
  keepaliveWake,
} from './keepalive.ts';

export interface Deadlines {
  /** From the start to `established`, milliseconds. Default 15,000. */
  readonly handshakeDeadlineMs?: number | undefined;
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
  /** The peer has delivered messages of ours: see the session's slot (X9). */
  delivered?(): void;
  /** The end, once. `reason` peer_closed or closed is an orderly one. */
  closed?(why: Reject): void;
}

/** How long a closed connection waits for the peer to close too, once all is sent, milliseconds. */
const LINGER_MS = 1000;
/** How long it waits for what is still queued to be sent, milliseconds. */
const FLUSH_MS = 15000;
/** How long a server waits for the client's hello after R2 (X4), milliseconds. */
const HALF_OPEN_MS = 5000;
/** How long a store may take to answer; then it has answered no. Milliseconds. */
const STORE_MS = 5000;
/** No deadline. */
const NEVER = 0x7fffffff;

const CLOSED = /* @__PURE__ */ reject('closed', ErrorCode.none, 'closed by this end', true);
const CLOSED_EARLY = /* @__PURE__ */ reject('closed', ErrorCode.channelDown, 'closed by this end', true);
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

function disconnected(session: Session, error: string): string {
  const when = session.state === 'established' ? 'without a close notice' : 'during the handshake';
  return `the peer disconnected ${when}${error === '' ? '' : `: ${error}`}`;
}

/** What a connection is doing besides waiting, as bits. */
const Doing = {
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
interface Extra {
  /** Received and not yet taken by the session; null if there is nothing. */
  waiting: Uint8Array[] | null;
  /** Bytes of the first of them that are taken. */
  taken: number;
  cancelJob: (() => void) | null;
  /** Set when the transport is gone: its error, or an empty string. */
  ended: string | null;
}

export class Connection implements TransportEvents, SessionOwner, Waker {
  readonly session: Session;
  private readonly settings: ConnectionSettings;
  private readonly events: ConnectionEvents;
  private transport: Transport | null = null;
  /** Bits of `Doing`. */
  private doing = 0;
  /** The one wake-up, if it is set. */
  private timer: TimerHandle | null = null;
  private extra: Extra | null = null;

  constructor(session: Session, settings: ConnectionSettings, events: ConnectionEvents) {
    this.session = session;
    this.settings = settings;
    this.events = events;
  }

  /** Begins the handshake. `transport` is connected; its events go to this object. */
  start(transport: Transport): void {
    const { session, settings } = this;
    this.transport = transport;
    this.since = settings.timer.now();
    session.owner = this;
    session.start(settings.clock.now());
    this.follow(false);
  }

  /**
   * Sends a message of 1 to `session.messageMax` bytes. False: wait for `drain`. Throws as `Session.seal`.
   */
  send(message: Uint8Array): boolean {
    const { session, settings, transport } = this;
    const now = settings.clock.now();
    this.updateKeys(now);
    const transmit = settings.transmit ?? null;
    let packet = transmit;
    let length = 0;
    if (transmit === null || transmit.length < message.length + HEADER_BYTES + 32) {
      packet = session.seal(message, now);
      length = packet.length;
    } else {
      for (let i = 0; i < message.length; i++) transmit[HEADER_BYTES + i] = message[i]!;
      length = session.sealInPlace(transmit, message.length, now);
    }
    if (this.is(Doing.keepalive)) {
      keepaliveSent(session.slot.words, Word.keepalive, settings.timer.now(), true);
      this.arm();
    }
    // With the transport gone there is only what it brought to be read; the end is reported after that.
    return transport === null || this.write(transport, packet!, length);
  }

  private write(transport: Transport, packet: Uint8Array, length: number): boolean {
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

  /** Goes on under a new key where the old one has done enough (X5). */
  private updateKeys(now: number): void {
    if (!this.session.updateDue(now)) return;
    this.session.updateKeys(now);
    this.writeOutput();
  }

  /** True while this end watches the peer with keep-alives (X3). */
  get keepsAlive(): boolean {
    return this.is(Doing.keepalive);
  }

  /** Stops and goes on delivering messages; the peer is slowed down by its transport. */
  pause(): void {
    this.doing |= Doing.paused;
    if (this.transport !== null && !this.is(Doing.stopped)) {
      this.doing |= Doing.stopped;
      this.transport.pause();
    }
    this.arm();
  }

  resume(): void {
    // What a slow reader left lying is no silence of the peer's.
    if (this.is(Doing.paused)) this.noteLife(false);
    this.doing &= ~Doing.paused;
    this.receiveWaiting();
    this.arm();
  }

  /** Closes with a notice to the peer. */
  close(): void {
    // A server that waits for the client's hello has a client that may count as connected already.
    this.fail(this.session.state === 'handshake' ? CLOSED_EARLY : CLOSED);
  }

  /** The same for a given reason. */
  fail(why: Reject): void {
    const { session } = this;
    if (session.state === 'closed') return;
    session.close(why, this.settings.clock.now());
    this.follow(false);
  }

  /** Lets `act` put control messages into the session's output, or start a rekey, and sees to it. `now` in seconds. */
  control(act: (now: number) => void): void {
    act(this.settings.clock.now());
    this.follow(false);
  }

  /** Milliseconds until the next wake-up this connection needs, or -1 for none: a device may sleep so long. */
  wakeIn(): number {
    const now = this.settings.timer.now();
    const left = this.deadline(now);
    return left === NEVER ? -1 : left;
  }

  // ---- What the transport tells ---------------------------------------------------------------------------

  data(bytes: Uint8Array): void {
    const { session } = this;
    if (session.state === 'closed' || bytes.length === 0) return;
    if (!this.waiting && !this.is(Doing.receiving) && !this.is(Doing.paused)) {
      const taken = this.receiveFrom(bytes, 0);
      if (taken < bytes.length && session.closed === null) {
        const extra = this.more();
        extra.waiting = [bytes];
        extra.taken = taken;
      }
      this.afterReceiving();
    } else {
      const extra = this.more();
      if (extra.waiting === null) extra.waiting = [];
      extra.waiting.push(bytes);
      this.receiveWaiting();
    }
  }

  drain(): void {
    this.doing &= ~Doing.full;
    if (this.session.state === 'established' && this.events.drain !== undefined) this.events.drain();
  }

  gone(error: string | null): void {
    this.transport = null;
    this.more().ended = error ?? '';
    // A writer that waits for room must not wait for ever.
    if (this.waiting) this.drain();
    if (this.session.state === 'closed') this.disarm();
    this.receiveWaiting();
  }

  // ---- What the session asks --------------------------------------------------------------------------------

  handshakeBufferReady(): void {
    this.receiveWaiting();
  }

  enterChain(ticketId: Uint8Array | null, words: Int32Array): boolean {
    return this.events.enterChain !== undefined && this.events.enterChain(ticketId, words);
  }

  ticketIssued(id: Uint8Array): void {
    if (this.events.ticketIssued !== undefined) this.events.ticketIssued(id);
  }

  // ---- Receiving ------------------------------------------------------------------------------------------

  private more(): Extra {
    if (this.extra === null) this.extra = { waiting: null, taken: 0, cancelJob: null, ended: null };
    return this.extra;
  }

  private tidy(): void {
    const { extra } = this;
    if (extra !== null && extra.waiting === null && extra.cancelJob === null && extra.ended === null) {
      this.extra = null;
    }
  }

  /** True while bytes wait that the session did not take. */
  private get waiting(): boolean {
    return this.extra !== null && this.extra.waiting !== null;
  }

  /** When the state this connection is in began, or a packet came last: ms. */
  private get since(): number {
    return this.session.slot.words[Word.since]!;
  }
  private set since(ms: number) {
    this.session.slot.words[Word.since] = ms;
  }

  private is(bit: number): boolean {
    return (this.doing & bit) !== 0;
  }

  /** Feeds the session from `bytes[from..]` until it wants no more. Returns where it stopped. */
  private receiveFrom(bytes: Uint8Array, from: number): number {
    const { session, settings } = this;
    let at = from;
    this.doing |= Doing.receiving;
    while (at < bytes.length && !this.is(Doing.paused)) {
      const { words } = session.slot;
      const before = words[Word.rxLow]!;
      const count = session.receive(bytes, at, settings.clock.now());
      if (count === 0) break;
      at += count;
      if (session.event !== SessionEvent.none) this.handleEvent();
      // A control message is a sign of life too.
      else if (session.state === 'established' && words[Word.rxLow] !== before) this.noteLife(false);
      this.follow(true);
    }
    this.doing &= ~Doing.receiving;
    return at;
  }

  /** Goes on with what waits. */
  private receiveWaiting(): void {
    if (this.is(Doing.receiving)) return;
    const { extra } = this;
    while (extra !== null && extra.waiting !== null && !this.is(Doing.paused)) {
      const bytes = extra.waiting[0]!;
      const at = this.receiveFrom(bytes, extra.taken);
      if (extra.waiting === null) break;
      if (at < bytes.length) {
        extra.taken = at;
        break;
      }
      extra.taken = 0;
      extra.waiting.shift();
      if (extra.waiting.length === 0) extra.waiting = null;
    }
    this.afterReceiving();
  }

  private afterReceiving(): void {
    const { session, transport } = this;
    if (this.is(Doing.receiving)) return;
    const waits = this.waiting;
    const ended = this.extra === null ? null : this.extra.ended;
    if (!waits) session.rest();
    if (ended !== null && !waits) this.finish(ended);
    this.tidy();
    const hold = (this.is(Doing.paused) || waits) && session.state !== 'closed';
    if (transport === null || hold === this.is(Doing.stopped)) return;
    this.doing ^= Doing.stopped;
    if (hold) transport.pause();
    else transport.resume();
  }

  private handleEvent(): void {
    const { session, events } = this;
    const { event } = session;
    this.noteLife(event === SessionEvent.message);
    if (event === SessionEvent.message) {
      if (events.record !== undefined) events.record(session.body!, session.bodyAt, session.bodyLength);
      else if (events.message !== undefined) events.message(session.message!);
    } else if (event === SessionEvent.keepaliveRequest) {
      this.answer();
      if (events.keepalive !== undefined) events.keepalive(-1);
    } else if (event === SessionEvent.keepaliveResponse) {
      if (this.is(Doing.keepalive)) {
        const { words } = session.slot;
        const now = this.settings.timer.now();
        const { body, bodyAt, bodyLength } = session;
        const trip = keepaliveAnswered(words, Word.keepalive, body!, bodyAt, bodyLength, now);
        if (events.keepalive !== undefined) events.keepalive(trip < 0 ? -1 : trip);
      }
    } else if (event === SessionEvent.delivered) {
      if (events.delivered !== undefined) events.delivered();
    }
  }

  /** An authenticated packet came. */
  private noteLife(application: boolean): void {
    const { session, settings } = this;
    if (session.state !== 'established') return;
    const now = settings.timer.now();
    this.since = now;
    if (this.is(Doing.keepalive)) keepaliveReceived(session.slot.words, Word.keepalive, now, application);
  }

  // ---- Following the session ------------------------------------------------------------------------------

  private writeOutput(): void {
    const packet = this.session.takeOutput();
    if (packet !== null && this.transport !== null) this.write(this.transport, packet, packet.length);
  }

  /** Brings transport, wake-up and owner in line with the session after every call to it. */
  private follow(received: boolean): void {
    const { session } = this;
    this.writeOutput();
    if (session.state === 'closed') {
      this.hangUp();
      this.report();
      return;
    }
    if (session.state === 'established' && !this.is(Doing.told)) this.established();
    const job = session.pending;
    if (job !== null && (this.extra === null || this.extra.cancelJob === null)) this.execute(job);
    if (session.state === 'hello' && !this.is(Doing.hello)) {
      // Its deadlines count from here: on a slow device the handshake took most of a minute.
      this.doing |= Doing.hello;
      this.since = this.settings.timer.now();
      if (this.events.hello !== undefined) this.events.hello();
    }
    if (!received || session.state !== 'established' || this.is(Doing.keepalive)) this.arm();
  }

  /** Runs an operation: the executor answers at once or later, a store within its deadline. */
  private execute(job: Job): void {
    const { session, settings } = this;
    const extra = this.more();
    let finished = false;
    let cancelWait: (() => void) | null = null;
    const finish = (good: boolean): void => {
      if (finished) return;
      finished = true;
      if (cancelWait !== null) cancelWait();
      extra.cancelJob = null;
      if (session.state === 'closed') return;
      session.resume(good, settings.clock.now());
      this.follow(false);
      this.receiveWaiting();
    };
    const cancel = settings.execute(session.crypto!, job, finish);
    if (finished) return;
    if (job.op === 'call') {
      cancelWait = settings.timer.set(() => {
        cancel();
        finish(false);
      }, STORE_MS);
    }
    extra.cancelJob = () => {
      finished = true;
      cancel();
      if (cancelWait !== null) cancelWait();
    };
  }

  private established(): void {
    const { session, settings, events } = this;
    this.doing |= Doing.told;
    const now = settings.timer.now();
    this.since = now;
    const { words } = session.slot;
    if (session.role === 'client' && (words[Word.features]! & Feature.keepalive) !== 0) {
      const { pollMs, missed } = session.edge as ClientEdge;
      if (pollMs > 0) {
        keepaliveInit(words, Word.keepalive, pollMs, missed, now);
        this.doing |= Doing.keepalive;
      }
    }
    this.arm();
    if (events.established === undefined) return;
    // Messages that are here already wait until the owner has been told.
    const outer = this.doing & Doing.receiving;
    this.doing |= Doing.receiving;
    events.established();
    this.doing = (this.doing & ~Doing.receiving) | outer;
  }

  private report(): void {
    if (this.is(Doing.reported)) return;
    this.doing |= Doing.reported;
    const { extra } = this;
    if (extra !== null) {
      if (extra.cancelJob !== null) extra.cancelJob();
      extra.cancelJob = null;
      extra.waiting = null;
    }
    if (this.events.closed !== undefined) this.events.closed(this.session.closed!);
  }

  /** Reports a transport that is gone, once all it brought was delivered. */
  private finish(error: string): void {
    const { session } = this;
    if (session.state !== 'closed') {
      const why = reject('disconnected', ErrorCode.channelDown, disconnected(session, error));
      session.close(why, this.settings.clock.now());
      session.takeOutput();
    }
    this.disarm();
    this.report();
  }

  /** Lets the transport send what is queued, then closes it. */
  private hangUp(): void {
    const closing = this.transport;
    if (closing === null || this.is(Doing.reported)) return;
    const { timer } = this.settings;
    const linger = (ms: number): void => {
      this.disarm();
      const waker = {
        wake: () => {
          this.timer = null;
          closing.destroy();
        },
      };
      this.timer = timer.schedule(waker, ms);
    };
    // The peer may still be sending: without reading on, its data would turn the close into a reset.
    closing.resume();
    linger(FLUSH_MS);
    closing.end(() => {
      if (this.extra === null || this.extra.ended === null) linger(LINGER_MS);
    });
  }

  // ---- The one wake-up ------------------------------------------------------------------------------------

  /** Milliseconds to the next deadline, 0 if it has passed; NEVER if there is none. */
  private deadline(now: number): number {
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
    if (!this.is(Doing.keepalive)) return idle;
    const keepalive = keepaliveWake(session.slot.words, Word.keepalive, now);
    return keepalive < idle ? keepalive : idle;
  }

  private handshakeMs(): number {
    const { session, settings } = this;
    if (session.role === 'server' && session.phase !== null && session.phase.keys.kind === 1)
      return HALF_OPEN_MS;
    return settings.handshakeDeadlineMs ?? HANDSHAKE_DEADLINE_MS;
  }

  /** Sets the wake-up, unless one is set that comes early enough: it will look again. */
  private arm(): void {
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

  private disarm(): void {
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
      if (this.is(Doing.keepalive)) this.keepalive(now);
    }
    this.arm();
  }

  // ---- Keep-alive (X3) ------------------------------------------------------------------------------------

  private keepalive(now: number): void {
    const { session } = this;
    const due = keepaliveDue(session.slot.words, Word.keepalive, now);
    if (due === Due.dead) this.fail(EXPIRED);
    if (due !== Due.request) return;
    this.updateKeys(this.settings.clock.now());
    const packet = this.packet(KEEPALIVE_REQUEST_BYTES);
    keepaliveRequest(session.slot.words, Word.keepalive, now, packet, HEADER_BYTES);
    this.sendKeepalive(EdgeFlag.keepaliveRequest, packet, KEEPALIVE_REQUEST_BYTES);
  }

  private answer(): void {
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
  private packet(length: number): Uint8Array {
    return this.settings.transmit ?? new Uint8Array(HEADER_BYTES + length + 32);
  }

  private sendKeepalive(flag: number, packet: Uint8Array, length: number): void {
    const { session, settings, transport } = this;
    const sealed = session.sealKeepalive(flag, packet, length, settings.clock.now());
    if (sealed > 0 && transport !== null) this.write(transport, packet, sealed);
  }
}

function left(ms: number, passed: number): number {
  return passed >= ms ? 0 : ms - passed;
}

export function createConnection(
  session: Session,
  settings: ConnectionSettings,
  events: ConnectionEvents,
): Connection {
  return new Connection(session, settings, events);
}
