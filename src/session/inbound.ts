// How a session takes its bytes: it cuts the stream into packets, in a buffer of its slot, one borrowed while a
// packet is incomplete, or where the bytes lie.

import { HEADER_BYTES } from '../params.ts';
import { ErrorCode, reject } from '../error.ts';
import type { Reject } from '../error.ts';
import { borrowBuffer, poolOf, requestHandshakeBuffer, returnBuffer } from '../pool/pool.ts';
import { Word } from '../pool/slot.ts';
import { headerLength } from '../wire/header.ts';
import { SessionBase } from './base.ts';
import { Lease, SessionEvent } from './core.ts';
import { finishHello } from './hello-client.ts';

function noBuffer(need: number, most: number): Reject {
  return reject(
    'handshake_buffer',
    ErrorCode.memoryAllocation,
    `a handshake packet has ${need} bytes, the pool's handshake buffer ${most}: raise handshakeBytes`,
  );
}

export abstract class Inbound extends SessionBase {
  /** Checks a header before the body is taken. */
  protected abstract admit(header: Uint8Array, now: number): boolean;
  /** Takes a whole packet. True: it is a control message, which `receiveControl` deals with. */
  protected abstract process(packet: Uint8Array, now: number): boolean;
  protected abstract receiveControl(packet: Uint8Array, now: number): void;
  /** Closes with a notice to the peer, in `takeOutput`, and wipes all secrets. */
  abstract close(why: Reject, now: number): void;

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
    let packet: Uint8Array | null = null;
    while (packet === null && this.takes()) {
      const left = bytes.length - from - taken;
      if (left === 0) break;
      if (words[Word.fill] === 0 && this.buffer === null) {
        packet = this.wholePacket(bytes, from + taken, left);
        if (packet !== null) {
          const good = this.admit(packet, now);
          taken += good ? packet.length : HEADER_BYTES;
          if (!good) return taken;
          break;
        }
        this.buffer = borrowBuffer(poolOf(this.slot), HEADER_BYTES);
      }
      taken += this.collect(bytes, from + taken, left);
      if (words[Word.fill] === HEADER_BYTES && words[Word.need] === HEADER_BYTES) {
        if (!this.admit(this.buffer!, now)) break;
        this.makeRoom(HEADER_BYTES + headerLength(this.buffer!), now);
      }
      if (words[Word.fill] === words[Word.need] && words[Word.need]! > HEADER_BYTES)
        packet = this.collected();
    }
    // Here, and not from where a packet is found or opened: each goes deep into a device's stack.
    if (packet !== null) {
      if (this.process(packet, now)) this.receiveControl(packet, now);
      if (this.progress !== null) finishHello(this, now);
    }
    return taken;
  }

  /** The packet that is complete in the buffer: the next one begins. */
  private collected(): Uint8Array {
    const { words } = this.slot;
    const buffer = this.buffer!;
    // A record needs no view of its own length, and gets none: nothing is allocated for one.
    const packet = this.state === 'handshake' ? buffer.subarray(0, words[Word.need]!) : buffer;
    words[Word.fill] = 0;
    words[Word.need] = HEADER_BYTES;
    return packet;
  }

  /** Gives a borrowed buffer back between packets: call it when the bytes of a `receive` are dealt with. */
  rest(): void {
    const { lease } = this;
    if (this.state === 'closed' || lease === Lease.asked || lease === Lease.lent || this.pending !== null)
      return;
    this.body = null;
    if (this.slot.receive === null && this.slot.words[Word.fill] === 0) this.dropBuffer();
  }

  /** The handshake buffer is this session's (pool). */
  granted(buffer: Uint8Array): void {
    const before = this.buffer!;
    for (let i = 0; i < HEADER_BYTES; i++) buffer[i] = before[i]!;
    if (this.slot.receive === null) returnBuffer(poolOf(this.slot), before);
    this.buffer = buffer;
    const late = this.lease === Lease.asked;
    this.under().lease = Lease.lent;
    if (late && this.owner !== null) this.owner.handshakeBufferReady();
  }

  protected takes(): boolean {
    if (this.state === 'closed' || this.lease === Lease.asked) return false;
    return this.pending === null;
  }

  /** The packet at `at`, where it lies, if it is there as a whole. */
  protected wholePacket(bytes: Uint8Array, at: number, left: number): Uint8Array | null {
    if (left < HEADER_BYTES) return null;
    const length =
      (bytes[at + 1]! | (bytes[at + 2]! << 8) | (bytes[at + 3]! << 16) | (bytes[at + 4]! << 24)) >>> 0;
    if (length > left - HEADER_BYTES || length === 0) return null;
    // Plain: the slice of a Node Buffer is no copy.
    return new Uint8Array(bytes.buffer, bytes.byteOffset + at, HEADER_BYTES + length);
  }

  protected collect(bytes: Uint8Array, from: number, left: number): number {
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
  protected makeRoom(need: number, now: number): void {
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
      this.under().lease = Lease.asked;
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
}
