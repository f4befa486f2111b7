// SHA3-256, cSHAKE256 and the keying of RCS-256 for gateways: the sponge of crypto/micro/sponge.ts by the module's Keccak. A
// message is laid out in the module's memory as whole blocks, padding included, and all of it is wiped before the call returns.

import type { Hashing } from '../provider.ts';
import { cshake, RATE_256, sha3_256 } from '../micro/sponge.ts';
import { once, sharedModule } from './load.ts';
import type { Exports } from './load.ts';
import { STATE, WORK } from './module.ts';

const RATE = RATE_256;
/** The lanes of Keccak-f[1600]. */
const SPONGE_BYTES = 200;

/** Domain bytes with the first padding bit (FIPS 202 §B.2, SP 800-185 §3.3). */
const SHA3 = 0x06;
const CSHAKE = 0x04;

/** Most bytes of N and S together: the lengths that are encoded here. */
const STRINGS_MOST = 8191;
/** Of an input that is padded to whole blocks, and of what is put before it. */
const MARGIN = 4 * RATE;

export class Sponge {
  private readonly exports: Exports;
  private readonly bytes: Uint8Array;
  /** Where the next byte goes. */
  private at: number = WORK;
  /** Where what was written ends, over all blocks. */
  private end: number = WORK;

  constructor(exports: Exports) {
    this.exports = exports;
    this.bytes = new Uint8Array(exports.memory.buffer);
  }

  /** True if there is room for inputs of so many bytes in all. */
  takes(length: number): boolean {
    return length <= this.bytes.length - WORK - MARGIN;
  }

  /** SHA3-256 of `data`: 32 bytes. */
  sha3(data: Uint8Array): Uint8Array {
    const out = new Uint8Array(32);
    try {
      this.put(data);
      this.finish(SHA3);
      this.squeeze(out);
    } finally {
      this.wipe();
    }
    return out;
  }

  /** cSHAKE256 of `data` with N = `name`, S = `custom`, not both empty, into `out`. */
  cshake(data: Uint8Array, name: Uint8Array, custom: Uint8Array, out: Uint8Array): void {
    try {
      this.encodeRate();
      this.encode(name);
      this.encode(custom);
      this.fill();
      this.put(data);
      this.finish(CSHAKE);
      this.squeeze(out);
    } finally {
      this.wipe();
    }
  }

  /** KMAC256's state before its message (SP 800-185 §4.3), S empty: its words go to `out`. */
  kmacStart(name: Uint8Array, key: Uint8Array, out: Int32Array): void {
    const { bytes } = this;
    try {
      this.encodeRate();
      this.encode(name);
      this.encode(new Uint8Array(0));
      this.fill();
      this.encodeRate();
      this.encode(key);
      this.fill();
      this.absorb();
      out.set(new Int32Array(bytes.buffer, STATE, SPONGE_BYTES >> 2));
    } finally {
      this.wipe();
    }
  }

  private put(data: Uint8Array): void {
    this.bytes.set(data, this.at);
    this.at += data.length;
  }

  /** left_encode(136) (SP 800-185 §2.3.1): how bytepad begins. */
  private encodeRate(): void {
    this.bytes[this.at++] = 1;
    this.bytes[this.at++] = RATE;
  }

  /** encode_string (§2.3.2) of at most STRINGS_MOST bytes. */
  private encode(data: Uint8Array): void {
    const { bytes } = this;
    const bits = 8 * data.length;
    if (bits < 256) {
      bytes[this.at++] = 1;
    } else {
      bytes[this.at++] = 2;
      bytes[this.at++] = bits >> 8;
    }
    bytes[this.at++] = bits;
    this.put(data);
  }

  /** Zeros up to the block's end; there may be none to add. */
  private fill(): void {
    const over = (this.at - WORK) % RATE;
    if (over === 0) return;
    const next = this.at + RATE - over;
    this.bytes.fill(0, this.at, next);
    this.at = next;
  }

  private absorb(): void {
    const { bytes } = this;
    this.end = this.at > this.end ? this.at : this.end;
    bytes.fill(0, STATE, STATE + SPONGE_BYTES);
    this.exports.absorb(WORK, (this.at - WORK) / RATE);
  }

  private finish(domain: number): void {
    const { bytes } = this;
    bytes[this.at++] = domain;
    this.fill();
    bytes[this.at - 1]! ^= 0x80;
    this.absorb();
  }

  private squeeze(out: Uint8Array): void {
    const { bytes } = this;
    bytes.fill(0, WORK, WORK + RATE);
    for (let at = 0; at < out.length; at += RATE) {
      if (at > 0) this.exports.absorb(WORK, 1);
      const most = out.length - at;
      out.set(bytes.subarray(STATE, STATE + (most < RATE ? most : RATE)), at);
    }
  }

  private wipe(): void {
    const { bytes } = this;
    bytes.fill(0, STATE, STATE + SPONGE_BYTES);
    bytes.fill(0, WORK, this.at > this.end ? this.at : this.end);
    this.at = WORK;
    this.end = WORK;
  }
}

/** SHA3-256 and cSHAKE256 by the module; by the kernel where there is none, or no room. `load` is for tests. */
export function createHashing(load: () => Exports | null = sharedModule): Hashing {
  const find = once(() => {
    const exports = load();
    return exports === null ? null : new Sponge(exports);
  });
  const takes = (length: number): Sponge | null => {
    const sponge = find();
    return sponge !== null && sponge.takes(length) ? sponge : null;
  };
  return {
    sha3(data) {
      const sponge = takes(data.length);
      return sponge === null ? sha3_256(data) : sponge.sha3(data);
    },
    cshake(data, name, custom, length) {
      const strings = name.length + custom.length;
      const sponge = strings > STRINGS_MOST ? null : takes(data.length + strings);
      if (sponge === null) return cshake(RATE, data, name, custom, length);
      const out = new Uint8Array(length);
      sponge.cshake(data, name, custom, out);
      return out;
    },
  };
}

export const gatewayHashing: Hashing = /* @__PURE__ */ createHashing();
