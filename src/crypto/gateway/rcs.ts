// RCS-256 for gateways: the kernel's states and packets (crypto/micro/rcs.ts) with their two loops, and their keying, in WebAssembly. A
// state is copied to the module's memory for one packet, and all of that is wiped before the call returns: keys stay in
// their slots alone. Without WebAssembly, or without its vectors, the kernel does it all.

import { equalAt, getI32, putU32, wipe } from '../../bytes.ts';
import {
  C_BASE,
  COUNTER,
  KEYS,
  NAME_256,
  RCS256_TAG_BYTES,
  RCS256_WORDS,
  rcsAdvance,
  rcsInit,
  rcsOpen,
  rcsSeal,
  ROUNDS,
  TOTAL,
} from '../micro/rcs.ts';
import { rcsOrder } from '../micro/rijndael.ts';
import { KMAC_NAME, RATE_256, spongeInit } from '../micro/sponge.ts';
import type { RcsRecords } from '../provider.ts';
import { once, sharedModule } from './load.ts';
import type { Exports } from './load.ts';
import { MEMORY_BYTES, STATE, WORK } from './module.ts';
import { Sponge } from './sponge.ts';

const RCS256_ROUNDS = 22;
const KEY_BYTES = 32;
const ROUND_KEYS_BYTES = 32 * (RCS256_ROUNDS + 1);
/** The MAC key begins with a block of the key schedule. */
const MAC_KEY_AT = RATE_256 * Math.ceil(ROUND_KEYS_BYTES / RATE_256);
const NOTHING = /* @__PURE__ */ new Uint8Array(0);
const SPONGE_WORDS = 50;
/** right_encode(256) and KMAC's domain byte (SP 800-185 §2.3.1, §4.3). */
const ENDING = [1, 0, 2, 4];
/** The module computes whole groups of 16 blocks. */
const GROUP = 512;
const AAD_MOST = 256;
/** Largest text: there must be room for what stands before and behind it. */
const TEXT_MOST = MEMORY_BYTES - WORK - AAD_MOST - GROUP - 3 * RATE_256;

class Work {
  private readonly exports: Exports;
  private readonly bytes: Uint8Array;
  private readonly state: Int32Array;
  private readonly sponge: Int32Array;
  /** Of the packet at hand: where its text begins, and where what was written ends. */
  private text = 0;
  private end: number = WORK;

  private readonly hash: Sponge;

  constructor(exports: Exports) {
    const { buffer } = exports.memory;
    this.exports = exports;
    this.hash = new Sponge(exports);
    this.bytes = new Uint8Array(buffer);
    this.state = new Int32Array(buffer, STATE, RCS256_WORDS);
    this.sponge = new Int32Array(buffer, STATE, SPONGE_WORDS);
  }

  /** Copies a state and a packet's beginning: associated data and their length (both only if there are any), counter, text. */
  private begin(r: Int32Array, aad: Uint8Array, aadLength: number, text: Uint8Array): void {
    const { bytes } = this;
    this.state.set(r);
    let at = WORK;
    if (aadLength > 0) {
      bytes.set(aad.subarray(0, aadLength), at);
      putU32(bytes, at + aadLength, aadLength);
      at += aadLength + 4;
    }
    bytes.copyWithin(at, STATE + 4 * COUNTER, STATE + 4 * COUNTER + 32);
    this.text = at + 32;
    this.end = this.text + text.length;
    bytes.set(text, this.text);
  }

  private xor(length: number): void {
    this.exports.xor(this.text, this.text + length);
    this.end = Math.max(this.end, this.text + length + GROUP);
  }

