// What a transport brings: fed to the session as it takes it, held back while it does not, told to the owner.

import { WITH_EXACTLY_ONCE, WITH_KEEPALIVE } from '../features.ts';
import { SessionEvent } from '../session/core.ts';
import type { TransportEvents } from '../platform.ts';
import { Word } from '../pool/slot.ts';
import { keepaliveAnswered } from './keepalive.ts';
import { Doing, Wakeful } from './wakeup.ts';
import type { Extra } from './wakeup.ts';

export abstract class Intake extends Wakeful implements TransportEvents {
  abstract drain(): void;
  abstract gone(error: string | null): void;
  /** Reports a transport that is gone, once all it brought was delivered. */
  protected abstract finish(error: string): void;

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

  protected more(): Extra {
    if (this.extra === null)
      this.extra = { waiting: null, taken: 0, cancelJob: null, ended: null, unread: 0 };
    return this.extra;
  }

  protected tidy(): void {
    const { extra } = this;
    if (extra === null || extra.waiting !== null || extra.cancelJob !== null) return;
    if (extra.ended === null && extra.unread === 0) this.extra = null;
  }

  /** True while bytes wait that the session did not take. */
  protected get waiting(): boolean {
    return this.extra !== null && this.extra.waiting !== null;
  }

  /** Feeds the session from `bytes[from..]` until it wants no more. Returns where it stopped. */
  protected receiveFrom(bytes: Uint8Array, from: number): number {
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
  protected receiveWaiting(): void {
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

  protected afterReceiving(): void {
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

  protected handleEvent(): void {
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
      if (WITH_KEEPALIVE && this.is(Doing.keepalive)) {
        const { words } = session.slot;
        const now = this.settings.timer.now();
        const { body, bodyAt, bodyLength } = session;
        const trip = keepaliveAnswered(words, Word.keepalive, body!, bodyAt, bodyLength, now);
        if (events.keepalive !== undefined) events.keepalive(trip < 0 ? -1 : trip);
      }
    } else if (WITH_EXACTLY_ONCE && event === SessionEvent.delivered) {
      if (events.delivered !== undefined) events.delivered();
    }
  }
}
