// The part of a link that keeps messages until they are delivered (X9).

import { missing } from '../error.ts';
import { WITH_EXACTLY_ONCE } from '../features.ts';
import type { Connection } from './connection.ts';
import {
  chainAgreed,
  chainDelivered,
  createChain,
  enterChain,
  flushKept,
  noteDelivered,
  removeLarger,
  restartChain,
  rewindKept,
  sendKept,
  WRONG_COUNT,
} from './exactly-once.ts';
import type { Chain, QueueOptions } from './exactly-once.ts';
import { newMetrics } from './link-settings.ts';
import type { LinkEvents, LinkMetrics } from './link-settings.ts';

export abstract class KeepingLink {
  readonly metrics: LinkMetrics = newMetrics();
  /** The connection under way or up; null while waiting. */
  connection: Connection | null = null;
  protected readonly events: LinkEvents;
  /** What is kept for the peer (X9); null without a queue. */
  protected readonly chain: Chain | null;
  /** The chain of the connection under way goes on, rather than beginning. */
  protected chained = false;
  /** Both ends of the connection take part in X9. */
  protected agreed = false;

  constructor(queue: QueueOptions | undefined, events: LinkEvents) {
    if (!WITH_EXACTLY_ONCE && queue !== undefined) throw missing('exactlyOnce');
    this.chain = WITH_EXACTLY_ONCE && queue !== undefined ? createChain(queue) : null;
    this.events = events;
  }

  /** Goes on with the chain (X9), or begins it. False if the connection ended over it. */
  protected goOn(connection: Connection): boolean {
    const { chain } = this;
    if (!WITH_EXACTLY_ONCE || chain === null) return true;
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

  protected settle(unsettled: readonly Uint8Array[]): void {
    if (unsettled.length > 0 && this.events.unsettled !== undefined) this.events.unsettled(unsettled);
  }

  // ---- What its connection tells: not for others to call ------------------------------------------------------

  enterChain(ticketId: Uint8Array | null, words: Int32Array): boolean {
    const { chain } = this;
    this.chained = ticketId !== null;
    if (!WITH_EXACTLY_ONCE || chain === null) return false;
    if (ticketId !== null) enterChain(chain, words);
    return true;
  }

  /** The peer says how many of our messages it has delivered. */
  delivered(): void {
    const { chain } = this;
    if (!WITH_EXACTLY_ONCE || chain === null) return;
    const connection = this.connection!;
    if (!chainDelivered(chain, connection.session.slot.words)) connection.fail(WRONG_COUNT);
    else if (this.events.drain !== undefined) this.events.drain();
  }

  /** A message, `bytes[from .. from + length)`. */
  record(bytes: Uint8Array, from: number, length: number): void {
    const { events } = this;
    this.metrics.messagesIn++;
    if (WITH_EXACTLY_ONCE && this.chain !== null) noteDelivered(this.chain, this.connection!);
    if (events.record !== undefined) events.record(bytes, from, length);
    // Plain, whatever the bytes came in.
    else if (events.message !== undefined)
      events.message(new Uint8Array(bytes.buffer, bytes.byteOffset + from, length));
  }
}
