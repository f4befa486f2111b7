// What every part of a session stands on: its slot, what is under way, its end. Its state lies in a slot of the
// pool; a session is an object of few fields with its methods on the prototype, for each field of each connection
// costs a device memory (docs/memory.md).

import { WITH_REKEY, WITH_SERVER, WITH_STRICT } from '../features.ts';
import { HEADER_BYTES, MESSAGE_MAX } from '../params.ts';
import type { Reject } from '../error.ts';
import { wipe } from '../bytes.ts';
import { wipeJob } from '../crypto/job.ts';
import type { Job } from '../crypto/job.ts';
import type { SuiteCrypto } from '../crypto/provider.ts';
import {
  acquireSlot,
  createPool,
  poolOf,
  releaseSlot,
  returnBuffer,
  returnHandshakeBuffer,
} from '../pool/pool.ts';
import type { HandshakeWaiter, Pool } from '../pool/pool.ts';
import { Cipher, hasFlag, SlotFlag, Word } from '../pool/slot.ts';
import type { Slot } from '../pool/slot.ts';
import type { Assembly } from '../wire/edge.ts';
import { encodeError } from '../wire/messages.ts';
import { holdsCipher, openStrict } from './channel.ts';
import { closeNotice, emit, Lease, sendLimit, SessionEvent } from './core.ts';
import type {
  HelloPhase,
  Progress,
  RekeyState,
  SessionOwner,
  SessionCore,
  SessionState,
  Waiting,
} from './core.ts';
import type { ClientEdge, ClientName, ServerEdge } from './edge.ts';
import { wipeKeys } from './handshake.ts';
import type { Handshake } from './handshake.ts';
import { wipeRekey } from './rekey.ts';

export interface SessionOptions {
  /** Where the connection's state comes from. Default: a pool of one slot, which borrows its buffers. */
  readonly pool?: Pool;
  /** Longest message taken in the data phase, tag included, bytes. Default 65,536, or what fits the buffer. */
  readonly recordLimit?: number;
}

function newProgress(): Progress {
  return {
    handshake: null,
    phase: null,
    waiting: null,
    rekey: null,
    statement: null,
    output: null,
    lease: Lease.none,
    closed: null,
    role: 'client',
  };
}

export abstract class SessionBase implements SessionCore, HandshakeWaiter {
  abstract granted(buffer: Uint8Array): void;

  state: SessionState = 'handshake';
  /** The connection's state. Not to be used once the session is closed: it is another's then. */
  readonly slot: Slot;
  /** The algorithms of the suite; null until a server knows the client's choice, and for a resumption. */
  crypto: SuiteCrypto | null = null;
  edge: ClientEdge | ServerEdge | null = null;
  /** What the last packet lies in, from its header on; null at rest. */
  body: Uint8Array | null = null;
  owner: SessionOwner | null = null;
  protected progress: Progress | null;
  /** Where the incoming packet is collected; null between packets of a session that borrows. */
  protected buffer: Uint8Array | null;

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
    if (!WITH_SERVER) return 'client';
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

  get statement(): Assembly | null {
    return this.progress === null ? null : this.progress.statement;
  }
  set statement(statement: Assembly | null) {
    this.under().statement = statement;
  }

  get output(): Uint8Array | null {
    return this.progress === null ? null : this.progress.output;
  }
  set output(output: Uint8Array | null) {
    this.under().output = output;
  }

  protected under(): Progress {
    if (this.progress === null) this.progress = newProgress();
    return this.progress;
  }

  protected get handshake(): Handshake | null {
    return this.progress === null ? null : this.progress.handshake;
  }

  protected get lease(): number {
    return this.progress === null ? Lease.none : this.progress.lease;
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
  protected tidy(): void {
    const { progress } = this;
    if (progress === null || this.state !== 'established' || progress.lease !== Lease.none) return;
    const busy = progress.phase !== null || progress.waiting !== null || progress.rekey !== null;
    if (busy || progress.statement !== null || progress.output !== null) return;
    this.progress = null;
  }

  establish(): void {
    this.state = 'established';
    this.giveHandshakeBuffer();
  }

  identify(client: ClientName): void {
    if (this.owner !== null) this.owner.identified(client);
  }

  // ---- The end --------------------------------------------------------------------------------------------

  /** Ends the session with a notice to the peer, in `takeOutput`, and wipes all secrets. */
  fail(why: Reject, now: number): void {
    if (this.state === 'closed') return;
    const { slot, phase } = this;
    const strict =
      WITH_STRICT && phase !== null && phase.keys.material !== null && holdsCipher(slot, Cipher.rcs);
    if (slot.words[Word.cipher] === Cipher.none && strict) {
      // A strict server holds a connection for us: the notice is sealed with the keys of 1.4.
      openStrict(slot, false, phase!.keys.material!, phase!.keys.ratchet!);
    }
    const keyed = slot.words[Word.cipher] !== Cipher.none;
    // A client without keys has nobody to tell; a server still has the client that waits for its hello.
    const early = WITH_SERVER && this.role === 'server' ? encodeError(why.code, now) : null;
    const notice = keyed ? closeNotice(slot, why.code, now) : early;
    this.end(why);
    // After what was sealed before it: its sequence number is the next.
    if (notice !== null) emit(this, notice);
  }

  protected end(why: Reject): void {
    if (this.state === 'closed') return;
    const { phase, waiting, rekey } = this;
    if (phase !== null) wipeKeys(phase.keys);
    if (waiting !== null) wipeJob(waiting.job);
    if (WITH_REKEY && rekey !== null) wipeRekey(rekey);
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

  protected giveHandshakeBuffer(): void {
    const { lease } = this;
    if (lease === Lease.none) return;
    const buffer = lease === Lease.lent ? this.buffer : null;
    this.under().lease = Lease.none;
    if (lease === Lease.lent) this.buffer = this.slot.receive;
    returnHandshakeBuffer(poolOf(this.slot), this, buffer);
  }

  /**
   * Keeps the pool's handshake buffer until the hellos are through: `bytes` of it. Null if it was not lent, is too
   * small, or is not the pool's own.
   */
  protected keepHandshakeBuffer(bytes: number): Uint8Array | null {
    const { handshake } = poolOf(this.slot);
    if (this.lease !== Lease.lent || handshake === null || handshake.length < bytes) return null;
    this.buffer = this.slot.receive;
    this.under().lease = Lease.kept;
    return handshake.subarray(0, bytes);
  }

  protected dropBuffer(): void {
    const { slot } = this;
    if (this.buffer !== null && slot.receive === null) returnBuffer(poolOf(slot), this.buffer);
    this.buffer = slot.receive;
    slot.words[Word.fill] = 0;
    slot.words[Word.need] = HEADER_BYTES;
  }
}
