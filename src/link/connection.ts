// Drives one session over a transport: runs its operations, keeps its deadlines and its keep-alives, passes
// messages on. Every way a connection can end comes through `closed`, once, with its reason.

import { WITH_ENGINE, WITH_EXACTLY_ONCE, WITH_KEEPALIVE } from '../features.ts';
import { Feature, HEADER_BYTES } from '../params.ts';
import { ErrorCode, reject } from '../error.ts';
import type { Reject } from '../error.ts';
import type { Job } from '../crypto/job.ts';
import { Word } from '../pool/slot.ts';
import type { SessionOwner } from '../session/core.ts';
import type { ClientEdge, ClientName } from '../session/edge.ts';
import type { Session } from '../session/session.ts';
import type { Holdings } from '../wire/edge.ts';
import type { Transport } from '../platform.ts';
import type { ConnectionEvents, ConnectionSettings } from './connection-settings.ts';
import { Intake } from './intake.ts';
import { keepaliveInit, keepaliveSent } from './keepalive.ts';
import { Doing } from './wakeup.ts';

export type { ConnectionEvents, ConnectionSettings, Deadlines } from './connection-settings.ts';

/** How long a closed connection waits for the peer to close too, once all is sent, milliseconds. */
const LINGER_MS = 1000;
/** How long it waits for what is still queued to be sent, milliseconds. */
const FLUSH_MS = 15000;
/** How long a store may take to answer; then it has answered no. Milliseconds. */
const STORE_MS = 5000;

/** How much answers, lists and tickets may come to for a peer that reads nothing, bytes. */
const UNREAD_MAX = 65536;

const UNREAD = /* @__PURE__ */ reject(
  'unread',
  ErrorCode.channelDown,
  'the peer asks, and does not read the answers',
);
const CLOSED = /* @__PURE__ */ reject('closed', ErrorCode.none, 'closed by this end', true);
const CLOSED_EARLY = /* @__PURE__ */ reject('closed', ErrorCode.channelDown, 'closed by this end', true);

function disconnected(session: Session, error: string): string {
  const when = session.state === 'established' ? 'without a close notice' : 'during the handshake';
  return `the peer disconnected ${when}${error === '' ? '' : `: ${error}`}`;
}

export class Connection extends Intake implements SessionOwner {
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
      packet = session.seal(message, now, WITH_ENGINE ? settings.room : undefined);
      length = packet.length;
    } else {
      for (let i = 0; i < message.length; i++) transmit[HEADER_BYTES + i] = message[i]!;
      length = session.sealInPlace(transmit, message.length, now);
    }
    if (WITH_KEEPALIVE && this.is(Doing.keepalive)) {
      keepaliveSent(session.slot.words, Word.keepalive, settings.timer.now(), true);
      this.arm();
    }
    // With the transport gone there is only what it brought to be read; the end is reported after that.
    return transport === null || this.write(transport, packet!, length);
  }

  /** Goes on under a new key where the old one has done enough (X5). */
  protected updateKeys(now: number): void {
    if (!this.session.updateDue(now)) return;
    this.session.updateKeys(now);
    this.writeOutput();
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

  // ---- What the transport tells ---------------------------------------------------------------------------

  drain(): void {
    this.doing &= ~Doing.full;
    if (this.extra !== null) this.extra.unread = 0;
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
    return (
      WITH_EXACTLY_ONCE && this.events.enterChain !== undefined && this.events.enterChain(ticketId, words)
    );
  }

  identified(client: ClientName): void {
    if (this.events.identified !== undefined) this.events.identified(client);
  }

  client(): ClientName | null {
    return this.events.client === undefined ? null : this.events.client();
  }

  holdings(held: Holdings): boolean {
    return this.events.holdings !== undefined && this.events.holdings(held);
  }

  revocationAnswered(status: number, serial: Uint8Array): void {
    if (this.events.revocationAnswered !== undefined) this.events.revocationAnswered(status, serial);
  }

  ticketIssued(id: Uint8Array): void {
    if (this.events.ticketIssued !== undefined) this.events.ticketIssued(id);
  }

  // ---- Following the session ------------------------------------------------------------------------------

  private writeOutput(): void {
    const packet = this.session.takeOutput();
    if (packet === null || this.transport === null) return;
    const { full } = this;
    this.write(this.transport, packet, packet.length);
    if (!full || this.session.state === 'closed') return;
    const extra = this.more();
    extra.unread += packet.length;
    if (extra.unread > UNREAD_MAX) this.fail(UNREAD);
  }

  /** Brings transport, wake-up and owner in line with the session after every call to it. */
  protected follow(received: boolean): void {
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
    if (WITH_KEEPALIVE && session.role === 'client' && (words[Word.features]! & Feature.keepalive) !== 0) {
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
  protected finish(error: string): void {
    const { session } = this;
    if (session.state !== 'closed') {
      const why = reject('disconnected', ErrorCode.channelDown, disconnected(session, error));
      session.drop(why, this.settings.clock.now());
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
}

export function createConnection(
  session: Session,
  settings: ConnectionSettings,
  events: ConnectionEvents,
): Connection {
  return new Connection(session, settings, events);
}
