// The record layer's operations under their metric names, for any engine: no import but the kernels, inputs
// made by formula.

import { keccakF1600 } from '../src/crypto/micro/keccak-f.ts';
import { RCS256_WORDS, rcsInit, rcsSeal } from '../src/crypto/micro/rcs.ts';

export interface Kernel {
  /** As in the performance page's metrics, without engine and unit: `rcs256.seal1k`. */
  readonly name: string;
  /** Operations one `run` does. */
  readonly times: number;
  readonly run: () => void;
}

const HEADER_BYTES = 21;
const TAG_BYTES = 32;

/** A run seals one record of `length` bytes in place, as a channel does. */
function sealKernel(name: string, length: number): Kernel {
  const state = new Int32Array(RCS256_WORDS);
  const key = new Uint8Array(32);
  for (let i = 0; i < 32; i++) key[i] = 7 * i;
  rcsInit(state, key, key, new Uint8Array(0));
  const packet = new Uint8Array(HEADER_BYTES + length + TAG_BYTES);
  for (let i = 0; i < packet.length; i++) packet[i] = 3 * i;
  return {
    name,
    times: 1,
    run: () => rcsSeal(state, packet, HEADER_BYTES, packet, HEADER_BYTES, length),
  };
}

export function recordKernels(): Kernel[] {
  const state = new Int32Array(52);
  return [
    { name: 'keccakF1600', times: 1, run: () => keccakF1600(state) },
    sealKernel('rcs256.seal64', 64),
    sealKernel('rcs256.seal1k', 1024),
  ];
}
