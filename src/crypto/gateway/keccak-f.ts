// Keccak-f[1600] by the module, in the place of the kernel (crypto/micro/keccak-f.ts) in the package and in the bundles of
// gateways: ML-KEM, ML-DSA and the hashes stand on it (docs/performance.md has the rates of both).

import { keccakF1600 as kernel } from '../micro/keccak-f.ts';
import { loadModule, once } from './load.ts';
import type { Exports } from './load.ts';
import { STATE, WORK } from './module.ts';

const WORDS = 50;

interface Loaded {
  readonly exports: Exports;
  readonly lanes: Int32Array;
}

/**
 * The permutation, on a state as the kernel's: by the kernel where there is no WebAssembly. The instance is its own, so
 * that it may be called at any time; its memory is all zeros between two calls. `load` is for tests.
 */
export function createPermutation(load: () => Exports | null): (state: Int32Array) => void {
  const find = once((): Loaded | null => {
    const exports = load();
    return exports === null ? null : { exports, lanes: new Int32Array(exports.memory.buffer, STATE, WORDS) };
  });
  return (state) => {
    const loaded = find();
    if (loaded === null) {
      kernel(state);
      return;
    }
    const { exports, lanes } = loaded;
    for (let i = 0; i < WORDS; i++) lanes[i] = state[i]!;
    // A block of zeros: what is left of absorbing it is the permutation.
    exports.absorb(WORK, 1);
    for (let i = 0; i < WORDS; i++) state[i] = lanes[i]!;
    lanes.fill(0);
  };
}

export const keccakF1600: (state: Int32Array) => void = /* @__PURE__ */ createPermutation(() => loadModule());
