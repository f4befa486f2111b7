// One connection's protocol, without socket, clock or timer: bytes in, bytes out, time passed in.
// It cuts the stream into packets, runs the handshake, then the channel.

import { Flag, HEADER_BYTES, MESSAGE_MAX, PLAINTEXT_MAX, TAG_BYTES } from '../params.ts';
import { errorToString, QstpError, reject } from '../error.ts';
import type { Reject } from '../error.ts';
import { wipe } from '../bytes.ts';
import type { Job } from '../crypto/job.ts';
import type { SuiteCrypto } from '../crypto/provider.ts';
import { admitBody, collect, createFramer, headerReady, nextPacket, packetReady } from '../wire/framer.ts';
import { headerFlag, headerLength } from '../wire/header.ts';
import { decodeError } from '../wire/messages.ts';
import { admitRecord, openRecord, sealRecord, sequenceExhausted, wipeChannel } from './channel.ts';
import type { Channel } from './channel.ts';
import { peerError } from './handshake.ts';
import type { Handshake } from './handshake.ts';

export interface SessionOptions {
  /** Where incoming packets that fit are collected: at least 21 bytes. Default 2,048 bytes of its own. */
  readonly receiveBuffer?: Uint8Array;
  /** Longest message taken in the data phase, tag included, bytes. Default 65,536. */
  readonly recordLimit?: number;
}

export interface Session {
  readonly role: 'client' | 'server';
  readonly state: 'handshake' | 'established' | 'closed';
  /** True once a packet of the peer opened: only then is it known to hold the keys. */
  readonly confirmed: boolean;
  /** Set while an operation has to be run: then call `resume` with its verdict. */
  readonly pending: Job | null;
  /** The algorithms it needs. */
  readonly crypto: SuiteCrypto | null;
  /** Why the session is closed. */
  readonly closed: Reject | null;
  /** The message the last `receive` brought; valid until the next call. */
  readonly message: Uint8Array | null;
  readonly channel: Channel | null;
  /** Begins the handshake. `now` in seconds. */
  start(now: number): void;
  resume(good: boolean, now: number): void;
  /**
   * Takes incoming bytes from `from` on, up to the end of one packet. Returns how many were taken: 0 while
   * an operation is pending or the session is closed. Call again for the rest.
   */
  receive(bytes: Uint8Array, from: number, now: number): number;
  /** The packet to send now, if any: take it after every call. */
  takeOutput(): Uint8Array | null;
  /**
   * Seals a message of 1 to 65,504 bytes into a packet. Throws `not_established`, `message_length`,
   * `sequence_exhausted`.
   */
  seal(message: Uint8Array, now: number): Uint8Array;
  /** Seals in place: the message is `packet[21 .. 21 + length)`. Returns the packet's length. */
  sealInPlace(packet: Uint8Array, length: number, now: number): number;
  /** Closes with a notice to the peer, in `takeOutput`, and wipes all secrets. */
  close(why: Reject, now: number): void;
}

const SMALL_BUFFER = 2048;

