// One connection's protocol, without socket, clock or timer: bytes in, bytes out, time passed in. It cuts the
// stream into packets, runs the handshake, the hellos, then the channel. Its state lies in a slot of the pool;
// a session is an object of few fields with its methods on the prototype, for each field of each connection
// costs a device memory (docs/memory.md).

import { EdgeFlag, Feature, Flag, HEADER_BYTES, MESSAGE_MAX } from '../params.ts';
import { ErrorCode, errorToString, QstpError, reject } from '../error.ts';
import type { Reject } from '../error.ts';
import { wipe } from '../bytes.ts';
import { wipeJob } from '../crypto/job.ts';
import type { Job } from '../crypto/job.ts';
import type { SuiteCrypto } from '../crypto/provider.ts';
import {
  acquireSlot,
  borrowBuffer,
  createPool,
  poolOf,
  releaseSlot,
  requestHandshakeBuffer,
  returnBuffer,
  returnHandshakeBuffer,
} from '../pool/pool.ts';
import type { HandshakeWaiter, Pool } from '../pool/pool.ts';
import { Cipher, hasFlag, setFlag, SlotFlag, Word } from '../pool/slot.ts';
import type { Slot } from '../pool/slot.ts';
import { headerFlag, headerLength } from '../wire/header.ts';
import { decodeError, encodeError } from '../wire/messages.ts';
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
import { closeNotice, emit, sendLimit, SessionEvent } from './core.ts';
import type {
  HelloPhase,
  Progress,
  RekeyState,
  SessionOwner,
  SessionCore,
  SessionState,
  Waiting,
} from './core.ts';
import type { ClientEdge, ServerEdge } from './edge.ts';
import { peerError, wipeKeys } from './handshake.ts';
import type { Handshake } from './handshake.ts';
import {
  awaitServerHello,
  finishHello,
  helloMissed,
  receiveHello,
  sendServerHello,
  settleCipher,
} from './hello.ts';
import { startRekey, wipeRekey } from './rekey.ts';
import { updateDue, updateKeys } from './update.ts';

export interface SessionOptions {
  /** Where the connection's state comes from. Default: a pool of one slot, which borrows its buffers. */
  readonly pool?: Pool;
  /** Longest message taken in the data phase, tag included, bytes. Default 65,536, or what fits the buffer. */
  readonly recordLimit?: number;
}

const EARLY = /* @__PURE__ */ reject(
  'flag',
  ErrorCode.invalidRequest,
  'a packet came before the hello',
  true,
);

function noBuffer(need: number, most: number): Reject {
  return reject(
    'handshake_buffer',
    ErrorCode.memoryAllocation,
    `a handshake packet has ${need} bytes, the pool's handshake buffer ${most}: raise handshakeBytes`,
  );
}

/** The peer's authenticated notice: code 0 is an orderly close. */
function noticeOf(code: number): Reject {
  if (code === 0) return reject('peer_closed', code, 'the peer closed the connection', true);
  return reject('peer_error', code, `the peer closed the connection: ${errorToString(code)}`, true);
}

function newProgress(): Progress {
  return {
    handshake: null,
    phase: null,
    waiting: null,
    rekey: null,
    output: null,
    lease: 0,
    closed: null,
    role: 'client',
  };
}

export class Session implements SessionCore, HandshakeWaiter {
  state: SessionState = 'handshake';
  /** The connection's state. Not to be used once the session is closed: it is another's then. */
  readonly slot: Slot;
  /** The algorithms of the suite; null until a server knows the client's choice, and for a resumption. */
  crypto: SuiteCrypto | null = null;
  edge: ClientEdge | ServerEdge | null = null;
  /** What the last packet lies in, from its header on; null at rest. */
  body: Uint8Array | null = null;
  owner: SessionOwner | null = null;
  private progress: Progress | null;
  /** Where the incoming packet is collected; null between packets of a session that borrows. */
  private buffer: Uint8Array | null;

  constructor(handshake: Handshake, options: SessionOptions) {
    this.slot = acquireSlot(options.pool ?? createPool({ slots: 1 }));
    this.progress = newProgress();
    this.progress.handshake = handshake;
    this.buffer = this.slot.receive;
    const { words } = this.slot;
    const fits = this.buffer === null ? MESSAGE_MAX : this.buffer.length - HEADER_BYTES;
    const limit = options.recordLimit ?? MESSAGE_MAX;
    words[Word.recordLimit] = limit < fits ? limit : fits;
    words[Word.need] = HEADER_BYTES;
    words[Word.flags] = handshake.role === 'server' ? SlotFlag.server : 0;
  }

  get role(): 'client' | 'server' {
    const { progress } = this;
    // The slot is another's once this session is closed.
    if (progress !== null && progress.closed !== null) return progress.role;
    return hasFlag(this.slot, SlotFlag.server) ? 'server' : 'client';
  }

