// The slab: every byte of state that connections own, in one buffer made at the start (docs/memory.md).
// A device has a fixed number of slots with a receive buffer each. A gateway grows by whole slabs, and
// borrows a buffer only while a packet is incomplete.

import { WITH_ENGINE } from '../features.ts';
import { QstpError } from '../error.ts';
import { wipe } from '../bytes.ts';
import type { RecordEngine } from '../crypto/provider.ts';
import { Cipher, CIPHER_WORDS, slotBytes, slotOver, TAG_SCRATCH_BYTES } from './slot.ts';
import type { SharedScratch, Slot } from './slot.ts';

export interface PoolOptions {
  /** Slots of one slab. */
  readonly slots: number;
  /** Most slots in all, reached by whole slabs. Default: `slots`. */
  readonly maxSlots?: number;
  /** The largest cipher state a slot has room for: `rcs` for both ciphers. Default rcs. */
  readonly cipher?: 'rcs' | 'gcm';
  /** Bytes of a slot's receive buffer, at least 131; 0 to borrow. Default 0. */
  readonly receiveBytes?: number;
  /**
   * Bytes of the one buffer that handshakes share for packets larger than a receive buffer. Default 0: each
   * handshake borrows one of its own.
   */
  readonly handshakeBytes?: number;
  /** Bytes of the one buffer that outgoing records are sealed in. Default 0: each record gets its own. */
  readonly transmitBytes?: number;
  /** What does records in the place of the kernels, for gateways. Default: null, the kernels. */
  readonly engine?: RecordEngine | null;
}

/** Who waits for the shared handshake buffer. */
export interface HandshakeWaiter {
  /** The buffer is free, and yours until you give it back. */
  granted(buffer: Uint8Array): void;
}

export interface Pool extends SharedScratch {
  /** Words of one direction's cipher state. */
  readonly stateWords: number;
  readonly receiveBytes: number;
  readonly handshakeBytes: number;
  readonly maxSlots: number;
  /** Bytes of one slot. */
  readonly slotBytes: number;
  /** Where records are sealed; null: each gets an array of its own. */
  readonly transmit: Uint8Array | null;
  /** Slots that exist, free ones and taken ones. */
  size: number;
  readonly free: Slot[];
  /** Spare receive buffers of BORROWED_BYTES. */
  readonly buffers: Uint8Array[];
  readonly handshake: Uint8Array | null;
  holder: HandshakeWaiter | null;
  readonly waiting: HandshakeWaiter[];
  readonly slotsASlab: number;
}

/** Most packets of a gateway fit a buffer of this size; larger ones get one of their own. */
export const BORROWED_BYTES = 2048;
const SPARE_BUFFERS = 64;
/** The server's hello under RCS-256: 21 + 78 + 32. */
const RECEIVE_BYTES_LEAST = 131;

/** Throws `pool_invalid` for sizes that cannot work. */
export function createPool(options: PoolOptions): Pool {
  const receiveBytes = options.receiveBytes ?? 0;
  const handshakeBytes = options.handshakeBytes ?? 0;
  const transmitBytes = options.transmitBytes ?? 0;
  if (!(options.slots >= 1)) throw new QstpError('pool_invalid', 'a pool has at least one slot');
  if (receiveBytes !== 0 && !(receiveBytes >= RECEIVE_BYTES_LEAST)) {
    throw new QstpError(
      'pool_invalid',
      `a receive buffer has at least ${RECEIVE_BYTES_LEAST} bytes, not ${receiveBytes}`,
    );
  }
  const stateWords = CIPHER_WORDS[options.cipher === 'gcm' ? Cipher.gcm : Cipher.rcs]!;
  const pool: Pool = {
    stateWords,
    receiveBytes,
    handshakeBytes,
    maxSlots: options.maxSlots ?? options.slots,
    slotBytes: slotBytes(stateWords, receiveBytes),
    transmit: transmitBytes === 0 ? null : new Uint8Array(transmitBytes),
    size: 0,
    free: [],
    buffers: [],
    handshake: handshakeBytes === 0 ? null : new Uint8Array(handshakeBytes),
    holder: null,
    waiting: [],
    slotsASlab: options.slots,
    tag: new Uint8Array(TAG_SCRATCH_BYTES),
    nonce: new Uint8Array(12),
    engine: options.engine ?? null,
  };
  addSlab(pool);
  return pool;
}