export function createSession(handshake: Handshake, options: SessionOptions = {}): Session {
  const framer = createFramer(options.receiveBuffer ?? new Uint8Array(SMALL_BUFFER));
  const recordLimit = options.recordLimit ?? MESSAGE_MAX;
  let state: Session['state'] = 'handshake';
  let closed: Reject | null = null;
  let channel: Channel | null = null;
  let output: Uint8Array | null = null;
  let message: Uint8Array | null = null;

  const end = (why: Reject): void => {
    state = 'closed';
    closed = why;
    if (channel !== null) wipeChannel(channel);
    // The last plaintext lies there.
    wipe(framer.home);
    wipe(framer.buffer);
  };

  /** Closes with the code sealed for the peer: 54 bytes. */
  const endWithNotice = (why: Reject, now: number): void => {
    if (!sequenceExhausted(channel!)) {
      const notice = new Uint8Array(HEADER_BYTES + 1 + TAG_BYTES);
      notice[HEADER_BYTES] = why.code;
      sealRecord(channel!, notice, Flag.errorCondition, 1, now);
      output = notice;
    }
    end(why);
  };

  /** Takes over what the last call to the handshake led to. */
  const followHandshake = (): void => {
    output = handshake.takeOutput();
    if (handshake.step === 'failed') {
      end(handshake.failure!);
    } else if (handshake.step === 'established') {
      channel = handshake.takeChannel();
      state = 'established';
    }
  };

  const admit = (now: number): boolean => {
    if (state === 'handshake') {
      const good = handshake.admit(framer.buffer, now);
      if (!good) followHandshake();
      return good;
    }
    const bad = admitRecord(channel!, framer.buffer, now, recordLimit);
    if (bad === null) return true;
    if (bad.reason === 'peer_terminated') end(bad);
    else endWithNotice(bad, now);
    return false;
  };

  const receiveRecord = (packet: Uint8Array, now: number): void => {
    const length = headerLength(packet);
    if (headerFlag(packet) === Flag.errorCondition && length === 1) {
      end(peerError(decodeError(packet)));
      return;
    }
    const bad = openRecord(channel!, packet);
    if (bad !== null) {
      endWithNotice(bad, now);
    } else if (headerFlag(packet) === Flag.errorCondition) {
      end(closeNotice(decodeError(packet)));
    } else if (headerFlag(packet) === Flag.encryptedMessage) {
      message = packet.subarray(HEADER_BYTES, HEADER_BYTES + length - TAG_BYTES);
    }
  };

  const sealInPlace = (packet: Uint8Array, length: number, now: number): number => {
    if (state !== 'established') {
      throw new QstpError(
        'not_established',
        `a message cannot be sent in state "${state}": wait for "established"`,
      );
    }
    if (!(length >= 1 && length <= PLAINTEXT_MAX)) {
      throw new QstpError(
        'message_length',
        `a message has 1 to ${PLAINTEXT_MAX} bytes, not ${length}: split it`,
      );
    }
    if (sequenceExhausted(channel!)) {
      throw new QstpError('sequence_exhausted', 'all 2^48 sequence numbers are used: connect anew');
    }
    return sealRecord(channel!, packet, Flag.encryptedMessage, length, now);
  };

  return {
    role: handshake.role,
    get state() {
      return state;
    },
    get confirmed() {
      return channel !== null && channel.confirmed;
    },
    get pending() {
      return state === 'handshake' ? handshake.pending : null;
    },
    get crypto() {
      return handshake.crypto;
    },
    get closed() {
      return closed;
    },
    get message() {
      return message;
    },
    get channel() {
      return channel;
    },
    start(now) {
      handshake.start(now);
      followHandshake();
    },
    resume(good, now) {
      if (state !== 'handshake') return;
      handshake.resume(good, now);
      followHandshake();
    },
    receive(bytes, from, now) {
      message = null;
      let taken = 0;
      while (state !== 'closed' && (state !== 'handshake' || handshake.pending === null)) {
        const count = collect(framer, bytes, from + taken);
        taken += count;
        if (headerReady(framer)) {
          if (!admit(now)) break;
          admitBody(framer);
        }
        if (packetReady(framer)) {
          const packet = framer.buffer.subarray(0, framer.need);
          nextPacket(framer);
          if (state === 'established') {
            receiveRecord(packet, now);
          } else {
            handshake.receive(packet, now);
            followHandshake();
          }
          break;
        }
        if (count === 0 || from + taken === bytes.length) break;
      }
      return taken;
    },
    takeOutput() {
      const packet = output;
      output = null;
      return packet;
    },
    seal(plain, now) {
      if (!(plain instanceof Uint8Array)) {
        throw new QstpError('message_type', 'a message is a Uint8Array: encode text first');
      }
      const packet = new Uint8Array(HEADER_BYTES + plain.length + TAG_BYTES);
      packet.set(plain, HEADER_BYTES);
      sealInPlace(packet, plain.length, now);
      return packet;
    },
    sealInPlace,
    close(why, now) {
      if (state === 'closed') return;
      if (state === 'established') {
        endWithNotice(why, now);
        return;
      }
      handshake.fail(why, now);
      followHandshake();
    },
  };
}

/** The peer's authenticated notice: code 0 is an orderly close. */
function closeNotice(code: number): Reject {
  if (code === 0) return reject('peer_closed', code, 'the peer closed the connection', true);
  return reject('peer_error', code, `the peer closed the connection: ${errorToString(code)}`, true);
}