  /** Why the session is closed. */
  get closed(): Reject | null {
    return this.progress === null ? null : this.progress.closed;
  }

  /** What the last `receive` brought: a `SessionEvent`. Its body is `body[bodyAt .. bodyAt + bodyLength)`. */
  get event(): number {
    return this.state === 'closed' ? SessionEvent.none : this.slot.words[Word.event]!;
  }
  set event(event: number) {
    if (this.state !== 'closed') this.slot.words[Word.event] = event;
  }

  get bodyLength(): number {
    return this.slot.words[Word.bodyLength]!;
  }

  /** True once certificates and signatures were checked, not a ticket. */
  get fullHandshake(): boolean {
    return this.state !== 'closed' && hasFlag(this.slot, SlotFlag.fullHandshake);
  }

  get phase(): HelloPhase | null {
    return this.progress === null ? null : this.progress.phase;
  }
  set phase(phase: HelloPhase | null) {
    this.under().phase = phase;
  }

  get waiting(): Waiting | null {
    return this.progress === null ? null : this.progress.waiting;
  }
  set waiting(waiting: Waiting | null) {
    this.under().waiting = waiting;
  }

  get rekey(): RekeyState | null {
    return this.progress === null ? null : this.progress.rekey;
  }
  set rekey(rekey: RekeyState | null) {
    this.under().rekey = rekey;
  }

  get output(): Uint8Array | null {
    return this.progress === null ? null : this.progress.output;
  }
  set output(output: Uint8Array | null) {
    this.under().output = output;
  }

  private under(): Progress {
    if (this.progress === null) this.progress = newProgress();
    return this.progress;
  }

  private get handshake(): Handshake | null {
    return this.progress === null ? null : this.progress.handshake;
  }

  private get lease(): number {
    return this.progress === null ? 0 : this.progress.lease;
  }

  /** Set while an operation has to be run: then call `resume` with its verdict. */
  get pending(): Job | null {
    const { progress } = this;
    if (progress === null || this.state === 'closed') return null;
    if (progress.waiting !== null) return progress.waiting.job;
    return progress.handshake === null ? null : progress.handshake.pending;
  }

  /** True once a packet of the peer opened: only then is it known to hold the keys. */
  get confirmed(): boolean {
    return this.state !== 'closed' && hasFlag(this.slot, SlotFlag.confirmed);
  }

  /** First byte of the body of the last event. */
  get bodyAt(): number {
    return HEADER_BYTES;
  }

  /** The message the last `receive` brought, as a view that is valid until the next call; or null. */
  get message(): Uint8Array | null {
    if (this.event !== SessionEvent.message || this.body === null) return null;
    // Plain, whatever the bytes came in.
    return new Uint8Array(this.body.buffer, this.body.byteOffset + HEADER_BYTES, this.bodyLength);
  }

