// One connection's protocol, without socket, clock or timer: bytes in, bytes out, time passed in. It runs the
// handshake, the hellos, then the channel.

import { EdgeFlag, Feature, Flag, HEADER_BYTES } from '../params.ts';
import { ErrorCode, errorToString, missing, QstpError, reject } from '../error.ts';
import {
  WITH_ENGINE,
  WITH_FULL_HANDSHAKE,
  WITH_REKEY,
  WITH_REVOCATION,
  WITH_SERVER,
  WITH_STRICT,
} from '../features.ts';
import type { Reject } from '../error.ts';
import { Cipher, hasFlag, setFlag, SlotFlag, Word } from '../pool/slot.ts';
import { headerFlag, headerLength } from '../wire/header.ts';
import { decodeError } from '../wire/messages.ts';
import type { SessionOptions } from './base.ts';
import {
  acceptRatchet,
  admitRecord,
  holdsCipher,
  IGNORED,
  NO_ROOM,
  openRecord,
  openStrict,
  sealRecord,
  sequenceExhausted,
  tagBytes,
} from './channel.ts';
import { receiveControl } from './control.ts';
import { emit, sendLimit, SessionEvent } from './core.ts';
import { peerError, wipeKeys } from './handshake.ts';
import type { Handshake } from './handshake.ts';
import {
  awaitServerHello,
  awaitsFreshness,
  finishHello,
  helloMissed,
  receiveAtClient,
  settleCipher,
} from './hello-client.ts';
import { receiveAtServer, sendServerHello } from './hello-server.ts';
import { Inbound } from './inbound.ts';
import { startRekey } from './rekey.ts';
import { receiveRevocation } from './trust.ts';
import { updateDue, updateKeys } from './update.ts';

export type { SessionOptions } from './base.ts';

const EARLY = /* @__PURE__ */ reject(
  'flag',
  ErrorCode.invalidRequest,
  'a packet came before the hello',
  true,
);

/** The peer's authenticated notice: code 0 is an orderly close. */
function noticeOf(code: number): Reject {
  if (code === 0) return reject('peer_closed', code, 'the peer closed the connection', true);
  return reject('peer_error', code, `the peer closed the connection: ${errorToString(code)}`, true);
}

export class Session extends Inbound {
  /** Begins the handshake. `now` in seconds. */
  start(now: number): void {
    if (this.handshake === null) return;
    this.handshake.start(now);
    this.followHandshake(now);
  }

  /** Goes on with the verdict of the pending operation. */
  resume(good: boolean, now: number): void {
    const { waiting } = this;
    if (this.state === 'closed') return;
    if (waiting !== null) {
      this.waiting = null;
      waiting.then(good, now);
      if (this.progress !== null) finishHello(this, now);
    } else if (this.handshake !== null) {
      this.handshake.resume(good, now);
      this.followHandshake(now);
    }
  }

  // ---- Packets --------------------------------------------------------------------------------------------

  /** Checks a header before the body is taken. */
  protected admit(header: Uint8Array, now: number): boolean {
    if (this.state === 'handshake') {
      const good = this.handshake!.admit(header, now);
      if (!good) this.followHandshake(now);
      return good;
    }
    if (this.phase !== null && this.slot.words[Word.cipher] === Cipher.none) {
      const bad = this.admitFirst(header, now);
      if (bad !== null) {
        this.fail(bad, now);
        return false;
      }
      if (this.slot.words[Word.cipher] === Cipher.none) return true;
    }
    const bad = admitRecord(this.slot, header, now, this.slot.words[Word.recordLimit]!);
    if (bad === null || bad === IGNORED) return true;
    if (bad.reason === 'peer_terminated') this.end(bad);
    else this.fail(bad, now);
    return false;
  }

  /** The first packet after the handshake of a client that waits for a hello. */
  private admitFirst(header: Uint8Array, now: number): Reject | null {
    const flag = headerFlag(header);
    if (flag === Flag.errorCondition && headerLength(header) === 1) return null;
    if (flag === Flag.connectionTerminate) {
      return reject('peer_terminated', 0, 'the peer ended the connection (unauthenticated)');
    }
    return settleCipher(this, flag, now);
  }

