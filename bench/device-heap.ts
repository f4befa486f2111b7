// What is measured on the 32-bit worker for its memory: operations whose scratch is made within the measured call,
// and the buffers of their caller before it.

import { createArena } from '../src/crypto/micro/arena.ts';
import { ML_DSA_65, mlDsaSign, mlDsaVerify } from '../src/crypto/micro/ml-dsa.ts';
import { ML_KEM_768, mlKemDecapsulate, mlKemEncapsulate, mlKemKeygen } from '../src/crypto/micro/ml-kem.ts';
import { handshakeOperations } from './client-handshake.ts';
import { fixture, SEEDS } from './fixture.ts';
import { need } from './kernels.ts';
import type { Operation } from './kernels.ts';
import { preparer } from './prepare.ts';

const KEM = ML_KEM_768;
const DSA = ML_DSA_65;

function heapOperations(): Operation[] {
  return [
    {
      name: 'mlKem768.keygen',
      times: 1,
      prepare: () => {
        const seed = fixture(64, SEEDS.mlKemKey);
        const publicKey = new Uint8Array(KEM.publicKeyBytes);
        const secretKey = new Uint8Array(KEM.secretKeyBytes);
        return () => mlKemKeygen(KEM, createArena(KEM.arenaBytes), seed, publicKey, secretKey);
      },
    },
    {
      name: 'mlKem768.encapsulate',
      times: 1,
      prepare: (inputs) => {
        const coins = fixture(32, SEEDS.coins);
        const ciphertext = new Uint8Array(KEM.ciphertextBytes);
        const secret = new Uint8Array(32);
        const run = (): boolean =>
          mlKemEncapsulate(KEM, createArena(KEM.arenaBytes), inputs[0]!, coins, ciphertext, secret);
        return () => need(run(), 'mlKem768.encapsulate');
      },
    },
    {
      name: 'mlKem768.decapsulate',
      times: 1,
      prepare: (inputs) => {
        const secret = new Uint8Array(32);
        const run = (): boolean =>
          mlKemDecapsulate(KEM, createArena(KEM.arenaBytes), inputs[0]!, inputs[1]!, secret);
        return () => need(run(), 'mlKem768.decapsulate');
      },
    },
    {
      name: 'mlDsa65.verify',
      times: 1,
      prepare: (inputs) => {
        const message = fixture(64, SEEDS.message);
        const run = (): boolean =>
          mlDsaVerify(DSA, createArena(DSA.arenaBytes), inputs[0]!, message, inputs[1]!, null);
        return () => need(run(), 'mlDsa65.verify');
      },
    },
    {
      name: 'mlDsa65.sign',
      times: 1,
      prepare: (inputs) => {
        const message = fixture(64, SEEDS.message);
        const zeros = new Uint8Array(32);
        const signature = new Uint8Array(DSA.signatureBytes);
        const run = (): boolean =>
          mlDsaSign(DSA, createArena(DSA.signArenaBytes), message, inputs[0]!, zeros, signature, null);
        return () => need(run(), 'mlDsa65.sign');
      },
    },
  ];
}

export const { prepare, measured, drop } = preparer(() => heapOperations().concat(handshakeOperations()));