  /** The tag over what {@link begin} wrote, at STATE; `r` goes on to the next packet's sponge. */
  private mac(r: Int32Array, length: number): void {
    const { bytes } = this;
    const total = r[TOTAL]! + length;
    if (total >>> 0 < length) r[TOTAL + 1]!++;
    r[TOTAL] = total;
    const low = (r[TOTAL]! + C_BASE) | 0;
    let at = this.text + length;
    putU32(bytes, at, low);
    putU32(bytes, at + 4, r[TOTAL + 1]! + (low >>> 0 < C_BASE ? 1 : 0));
    at += 8;
    const buffered = (at - WORK) % RATE_256;
    let next = at - buffered + RATE_256;
    bytes.fill(0, at, next + RATE_256);
    if (buffered + 3 >= RATE_256) {
      // The reference's finalisation (sponge.ts, quirkApplies): an ending of its own, the block before once more behind it.
      bytes.copyWithin(next + 4, at - buffered + 4, at);
      at = next;
      next += RATE_256;
    }
    bytes.set(ENDING, at);
    bytes[next - 1]! ^= 0x80;
    this.end = Math.max(this.end, next);
    this.exports.absorb(WORK, (next - WORK) / RATE_256);
    r.set(this.sponge);
  }

  private wipe(): void {
    this.bytes.fill(0, STATE, this.end);
  }

  /** As rcsInit of the kernel, for RCS-256 without a customisation. */
  init(r: Int32Array, key: Uint8Array, nonce: Uint8Array): void {
    const { hash } = this;
    const keys = new Uint8Array(MAC_KEY_AT + KEY_BYTES);
    hash.cshake(key, new Uint8Array(NAME_256), NOTHING, keys);
    for (let i = 0; i < ROUND_KEYS_BYTES; i += 4) r[KEYS + (i >> 2)] = getI32(keys, i);
    rcsOrder(r, KEYS, RCS256_ROUNDS);
    spongeInit(r, RATE_256);
    hash.kmacStart(new Uint8Array(KMAC_NAME), keys.subarray(MAC_KEY_AT), r);
    wipe(keys);
    for (let i = 0; i < 8; i++) r[COUNTER + i] = getI32(nonce, 4 * i);
    r[TOTAL] = 0;
    r[TOTAL + 1] = 0;
    r[ROUNDS] = RCS256_ROUNDS;
  }

  readonly seal: RcsRecords['seal'] = (r, aad, aadLength, data, at, length) => {
    const { bytes } = this;
    try {
      this.begin(r, aad, aadLength, data.subarray(at, at + length));
      this.xor(length);
      this.mac(r, length);
      data.set(bytes.subarray(this.text, this.text + length), at);
      data.set(bytes.subarray(STATE, STATE + RCS256_TAG_BYTES), at + length);
    } finally {
      this.wipe();
    }
    rcsAdvance(r, length);
  };

  readonly open: RcsRecords['open'] = (r, aad, aadLength, data, at, length) => {
    const { bytes } = this;
    try {
      this.begin(r, aad, aadLength, data.subarray(at, at + length));
      this.mac(r, length);
      if (!equalAt(bytes, STATE, data, at + length, RCS256_TAG_BYTES)) return false;
      this.xor(length);
      data.set(bytes.subarray(this.text, this.text + length), at);
    } finally {
      this.wipe();
    }
    rcsAdvance(r, length);
    return true;
  };
}

/** Made with the first record, for all pools of the process. `load` is for tests. */
export function createRcsRecords(load: () => Exports | null = sharedModule): RcsRecords {
  const work = once(() => {
    const exports = load();
    return exports === null ? null : new Work(exports);
  });
  const find = (r: Int32Array, aadLength: number, length: number): Work | null => {
    // The kernel does RCS-512, and refuses a state that is wiped.
    if (r[ROUNDS] !== RCS256_ROUNDS || aadLength > AAD_MOST || length > TEXT_MOST) return null;
    return work();
  };
  return {
    init(r, key, nonce, info) {
      const found = key.length === KEY_BYTES && info.length === 0 ? work() : null;
      if (found === null) rcsInit(r, key, nonce, info);
      else found.init(r, key, nonce);
    },
    seal(r, aad, aadLength, data, at, length) {
      const found = find(r, aadLength, length);
      if (found === null) rcsSeal(r, aad, aadLength, data, at, length);
      else found.seal(r, aad, aadLength, data, at, length);
    },
    open(r, aad, aadLength, data, at, length, scratch) {
      const found = find(r, aadLength, length);
      if (found === null) return rcsOpen(r, aad, aadLength, data, at, length, scratch);
      return found.open(r, aad, aadLength, data, at, length, scratch);
    },
  };
}

export const rcsRecords: RcsRecords = /* @__PURE__ */ createRcsRecords();
