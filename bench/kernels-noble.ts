// The same operations as in kernels.ts, over the same inputs, by @noble/hashes and @noble/post-quantum: to compare with
// in one run.

import { keccakP } from '@noble/hashes/sha3.js';
import { ml_kem768 } from '@noble/post-quantum/ml-kem.js';
import { ml_dsa65 } from '@noble/post-quantum/ml-dsa.js';
import { fixture, SEEDS } from './fixture.ts';
import type { Operation } from './kernels.ts';

export function operations(signatures: number): Operation[] {
  const extraEntropy = new Uint8Array(32);
  return [
    {
      name: 'keccakF1600',
      times: 1,
      prepare: () => {
        const state = new Uint32Array(50);
        for (let i = 0; i < 50; i++) state[i] = i * 0x01234567;
        return () => keccakP(state);
      },
    },
    {
      name: 'mlKem768.keygen',
      times: 1,
      prepare: () => {
        const seed = fixture(64, SEEDS.mlKemKey);
        return () => void ml_kem768.keygen(seed);
      },
    },
    {
      name: 'mlKem768.encapsulate',
      times: 1,
      prepare: (inputs) => {
        const coins = fixture(32, SEEDS.coins);
        return () => void ml_kem768.encapsulate(inputs[0]!, coins);
      },
    },
    {
      name: 'mlKem768.decapsulate',
      times: 1,
      prepare: (inputs) => () => void ml_kem768.decapsulate(inputs[0]!, inputs[1]!),
    },
    {
      name: 'mlDsa65.keygen',
      times: 1,
      prepare: () => {
        const seed = fixture(32, SEEDS.mlDsaKey);
        return () => void ml_dsa65.keygen(seed);
      },
    },
    {
      name: 'mlDsa65.sign',
      times: signatures,
      prepare: (inputs) => {
        const messages: Uint8Array[] = [];
        for (let i = 0; i < signatures; i++) messages.push(fixture(64, SEEDS.message + i));
        return () => {
          for (const message of messages) ml_dsa65.sign(message, inputs[0]!, { extraEntropy });
        };
      },
    },
    {
      name: 'mlDsa65.verify',
      times: 1,
      prepare: (inputs) => {
        const message = fixture(64, SEEDS.message);
        return () => {
          if (!ml_dsa65.verify(inputs[0]!, message, inputs[1]!)) throw new Error('mlDsa65.verify failed');
        };
      },
    },
  ];
}
