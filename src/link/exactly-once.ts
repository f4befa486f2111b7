// Exactly once across a cut (X9). A chain of connections, a full handshake and the resumptions that follow from
// it, counts the messages of each direction. An end keeps what the peer has not said to have delivered, and after
// a resumption sends again, in order, what the peer's hello does not count. A full handshake begins a new chain:
// what was kept then is handed back, for nobody knows whether it was delivered.

import { Feature, PLAINTEXT_MAX } from '../params.ts';
import { ErrorCode, QstpError, reject } from '../error.ts';
import { copy, toHex, wipe } from '../bytes.ts';
import { Word } from '../pool/slot.ts';
import { sendDelivered } from '../session/control.ts';
import type { Connection } from './connection.ts';

export interface QueueOptions {
  /** Messages kept, at least {@link ACK_EVERY} twice. */
  readonly messages: number;
  /** Bytes of them in all. */
  readonly bytes: number;
}

/** An end says how many messages it has delivered after so many, and with each keep-alive. */
export const ACK_EVERY = 8;

export const WRONG_COUNT = /* @__PURE__ */ reject(
  'delivered_count',
  ErrorCode.invalidRequest,
  'the peer says it delivered messages that were never sent, or forgot some that it had',
  true,
);

export const TOO_LARGE = /* @__PURE__ */ reject(
  'record_too_large',
  ErrorCode.invalidRequest,
  'the peer came back with room for less than the messages that are kept for it have',
  true,
);

export const SUPERSEDED = /* @__PURE__ */ reject(
  'superseded',
  ErrorCode.none,
  'the client came back on another connection',
  true,
);

/** One end's state of a chain; it outlives the connections. */
export interface Chain {
  readonly queue: QueueOptions;
  /** Sent, or to be sent, and not known to be delivered; the oldest first. */
  readonly kept: Uint8Array[];
  bytes: number;
  /** How many of them went out on some connection. */
  sent: number;
  /** Messages of ours that were delivered before `kept[0]`, int32 halves. */
  firstLow: number;
  firstHigh: number;
  /** Messages of the peer's that were delivered here. */
  deliveredLow: number;
  deliveredHigh: number;
  /** Of these, how many the peer has not been told of. */
  untold: number;
  /** The connection that is in the chain now. */
  holder: Connection | null;
  /** How many connections have entered: only the last one may take part. */
  entries: number;
}

/** Throws `invalid_input` for a queue that is too small to work. */
export function createChain(queue: QueueOptions): Chain {
  if (!(queue.messages >= 2 * ACK_EVERY) || !(queue.bytes >= 1)) {
    throw new QstpError(
      'invalid_input',
      `a queue keeps at least ${2 * ACK_EVERY} messages, and some bytes of them`,
    );
  }
  return {
    queue,
    kept: [],
    bytes: 0,
    sent: 0,
    firstLow: 0,
    firstHigh: 0,
    deliveredLow: 0,
    deliveredHigh: 0,
    untold: 0,
    holder: null,
    entries: 0,
  };
}

/**
 * Puts the chain's counts into a session's slot, before its hello says them. A connection that is still in the
 * chain ends first: what it brought later would be counted by nobody.
 */
export function enterChain(chain: Chain, words: Int32Array): void {
  if (chain.holder !== null) chain.holder.fail(SUPERSEDED);
  chain.holder = null;
  chain.entries++;
  words[Word.deliveredLow] = chain.deliveredLow;
  words[Word.deliveredHigh] = chain.deliveredHigh;
  chain.untold = 0;
}

/**
 * A full handshake begins the chain anew. Returns what had been sent: it may or may not have been delivered.
 * What had not goes out on the new chain.
 */
export function restartChain(chain: Chain): Uint8Array[] {
  const unsettled = chain.kept.splice(0, chain.sent);
  for (let i = 0; i < unsettled.length; i++) chain.bytes -= unsettled[i]!.length;
  chain.sent = 0;
  chain.firstLow = 0;
  chain.firstHigh = 0;
  chain.deliveredLow = 0;
  chain.deliveredHigh = 0;
  chain.untold = 0;
  return unsettled;
}

export function chainAgreed(connection: Connection): boolean {
  return (connection.session.slot.words[Word.features]! & Feature.exactlyOnce) !== 0;
}

/** Drops what the peer has delivered. False if its count cannot be: the connection must end. */
export function chainDelivered(chain: Chain, words: Int32Array): boolean {
  const low = words[Word.peerDeliveredLow]!;
  const count = (low - chain.firstLow) | 0;
  if (count < 0 || count > chain.sent) return false;
  for (let i = 0; i < count; i++) {
    chain.bytes -= chain.kept[i]!.length;
    wipe(chain.kept[i]!);
  }
  chain.kept.splice(0, count);
  chain.sent -= count;
  chain.firstLow = low;
  chain.firstHigh = words[Word.peerDeliveredHigh]!;
  return true;
}

