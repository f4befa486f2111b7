// AES-256-GCM for gateways: the kernel's states and packets (crypto/micro/aes-gcm.ts) in WebAssembly. A state's keys are
// copied to the module's memory for one record, and all of that is wiped before the call returns. H is computed with each record,
// in the pass that brings the tag's mask. Without WebAssembly, or without its vectors, the kernel does it all.

import { putU32 } from '../../bytes.ts';
import { AES_GCM_KEYS, AES_GCM_STAGE, aesGcmOpen, aesGcmSeal } from '../micro/aes-gcm.ts';
import type { GcmRecords } from '../provider.ts';
import { once, sharedModule } from './load.ts';
import type { Exports } from './load.ts';
import { AES_COUNTER, AES_KEYS, GCM_WORK, GHASH_H, GHASH_Y, MEMORY_BYTES } from './module.ts';

const BLOCK = 16;
/** The module computes whole groups of 8 blocks. */
const GROUP = 128;
const TAG_BYTES = 16;
/** The longest associated data: a record's header takes two blocks. */
const AAD_MOST = 2 * BLOCK;

/** Of the blocks 0 and 1, which are H and the tag's mask, and of the text behind them. */
const H_AT = GCM_WORK + AAD_MOST;
const MASK_AT = H_AT + BLOCK;
const TEXT = MASK_AT + BLOCK;
/** Room for a text twice, as it comes and decrypted, with a group and a block of lengths behind each. */
const TEXT_MOST = ((MEMORY_BYTES - TEXT) >> 1) - GROUP - 2 * BLOCK;

/** Copies short ranges sooner than the typed array's own. */
const SHORT = 160;

function move(to: Uint8Array, toAt: number, from: Uint8Array, at: number, length: number): void {
  if (length > SHORT) to.set(from.subarray(at, at + length), toAt);
  else for (let i = 0; i < length; i++) to[toAt + i] = from[at + i]!;
}

function blocksOf(length: number): number {
  return (length + BLOCK - 1) >> 4;
}

class Work {
  private readonly exports: Exports;
  private readonly bytes: Uint8Array;
  private readonly keys: Int32Array;
  private readonly words: Int32Array;

  constructor(exports: Exports) {
    const { buffer } = exports.memory;
    this.exports = exports;
    this.bytes = new Uint8Array(buffer);
    this.keys = new Int32Array(buffer, AES_KEYS, AES_GCM_KEYS);
    this.words = new Int32Array(buffer);
  }

  /** Copies the keys, the nonce and the text, and brings H, the tag's mask and the text XORed with the key stream. */
  private gctr(g: Int32Array, nonce: Uint8Array, data: Uint8Array, at: number, length: number): void {
    const { bytes, keys } = this;
    for (let i = 0; i < AES_GCM_KEYS; i++) keys[i] = g[i]!;
    for (let i = 0; i < 12; i++) bytes[AES_COUNTER + i] = nonce[i]!;
    move(bytes, TEXT, data, at, length);
    this.exports.gctr(H_AT, TEXT + length);
  }

  /** Y over associated data and the `length` bytes at `text`, behind which the lengths are written. */
  private hash(aad: Uint8Array, aadLength: number, text: number, length: number): void {
    const { bytes, words, exports } = this;
    for (let i = 0; i < BLOCK; i += 4) {
      words[(GHASH_H + i) >> 2] = words[(H_AT + i) >> 2]!;
      words[(GHASH_Y + i) >> 2] = 0;
    }
    if (aadLength > 0) {
      for (let i = 0; i < AAD_MOST; i++) bytes[GCM_WORK + i] = i < aadLength ? aad[i]! : 0;
      exports.ghash(GCM_WORK, blocksOf(aadLength));
    }
    const blocks = blocksOf(length);
    const lengths = text + BLOCK * blocks;
    bytes.fill(0, text + length, lengths + BLOCK);
    // 64 bits each, high byte first: the lengths are far below 2^28 bytes.
    putU32(bytes, lengths + 4, swapped(8 * aadLength));
    putU32(bytes, lengths + 12, swapped(8 * length));
    exports.ghash(text, blocks + 1);
  }

  /** Byte `i` of the tag. */
  private tag(i: number): number {
    const { bytes } = this;
    return bytes[GHASH_Y + i]! ^ bytes[MASK_AT + i]!;
  }

  private wipe(end: number): void {
    this.bytes.fill(0, AES_KEYS, end);
  }

  readonly seal: GcmRecords['seal'] = (g, nonce, aad, aadLength, data, at, length) => {
    const { bytes } = this;
    try {
      this.gctr(g, nonce, data, at, length);
      this.hash(aad, aadLength, TEXT, length);
      move(data, at, bytes, TEXT, length);
      for (let i = 0; i < TAG_BYTES; i++) data[at + length + i] = this.tag(i);
    } finally {
      this.wipe(TEXT + length + GROUP + BLOCK);
    }
  };

  readonly open: GcmRecords['open'] = (g, nonce, aad, aadLength, data, at, length) => {
    const { bytes } = this;
    const copy = TEXT + BLOCK * blocksOf(length) + GROUP;
    try {
      this.gctr(g, nonce, data, at, length);
      move(bytes, copy, data, at, length);
      this.hash(aad, aadLength, copy, length);
      let different = 0;
      for (let i = 0; i < TAG_BYTES; i++) different |= data[at + length + i]! ^ this.tag(i);
      if (different !== 0) return false;
      move(data, at, bytes, TEXT, length);
      return true;
    } finally {
      this.wipe(copy + length + 2 * BLOCK);
    }
  };
}

/** The four bytes of a word the other way round. */
function swapped(x: number): number {
  return (x << 24) | ((x << 8) & 0xff0000) | ((x >> 8) & 0xff00) | ((x >> 24) & 255);
}

/** Made with the first record, for all pools of the process. `load` is for tests. */
export function createGcmRecords(load: () => Exports | null = sharedModule): GcmRecords {
  const work = once(() => {
    const exports = load();
    return exports === null ? null : new Work(exports);
  });
  const find = (g: Int32Array, aadLength: number, length: number): Work | null => {
    // The kernel refuses a state that is wiped.
    if (g[AES_GCM_STAGE] === 0 || aadLength > AAD_MOST || length > TEXT_MOST) return null;
    return work();
  };
  const nothing = (): void => undefined;
  return {
    rekeyed: nothing,
    forget: nothing,
    seal(g, nonce, aad, aadLength, data, at, length) {
      const found = find(g, aadLength, length);
      if (found === null) aesGcmSeal(g, nonce, aad, aadLength, data, at, length);
      else found.seal(g, nonce, aad, aadLength, data, at, length);
    },
    open(g, nonce, aad, aadLength, data, at, length, scratch) {
      const found = find(g, aadLength, length);
      if (found === null) return aesGcmOpen(g, nonce, aad, aadLength, data, at, length, scratch);
      return found.open(g, nonce, aad, aadLength, data, at, length, scratch);
    },
  };
}

export const gcmRecords: GcmRecords = /* @__PURE__ */ createGcmRecords();