  /** Largest message `seal` takes now, bytes. */
  get messageMax(): number {
    return this.state === 'established' ? sendLimit(this.slot) : 0;
  }

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
    } else if (this.handshake !== null) {
      this.handshake.resume(good, now);
      this.followHandshake(now);
    }
  }

  /** The packet to send now, if any: take it after every call. */
  takeOutput(): Uint8Array | null {
    const { progress } = this;
    if (progress === null) return null;
    const packet = progress.output;
    progress.output = null;
    this.tidy();
    return packet;
  }

  /** Lets go of what is not under way any more. */
  private tidy(): void {
    const { progress } = this;
    if (progress === null || this.state !== 'established' || progress.lease !== 0) return;
    const busy = progress.phase !== null || progress.waiting !== null || progress.rekey !== null;
    if (!busy && progress.output === null) this.progress = null;
  }

  // ---- Receiving ------------------------------------------------------------------------------------------

  /**
   * Takes incoming bytes from `from` on, up to the end of one packet. Returns how many were taken: 0 while
   * an operation is pending, the handshake buffer is waited for, or the session is closed. Call again for the
   * rest. Packets are opened where they lie: the bytes are overwritten, and stay in use while an operation is
   * pending.
   */
  receive(bytes: Uint8Array, from: number, now: number): number {
    this.event = SessionEvent.none;
    const { words } = this.slot;
    let taken = 0;
    while (this.takes()) {
      const left = bytes.length - from - taken;
      if (left === 0) break;
      if (words[Word.fill] === 0 && this.buffer === null) {
        const whole = this.wholePacket(bytes, from + taken, left);
        if (whole > 0) {
          // Plain: the slice of a Node Buffer is no copy.
          const packet = new Uint8Array(bytes.buffer, bytes.byteOffset + from + taken, whole);
          const good = this.admit(packet, now);
          taken += good ? whole : HEADER_BYTES;
          if (good) this.process(packet, now);
          if (this.progress !== null) finishHello(this, now);
          break;
        }
        this.buffer = borrowBuffer(poolOf(this.slot), HEADER_BYTES);
      }
      taken += this.collect(bytes, from + taken, left);
      if (words[Word.fill] === HEADER_BYTES && words[Word.need] === HEADER_BYTES) {
        if (!this.admit(this.buffer!, now)) break;
        this.makeRoom(HEADER_BYTES + headerLength(this.buffer!), now);
      }
      const need = words[Word.need]!;
      if (words[Word.fill] === need && need > HEADER_BYTES) {
        const buffer = this.buffer!;
        // A record needs no view of its own length, and gets none: nothing is allocated for one.
        const packet = this.state === 'handshake' ? buffer.subarray(0, need) : buffer;
        words[Word.fill] = 0;
        words[Word.need] = HEADER_BYTES;
        this.process(packet, now);
        if (this.progress !== null) finishHello(this, now);
        break;
      }
    }
    return taken;
  }

  /** Gives a borrowed buffer back between packets: call it when the bytes of a `receive` are dealt with. */
  rest(): void {
    if (this.state === 'closed' || this.lease !== 0 || this.pending !== null) return;
    this.body = null;
    if (this.slot.receive === null && this.slot.words[Word.fill] === 0) this.dropBuffer();
  }

  /** The handshake buffer is this session's (pool). */
  granted(buffer: Uint8Array): void {
    const before = this.buffer!;
    for (let i = 0; i < HEADER_BYTES; i++) buffer[i] = before[i]!;
    if (this.slot.receive === null) returnBuffer(poolOf(this.slot), before);
    this.buffer = buffer;
    const late = this.lease === 1;
    this.under().lease = 2;
    if (late && this.owner !== null) this.owner.handshakeBufferReady();
  }

  private takes(): boolean {
    if (this.state === 'closed' || this.lease === 1) return false;
    return this.pending === null;
  }

  /** Bytes of the packet at `at` if it is there as a whole, else 0. */
  private wholePacket(bytes: Uint8Array, at: number, left: number): number {
    if (left < HEADER_BYTES) return 0;
    const length =
      (bytes[at + 1]! | (bytes[at + 2]! << 8) | (bytes[at + 3]! << 16) | (bytes[at + 4]! << 24)) >>> 0;
    return length <= left - HEADER_BYTES && length > 0 ? HEADER_BYTES + length : 0;
  }

  private collect(bytes: Uint8Array, from: number, left: number): number {
    const buffer = this.buffer!;
    const { words } = this.slot;
    const fill = words[Word.fill]!;
    const wanted = words[Word.need]! - fill;
    const count = left < wanted ? left : wanted;
    for (let i = 0; i < count; i++) buffer[fill + i] = bytes[from + i]!;
    words[Word.fill] = fill + count;
    return count;
  }

  /** Room for the whole packet whose header is here. */
  private makeRoom(need: number, now: number): void {
    if (this.state === 'closed') return;
    const { words } = this.slot;
    if (need === HEADER_BYTES) {
      // Only an ignored packet has no body: the next begins.
      words[Word.ignored]!++;
      words[Word.fill] = 0;
      return;
    }
    words[Word.need] = need;
    const pool = poolOf(this.slot);
    const buffer = this.buffer!;
    if (need <= buffer.length) return;
    if (this.state === 'handshake') {
      if (pool.handshakeBytes > 0 && need > pool.handshakeBytes) {
        this.close(noBuffer(need, pool.handshakeBytes), now);
        return;
      }
      // Told at once, `granted` must not wake anybody.
      const { owner } = this;
      this.under().lease = 1;
      this.owner = null;
      requestHandshakeBuffer(pool, this, need);
      this.owner = owner;
      return;
    }
    const larger = borrowBuffer(pool, need);
    for (let i = 0; i < HEADER_BYTES; i++) larger[i] = buffer[i]!;
    returnBuffer(pool, buffer);
    this.buffer = larger;
  }

  /** Checks a header before the body is taken. */
  private admit(header: Uint8Array, now: number): boolean {
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

  private process(packet: Uint8Array, now: number): void {
    if (this.state === 'handshake') {
      this.handshake!.receive(packet, now);
      this.followHandshake(now);
      return;
    }
    const { slot } = this;
    const flag = headerFlag(packet);
    if (headerLength(packet) <= 1) {
      if (hasFlag(slot, SlotFlag.edge)) slot.words[Word.ignored]!++;
      else this.end(peerError(decodeError(packet)));
      return;
    }
    const bad = openRecord(slot, packet);
    if (bad !== null) {
      this.fail(bad, now);
      return;
    }
    this.body = packet;
    const length = headerLength(packet) - tagBytes(slot);
    slot.words[Word.bodyLength] = length;
    if (flag === Flag.errorCondition) this.end(noticeOf(decodeError(packet)));
    else if (flag === EdgeFlag.control || flag === EdgeFlag.controlGcm) this.receiveControl(packet, now);
    else if (this.phase !== null) this.fail(EARLY, now);
    else if (flag === Flag.encryptedMessage) this.countMessage();
    else if (flag === EdgeFlag.keepaliveRequest) this.event = SessionEvent.keepaliveRequest;
    else if (flag === EdgeFlag.keepaliveResponse) this.event = SessionEvent.keepaliveResponse;
    else
      acceptRatchet(slot, this.crypto!.suite, packet.subarray(HEADER_BYTES, HEADER_BYTES + this.bodyLength));
  }

  private countMessage(): void {
    const { words } = this.slot;
    this.event = SessionEvent.message;
    const low = (words[Word.deliveredLow]! + 1) | 0;
    words[Word.deliveredLow] = low;
    if (low === 0) words[Word.deliveredHigh]!++;
  }

  private receiveControl(packet: Uint8Array, now: number): void {
    const body = packet.subarray(HEADER_BYTES, HEADER_BYTES + this.bodyLength);
    if (this.phase !== null) receiveHello(this, body, now);
    else receiveControl(this, body, now);
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
      this.giveHandshakeBuffer();
      if (keys.secrets === null) {
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
      if (this.role === 'server') sendServerHello(this, keys, now);
      else awaitServerHello(this, keys);
    }
  }

  establish(): void {
    this.state = 'established';
  }

  /** No hello came within HELLO_WAIT_MS: a 1.4 server, which this end puts up with or not. */
  helloMissed(now: number): void {
    if (this.state === 'hello') helloMissed(this, now);
  }

  /** Starts a KEM rekey (X5). `now` in seconds. Throws `rekey_unavailable`. */
  startRekey(now: number): void {
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
   * `sequence_exhausted`.
   */
  seal(plain: Uint8Array, now: number): Uint8Array {
    if (!(plain instanceof Uint8Array)) {
      throw new QstpError('message_type', 'a message is a Uint8Array: encode text first');
    }
    this.checkMessage(plain.length);
    const packet = new Uint8Array(HEADER_BYTES + plain.length + tagBytes(this.slot));
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

  // ---- The end --------------------------------------------------------------------------------------------

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

  fail(why: Reject, now: number): void {
    if (this.state === 'closed') return;
    const { slot, phase } = this;
    const strict = phase !== null && phase.keys.material !== null && holdsCipher(slot, Cipher.rcs);
    if (slot.words[Word.cipher] === Cipher.none && strict) {
      // A strict server holds a connection for us: the notice is sealed with the keys of 1.4.
      openStrict(slot, false, phase!.keys.material!, phase!.keys.ratchet!);
    }
    const keyed = slot.words[Word.cipher] !== Cipher.none;
    // A client without keys has nobody to tell; a server still has the client that waits for its hello.
    const early = this.role === 'server' ? encodeError(why.code, now) : null;
    const notice = keyed ? closeNotice(slot, why.code, now) : early;
    this.end(why);
    this.output = notice;
  }

  private end(why: Reject): void {
    if (this.state === 'closed') return;
    const { phase, waiting, rekey } = this;
    if (phase !== null) wipeKeys(phase.keys);
    if (waiting !== null) wipeJob(waiting.job);
    if (rekey !== null) wipeRekey(rekey);
    // The last plaintext may lie there, or in bytes that were lent to us.
    if (this.body !== null) wipe(this.body);
    this.body = null;
    this.giveHandshakeBuffer();
    this.dropBuffer();
    this.buffer = null;
    this.state = 'closed';
    const { output, role } = this;
    this.progress = newProgress();
    this.progress.role = role;
    this.progress.closed = why;
    this.progress.output = output;
    releaseSlot(this.slot);
  }

  private giveHandshakeBuffer(): void {
    const { lease } = this;
    if (lease === 0) return;
    const buffer = lease === 2 ? this.buffer : null;
    this.under().lease = 0;
    if (lease === 2) this.buffer = this.slot.receive;
    returnHandshakeBuffer(poolOf(this.slot), this, buffer);
  }

  private dropBuffer(): void {
    const { slot } = this;
    if (this.buffer !== null && slot.receive === null) returnBuffer(poolOf(slot), this.buffer);
    this.buffer = slot.receive;
    slot.words[Word.fill] = 0;
    slot.words[Word.need] = HEADER_BYTES;
  }
}

/** Throws `no_slot` if the pool has none left. */
export function createSession(handshake: Handshake, options: SessionOptions = {}): Session {
  return new Session(handshake, options);
}
