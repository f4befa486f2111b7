// The same operations, names and inputs as kernels.ts over @noble/post-quantum, to compare with in one run.

import { ml_kem512, ml_kem768, ml_kem1024 } from '@noble/post-quantum/ml-kem.js';
import { ml_dsa44, ml_dsa65, ml_dsa87 } from '@noble/post-quantum/ml-dsa.js';
import { keccakP } from '@noble/hashes/sha3.js';
import { fixture, SIGNATURES } from './kernels.ts';
import type { Kernel } from './kernels.ts';

function mlKemKernels(name: string, algorithm: typeof ml_kem768): Kernel[] {
  const seed = fixture(64, 1);
  const coins = fixture(32, 2);
  const pair = algorithm.keygen(seed);
  const { cipherText } = algorithm.encapsulate(pair.publicKey, coins);
  return [
    { name: name + '.keygen', times: 1, run: () => void algorithm.keygen(seed) },
    { name: name + '.encapsulate', times: 1, run: () => void algorithm.encapsulate(pair.publicKey, coins) },
    {
      name: name + '.decapsulate',
      times: 1,
      run: () => void algorithm.decapsulate(cipherText, pair.secretKey),
    },
  ];
}

function mlDsaKernels(name: string, algorithm: typeof ml_dsa65): Kernel[] {
  const extraEntropy = new Uint8Array(32);
  const pair = algorithm.keygen(fixture(32, 3));
  const messages: Uint8Array[] = [];
  for (let i = 0; i < SIGNATURES; i++) messages.push(fixture(64, 100 + i));
  const signed = algorithm.sign(messages[0]!, pair.secretKey, { extraEntropy });
  return [
    { name: name + '.keygen', times: 1, run: () => void algorithm.keygen(fixture(32, 3)) },
    {
      name: name + '.sign',
      times: SIGNATURES,
      run: () => {
        for (const message of messages) algorithm.sign(message, pair.secretKey, { extraEntropy });
      },
    },
    {
      name: name + '.verify',
      times: 1,
      run: () => void algorithm.verify(signed, messages[0]!, pair.publicKey),
    },
  ];
}

export function kernels(): Kernel[] {
  const state = new Uint32Array(50);
  return [
    { name: 'keccakF1600', times: 1, run: () => keccakP(state) },
    ...mlKemKernels('mlKem512', ml_kem512),
    ...mlKemKernels('mlKem768', ml_kem768),
    ...mlKemKernels('mlKem1024', ml_kem1024),
    ...mlDsaKernels('mlDsa44', ml_dsa44),
    ...mlDsaKernels('mlDsa65', ml_dsa65),
    ...mlDsaKernels('mlDsa87', ml_dsa87),
  ];
}