/**
 * Keeps a copy until it is delivered. `connection`: where it goes out now, if anywhere. Throws `queue_full`, and
 * `message_length` before anything is kept: what could not be sent would upset the count of what is.
 */
export function keepMessage(chain: Chain, message: Uint8Array, connection: Connection | null): void {
  const { messages, bytes } = chain.queue;
  const { length } = message;
  const now = connection === null ? 0 : connection.session.messageMax;
  const most = now === 0 ? PLAINTEXT_MAX : now;
  if (!(length >= 1 && length <= most)) {
    throw new QstpError('message_length', `a message has 1 to ${most} bytes, not ${length}: split it`);
  }
  if (chain.kept.length >= messages || chain.bytes + length > bytes) {
    throw new QstpError(
      'queue_full',
      `${chain.kept.length} messages of ${chain.bytes} bytes wait to be delivered: wait for "drain", or enlarge the queue`,
    );
  }
  // The slice of a Node Buffer is no copy, and what is kept is wiped when it is delivered.
  const kept = new Uint8Array(length);
  copy(kept, 0, message, 0, length);
  chain.kept.push(kept);
  chain.bytes += length;
}

/**
 * The connection is established: forgets what the peer's hello counts, the rest is to be sent again. False if the
 * hello's count cannot be.
 */
export function rewindKept(chain: Chain, connection: Connection): boolean {
  if (!chainDelivered(chain, connection.session.slot.words)) return false;
  chain.sent = 0;
  return true;
}

export function holdsLarger(chain: Chain, most: number): boolean {
  for (let i = 0; i < chain.kept.length; i++) if (chain.kept[i]!.length > most) return true;
  return false;
}

/** Takes out, after {@link rewindKept}, what is larger than the peer takes. */
export function removeLarger(chain: Chain, most: number): Uint8Array[] {
  const larger: Uint8Array[] = [];
  for (let i = chain.kept.length - 1; i >= 0; i--) {
    const message = chain.kept[i]!;
    if (message.length <= most) continue;
    chain.kept.splice(i, 1);
    chain.bytes -= message.length;
    larger.unshift(message);
  }
  return larger;
}

/** Sends what is kept and has not gone out on this connection. False: its queue is full, wait for `drain`. */
export function sendKept(chain: Chain, connection: Connection): boolean {
  let free = true;
  while (chain.sent < chain.kept.length) free = connection.send(chain.kept[chain.sent++]!);
  return free;
}

/** Sends what is kept without keeping it: to a peer that does not take part. */
export function flushKept(chain: Chain, connection: Connection): void {
  sendKept(chain, connection);
  restartChain(chain);
}

/** A message was delivered: tells the peer of it now and then. */
export function noteDelivered(chain: Chain, connection: Connection): void {
  const { words } = connection.session.slot;
  chain.deliveredLow = words[Word.deliveredLow]!;
  chain.deliveredHigh = words[Word.deliveredHigh]!;
  chain.untold++;
  if (chain.untold >= ACK_EVERY) tellDelivered(chain, connection);
}

/** Tells the peer how many were delivered, if it does not know. With a full queue that waits for `drain`. */
export function tellDelivered(chain: Chain, connection: Connection): void {
  const { session } = connection;
  if (chain.untold === 0 || connection.full || session.state !== 'established') return;
  chain.untold = 0;
  connection.control((now) => sendDelivered(session, now));
}

/** A server's chains, by the tickets that lead on in them. */
export interface Chains {
  /** The chain that a ticket leads on in, or a new one; null if it is not known here, or nothing is kept. */
  enter(ticketId: Uint8Array | null): Chain | null;
  /** A ticket was issued that leads on in a chain. It is forgotten at `expiry`; both in seconds. */
  lead(ticketId: Uint8Array, chain: Chain, now: number, expiry: number): void;
}

/** Tickets issued between two looks for those that have expired. */
const SWEEP_EVERY = 256;
/** Tickets that lead on, at the most, the latest: anybody may connect again and again, and each brings three. */
const LED_MAX = 10000;

export function createChains(queue: QueueOptions | undefined): Chains {
  const led: Record<string, { chain: Chain; expiry: number }> = Object.create(null) as Record<
    string,
    { chain: Chain; expiry: number }
  >;
  let issued = 0;
  return {
    enter(ticketId) {
      if (queue === undefined) return null;
      if (ticketId === null) return createChain(queue);
      const found = led[toHex(ticketId)];
      return found === undefined ? null : found.chain;
    },
    lead(ticketId, chain, now, expiry) {
      led[toHex(ticketId)] = { chain, expiry };
      if (++issued % SWEEP_EVERY !== 0) return;
      const names = Object.keys(led);
      // Names come in the order they were put in.
      const over = names.length - LED_MAX;
      for (let i = 0; i < names.length; i++) {
        if (i < over || led[names[i]!]!.expiry < now) delete led[names[i]!];
      }
    },
  };
}
