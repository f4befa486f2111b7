// The device kernels' operations under their metric names, for any engine: no import but the kernels, inputs
// made by formula. `run` does `times` operations, with their outputs into buffers made beforehand.

import { createArena } from '../src/crypto/micro/arena.ts';
import { keccakF1600 } from '../src/crypto/micro/keccak-f.ts';
import {
  ML_KEM_1024,
  ML_KEM_512,
  ML_KEM_768,
  mlKemDecapsulate,
  mlKemEncapsulate,
  mlKemKeygen,
} from '../src/crypto/micro/ml-kem.ts';
import type { MlKem } from '../src/crypto/micro/ml-kem.ts';

export interface Kernel {
  /** As in the performance page's metrics, without engine and unit: `mlKem768.encapsulate`. */
  readonly name: string;
  /** Operations one `run` does. */
  readonly times: number;
  readonly run: () => void;
}

/** `length` bytes that look random and are the same everywhere. */
export function fixture(length: number, seed: number): Uint8Array {
  const out = new Uint8Array(length);
  let x = (seed * 7919 + 12345) % 65521;
  for (let i = 0; i < length; i++) {
    x = (x * 17364 + 1) % 65521;
    out[i] = x >> 5;
  }
  return out;
}

function mlKemKernels(name: string, p: MlKem): Kernel[] {
  const arena = createArena(p.arenaBytes);
  const seed = fixture(64, 1);
  const coins = fixture(32, 2);
  const publicKey = new Uint8Array(p.publicKeyBytes);
  const secretKey = new Uint8Array(p.secretKeyBytes);
  const ciphertext = new Uint8Array(p.ciphertextBytes);
  const sharedSecret = new Uint8Array(32);
  mlKemKeygen(p, arena, seed, publicKey, secretKey);
  mlKemEncapsulate(p, arena, publicKey, coins, ciphertext, sharedSecret);
  return [
    { name: name + '.keygen', times: 1, run: () => mlKemKeygen(p, arena, seed, publicKey, secretKey) },
    {
      name: name + '.encapsulate',
      times: 1,
      run: () => {
        mlKemEncapsulate(p, arena, publicKey, coins, ciphertext, sharedSecret);
      },
    },
    {
      name: name + '.decapsulate',
      times: 1,
      run: () => {
        mlKemDecapsulate(p, arena, ciphertext, secretKey, sharedSecret);
      },
    },
  ];
}

export function kernels(): Kernel[] {
  const state = new Int32Array(52);
  return [
    { name: 'keccakF1600', times: 1, run: () => keccakF1600(state) },
    ...mlKemKernels('mlKem512', ML_KEM_512),
    ...mlKemKernels('mlKem768', ML_KEM_768),
    ...mlKemKernels('mlKem1024', ML_KEM_1024),
  ];
}
