// The device kernels' operations under their metric names, for any engine: no import but the kernels, inputs
// made by formula. `run` does `times` operations, with their outputs into buffers made beforehand.

import { AES_GCM_WORDS, aesGcmInit, aesGcmSeal } from '../src/crypto/micro/aes-gcm.ts';
import { RCS256_WORDS, rcsInit, rcsSeal } from '../src/crypto/micro/rcs.ts';
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
import {
  ML_DSA_44,
  ML_DSA_65,
  ML_DSA_87,
  mlDsaKeygen,
  mlDsaSign,
  mlDsaVerify,
} from '../src/crypto/micro/ml-dsa.ts';
import type { MlDsa } from '../src/crypto/micro/ml-dsa.ts';

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

/** Messages of {@link SIGNATURES} signatures, whose number of rejections differs: the mean is what counts. */
export const SIGNATURES = 32;

function mlDsaKernels(name: string, p: MlDsa): Kernel[] {
  const arena = createArena(p.arenaBytes);
  const signArena = createArena(p.signArenaBytes);
  const seed = fixture(32, 3);
  const zeros = new Uint8Array(32);
  const publicKey = new Uint8Array(p.publicKeyBytes);
  const secretKey = new Uint8Array(p.secretKeyBytes);
  const signature = new Uint8Array(p.signatureBytes);
  const messages: Uint8Array[] = [];
  for (let i = 0; i < SIGNATURES; i++) messages.push(fixture(64, 100 + i));
  mlDsaKeygen(p, arena, seed, publicKey, secretKey);
  mlDsaSign(p, signArena, messages[0]!, secretKey, zeros, signature, null);
  const signed = signature.slice();
  return [
    { name: name + '.keygen', times: 1, run: () => mlDsaKeygen(p, arena, seed, publicKey, secretKey) },
    {
      name: name + '.sign',
      times: SIGNATURES,
      run: () => {
        for (let i = 0; i < SIGNATURES; i++) {
          mlDsaSign(p, signArena, messages[i]!, secretKey, zeros, signature, null);
        }
      },
    },
    {
      name: name + '.verify',
      times: 1,
      run: () => {
        mlDsaVerify(p, arena, signed, messages[0]!, publicKey, null);
      },
    },
  ];
}

/** Records of 64 bytes and 1 kB behind a header of 21. */
function recordKernels(): Kernel[] {
  const header = fixture(21, 4);
  const key = fixture(32, 5);
  const nonce = fixture(32, 6);
  const data = new Uint8Array(1024 + 32);
  const gcm = new Int32Array(AES_GCM_WORDS);
  const rcs = new Int32Array(RCS256_WORDS);
  const out: Kernel[] = [];
  aesGcmInit(gcm, key);
  rcsInit(rcs, key, nonce, new Uint8Array(0));
  for (const [size, length] of [
    ['seal64', 64],
    ['seal1k', 1024],
  ] as const) {
    out.push(
      {
        name: 'aes256Gcm.' + size,
        times: 1,
        run: () => aesGcmSeal(gcm, nonce, header, header.length, data, 0, length),
      },
      {
        name: 'rcs256.' + size,
        times: 1,
        run: () => rcsSeal(rcs, header, header.length, data, 0, length),
      },
    );
  }
  return out;
}

export function kernels(): Kernel[] {
  const state = new Int32Array(52);
  return [
    { name: 'keccakF1600', times: 1, run: () => keccakF1600(state) },
    ...mlKemKernels('mlKem512', ML_KEM_512),
    ...mlKemKernels('mlKem768', ML_KEM_768),
    ...mlKemKernels('mlKem1024', ML_KEM_1024),
    ...mlDsaKernels('mlDsa44', ML_DSA_44),
    ...mlDsaKernels('mlDsa65', ML_DSA_65),
    ...mlDsaKernels('mlDsa87', ML_DSA_87),
    ...recordKernels(),
  ];
}