function addSlab(pool: Pool): void {
  const left = pool.maxSlots - pool.size;
  const count = pool.slotsASlab < left ? pool.slotsASlab : left;
  const buffer = new ArrayBuffer(count * pool.slotBytes);
  for (let i = count - 1; i >= 0; i--) {
    pool.free.push(slotOver(buffer, i * pool.slotBytes, pool.stateWords, pool.receiveBytes, pool));
  }
  pool.size += count;
}

/** Throws `pool_invalid` for a pool that lends its transmit buffer: to transports that keep what they are given. */
export function requireOwnArrays(pool: Pool | undefined): void {
  if (pool === undefined || pool.transmit === null) return;
  throw new QstpError(
    'pool_invalid',
    'the sockets here keep what they are given to write: make the pool without transmitBytes',
  );
}

/** Slots in use. */
export function slotsTaken(pool: Pool): number {
  return pool.size - pool.free.length;
}

/** True if another connection would get a slot. */
export function slotAvailable(pool: Pool): boolean {
  return pool.free.length > 0 || pool.size < pool.maxSlots;
}

/** The pool of a slot. */
export function poolOf(slot: Slot): Pool {
  return slot.shared as Pool;
}

/** A slot of zeros. Throws `no_slot` if all are taken, which disturbs none of them. */
export function acquireSlot(pool: Pool): Slot {
  if (pool.free.length === 0 && pool.size < pool.maxSlots) addSlab(pool);
  const slot = pool.free.pop();
  if (slot !== undefined) return slot;
  throw new QstpError(
    'no_slot',
    `all ${pool.maxSlots} connection slots are taken: close a connection, or raise "slots" in the profile`,
  );
}

/** Wipes a slot and gives it back to its pool. */
export function releaseSlot(slot: Slot): void {
  wipeSlot(slot);
  poolOf(slot).free.push(slot);
}

export function wipeSlot(slot: Slot): void {
  wipe(slot.words);
  wipe(slot.tx);
  wipe(slot.rx);
  const { engine } = slot.shared;
  if (WITH_ENGINE && engine !== null && engine.gcm !== null) {
    engine.gcm.forget(slot.tx);
    engine.gcm.forget(slot.rx);
  }
  if (slot.receive !== null) wipe(slot.receive);
}

// ---- Buffers lent for a time ------------------------------------------------------------------------------

/** A buffer of at least `bytes`, for an incomplete packet. */
export function borrowBuffer(pool: Pool, bytes: number): Uint8Array {
  if (bytes > BORROWED_BYTES) return new Uint8Array(bytes);
  return pool.buffers.pop() ?? new Uint8Array(BORROWED_BYTES);
}

/** Takes a borrowed buffer back, wiped. */
export function returnBuffer(pool: Pool, buffer: Uint8Array): void {
  wipe(buffer);
  if (buffer.length === BORROWED_BYTES && pool.buffers.length < SPARE_BUFFERS) pool.buffers.push(buffer);
}

/**
 * Asks for the shared handshake buffer. The waiter is told at once if it is free, else when those that
 * asked before have given it back. Without a shared buffer everyone is told at once.
 */
export function requestHandshakeBuffer(pool: Pool, waiter: HandshakeWaiter, bytes: number): void {
  if (pool.handshake === null) {
    waiter.granted(borrowBuffer(pool, bytes));
  } else if (pool.holder === null) {
    pool.holder = waiter;
    waiter.granted(pool.handshake);
  } else {
    pool.waiting.push(waiter);
  }
}

/** Gives the handshake buffer back, or gives up waiting for it: the next in line is told. */
export function returnHandshakeBuffer(pool: Pool, waiter: HandshakeWaiter, buffer: Uint8Array | null): void {
  if (pool.handshake === null) {
    if (buffer !== null) returnBuffer(pool, buffer);
    return;
  }
  const at = pool.waiting.indexOf(waiter);
  if (at >= 0) pool.waiting.splice(at, 1);
  if (pool.holder !== waiter) return;
  wipe(pool.handshake);
  const next = pool.waiting.shift() ?? null;
  pool.holder = next;
  if (next !== null) next.granted(pool.handshake);
}