  protected process(packet: Uint8Array, now: number): boolean {
    if (this.state === 'handshake') {
      this.handshake!.receive(packet, now);
      this.followHandshake(now);
      return false;
    }
    if (headerLength(packet) <= 1) {
      if (hasFlag(this.slot, SlotFlag.edge)) this.slot.words[Word.ignored]!++;
      else this.end(peerError(decodeError(packet)));
      return false;
    }
    const bad = openRecord(this.slot, packet);
    if (bad === null) return this.opened(packet, now);
    this.fail(bad, now);
    return false;
  }

  /** A record has opened. */
  private opened(packet: Uint8Array, now: number): boolean {
    const { slot } = this;
    const flag = headerFlag(packet);
    this.body = packet;
    slot.words[Word.bodyLength] = headerLength(packet) - tagBytes(slot);
    if (flag === Flag.errorCondition) this.end(noticeOf(decodeError(packet)));
    else if (flag === EdgeFlag.control || flag === EdgeFlag.controlGcm) return true;
    else if (this.phase !== null) this.fail(EARLY, now);
    else if (flag === Flag.encryptedMessage) this.countMessage();
    else if (WITH_REVOCATION && WITH_SERVER && flag === Flag.certificateRevoke)
      receiveRevocation(this, this.bodyView(packet), now);
    else if (flag === EdgeFlag.keepaliveRequest) this.event = SessionEvent.keepaliveRequest;
    else if (flag === EdgeFlag.keepaliveResponse) this.event = SessionEvent.keepaliveResponse;
    else if (WITH_STRICT) acceptRatchet(slot, this.crypto!.suite, this.bodyView(packet));
    return false;
  }

  private bodyView(packet: Uint8Array): Uint8Array {
    return packet.subarray(HEADER_BYTES, HEADER_BYTES + this.bodyLength);
  }

  private countMessage(): void {
    const { words } = this.slot;
    this.event = SessionEvent.message;
    const low = (words[Word.deliveredLow]! + 1) | 0;
    words[Word.deliveredLow] = low;
    if (low === 0) words[Word.deliveredHigh]!++;
  }

  protected receiveControl(packet: Uint8Array, now: number): void {
    const body = this.bodyView(packet);
    // Strict code: what is called last takes the place of its caller on the engine's stack.
    if (this.phase === null) return receiveControl(this, body, now);
    if (WITH_SERVER && this.role === 'server') return receiveAtServer(this, body, now);
    return receiveAtClient(this, body, now);
  }

  // ---- Handshake and hellos -------------------------------------------------------------------------------

  /** Takes over what the last call to the handshake led to. */
  private followHandshake(now: number): void {
    const handshake = this.handshake!;
    this.crypto = handshake.crypto;
    const packet = handshake.takeOutput();
    if (packet !== null) emit(this, packet);
    if (handshake.step === 'failed') {
      this.end(handshake.failure!);
    } else if (handshake.step === 'established') {
      const keys = handshake.takeKeys();
      if (keys.kind === 0) setFlag(this.slot, SlotFlag.fullHandshake);
      this.edge = handshake.edge;
      if (this.crypto === null && this.edge !== null) this.crypto = this.edge.crypto ?? null;
      this.under().handshake = null;
      const signed = WITH_FULL_HANDSHAKE && this.role === 'client' && awaitsFreshness(keys);
      const room = signed ? this.keepHandshakeBuffer(this.crypto!.suite.signatureBytes) : null;
      if (room === null) this.giveHandshakeBuffer();
      if (WITH_STRICT && keys.secrets === null) {
        if (!holdsCipher(this.slot, Cipher.rcs)) {
          wipeKeys(keys);
          this.fail(NO_ROOM, now);
          return;
        }
        openStrict(this.slot, this.role === 'server', keys.material!, keys.ratchet!);
        this.state = 'established';
        return;
      }
      this.state = 'hello';
      if (WITH_SERVER && this.role === 'server') sendServerHello(this, keys, now);
      else awaitServerHello(this, keys, room);
    }
  }

