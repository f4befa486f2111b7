// RCS-256 for gateways: the kernel's states and packets (crypto/micro/rcs.ts) with their two loops in WebAssembly. A
// state is copied to the module's memory for one packet, and all of that is wiped before the call returns: keys stay in
// their slots alone. Without WebAssembly, or without its vectors, the kernel does it all.

import { equalAt, putU32 } from '../../bytes.ts';
import {
  C_BASE,
  COUNTER,
  RCS256_TAG_BYTES,
  RCS256_WORDS,
  rcsAdvance,
  rcsOpen,
  rcsSeal,
  ROUNDS,
  TOTAL,
} from '../micro/rcs.ts';
import { RATE_256 } from '../micro/sponge.ts';
import type { RcsRecords } from '../provider.ts';
import { MEMORY_BYTES, MODULE, STATE, WORK } from './module.ts';

const RCS256_ROUNDS = 22;
const SPONGE_WORDS = 50;
/** right_encode(256) and KMAC's domain byte (SP 800-185 §2.3.1, §4.3). */
const ENDING = [1, 0, 2, 4];
/** The module computes whole groups of 16 blocks. */
const GROUP = 512;
const AAD_MOST = 256;
/** Largest text: there must be room for what stands before and behind it. */
const TEXT_MOST = MEMORY_BYTES - WORK - AAD_MOST - GROUP - 3 * RATE_256;

/** What the module exports: see tools/gen-wasm-records.mjs. */
export interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer };
  xor(at: number, end: number): void;
  absorb(at: number, count: number): void;
}

/** As much of WebAssembly (its JavaScript interface, §5) as is used here. */
interface Api {
  validate(code: Uint8Array): boolean;
  readonly Module: new (code: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: unknown };
}

class Work {
  private readonly exports: Exports;
  private readonly bytes: Uint8Array;
  private readonly state: Int32Array;
  private readonly sponge: Int32Array;
  /** Of the packet at hand: where its text begins, and where what was written ends. */
  private text = 0;
  private end: number = WORK;

  constructor(exports: Exports) {
    const { buffer } = exports.memory;
    this.exports = exports;
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

/** A new instance of the module; null where the engine does not take it. */
export function loadModule(
  api: Api | undefined = (globalThis as unknown as { WebAssembly?: Api }).WebAssembly,
): Exports | null {
  if (api === undefined) return null;
  const text = atob(MODULE);
  const code = new Uint8Array(text.length);
  for (let i = 0; i < code.length; i++) code[i] = text.charCodeAt(i);
  if (!api.validate(code)) return null;
  return new api.Instance(new api.Module(code)).exports as Exports;
}

/** Made with the first record, for all pools of the process. `load` is for tests. */
export function createRcsRecords(load: () => Exports | null = loadModule): RcsRecords {
  let work: Work | null | undefined;
  const find = (r: Int32Array, aadLength: number, length: number): Work | null => {
    // The kernel does RCS-512, and refuses a state that is wiped.
    if (r[ROUNDS] !== RCS256_ROUNDS || aadLength > AAD_MOST || length > TEXT_MOST) return null;
    if (work === undefined) {
      const exports = load();
      work = exports === null ? null : new Work(exports);
    }
    return work;
  };
  return {
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