  /** No hello came within HELLO_WAIT_MS: a 1.4 server, which this end puts up with or not. */
  helloMissed(now: number): void {
    if (this.state === 'hello') helloMissed(this, now);
  }

  /** Starts a KEM rekey (X5). `now` in seconds. Throws `rekey_unavailable`. */
  startRekey(now: number): void {
    if (!WITH_REKEY) throw missing('rekey');
    startRekey(this, now);
  }

  // ---- Sending --------------------------------------------------------------------------------------------

  /** True if `updateKeys` should come before the next message (X5). */
  updateDue(now: number): boolean {
    return this.state === 'established' && updateDue(this, now);
  }

  /**
   * Goes on under a new key: take the output and send it before the next message. Throws `update_unavailable`
   * where it was not agreed on, or a rekey is under way.
   */
  updateKeys(now: number): void {
    const agreed = (this.slot.words[Word.features]! & Feature.keyUpdate) !== 0;
    if (this.state !== 'established' || !agreed || this.rekey !== null) {
      throw new QstpError(
        'update_unavailable',
        'a key update needs an established connection that agreed on it, and no rekey under way',
      );
    }
    updateKeys(this, now);
  }

  /**
   * Seals a message into a packet. Throws `not_established`, `message_length` (1 to `messageMax` bytes),
   * `sequence_exhausted`. `room` gives the array for it; default: a new one.
   */
  seal(plain: Uint8Array, now: number, room?: (bytes: number) => Uint8Array): Uint8Array {
    if (!(plain instanceof Uint8Array)) {
      throw new QstpError('message_type', 'a message is a Uint8Array: encode text first');
    }
    this.checkMessage(plain.length);
    const bytes = HEADER_BYTES + plain.length + tagBytes(this.slot);
    const packet = WITH_ENGINE && room !== undefined ? room(bytes) : new Uint8Array(bytes);
    packet.set(plain, HEADER_BYTES);
    this.sealInPlace(packet, plain.length, now);
    return packet;
  }

  /** Seals in place: the message is `packet[21 .. 21 + length)`. Returns the packet's length. */
  sealInPlace(packet: Uint8Array, length: number, now: number): number {
    this.checkMessage(length);
    return sealRecord(this.slot, packet, Flag.encryptedMessage, length, now);
  }

  /** Seals a keep-alive body, `packet[21 .. 21 + length)`, in place. Returns the packet's length. */
  sealKeepalive(flag: number, packet: Uint8Array, length: number, now: number): number {
    if (this.state !== 'established' || sequenceExhausted(this.slot)) return 0;
    return sealRecord(this.slot, packet, flag, length, now);
  }

  private checkMessage(length: number): void {
    if (this.state !== 'established') {
      throw new QstpError(
        'not_established',
        `a message cannot be sent in state "${this.state}": wait for "established"`,
      );
    }
    const most = sendLimit(this.slot);
    if (!(length >= 1 && length <= most)) {
      throw new QstpError(
        'message_length',
        `a message to this peer has 1 to ${most} bytes, not ${length}: split it`,
      );
    }
    if (sequenceExhausted(this.slot)) {
      throw new QstpError('sequence_exhausted', 'all 2^48 sequence numbers are used: connect anew');
    }
  }

  /** Closes with a notice to the peer, in `takeOutput`, and wipes all secrets. */
  close(why: Reject, now: number): void {
    if (this.state === 'closed') return;
    if (this.state === 'handshake') {
      this.handshake!.fail(why, now);
      this.followHandshake(now);
      return;
    }
    this.fail(why, now);
  }

  /** The same where nobody is left to be told. */
  drop(why: Reject, now: number): void {
    if (this.state === 'handshake') this.close(why, now);
    else this.end(why);
    this.takeOutput();
  }
}

/** Throws `no_slot` if the pool has none left. */
export function createSession(handshake: Handshake, options: SessionOptions = {}): Session {
  return new Session(handshake, options);
}
