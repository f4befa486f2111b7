// The device kernels' operations under their metric names, for any engine: no import but the kernels. What an
// operation needs that takes long to make comes from outside, made by inputs.ts; the rest is made by formula.

import { AES_GCM_WORDS, aesGcmInit, aesGcmOpen, aesGcmSeal } from '../src/crypto/micro/aes-gcm.ts';
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
import { SPONGE_WORDS } from '../src/crypto/micro/sponge.ts';
import { fixture, SEEDS } from './fixture.ts';

export interface Operation {
  /** As in the performance page's metrics, without engine and unit: `mlKem768.encapsulate`. */
  readonly name: string;
  /** Operations one call of what `prepare` returns does. */
  readonly times: number;
  /** Makes the operation's buffers; the function returned works in them. `inputs` as inputs.ts gives them. */
  readonly prepare: (inputs: readonly Uint8Array[]) => () => void;
}

/** A measured operation that fails is no measurement. */
export function need(good: boolean, name: string): void {
  if (!good) throw new Error(name + ' failed on good input');
}

function mlKemOperations(name: string, p: MlKem): Operation[] {
  return [
    {
      name: name + '.keygen',
      times: 1,
      prepare: () => {
        const arena = createArena(p.arenaBytes);
        const seed = fixture(64, SEEDS.mlKemKey);
        const publicKey = new Uint8Array(p.publicKeyBytes);
        const secretKey = new Uint8Array(p.secretKeyBytes);
        return () => mlKemKeygen(p, arena, seed, publicKey, secretKey);
      },
    },
    {
      name: name + '.encapsulate',
      times: 1,
      prepare: (inputs) => {
        const arena = createArena(p.arenaBytes);
        const publicKey = inputs[0]!;
        const coins = fixture(32, SEEDS.coins);
        const ciphertext = new Uint8Array(p.ciphertextBytes);
        const sharedSecret = new Uint8Array(32);
        return () => need(mlKemEncapsulate(p, arena, publicKey, coins, ciphertext, sharedSecret), name);
      },
    },
    {
      name: name + '.decapsulate',
      times: 1,
      prepare: (inputs) => {
        const arena = createArena(p.arenaBytes);
        const ciphertext = inputs[0]!;
        const secretKey = inputs[1]!;
        const sharedSecret = new Uint8Array(32);
        return () => need(mlKemDecapsulate(p, arena, ciphertext, secretKey, sharedSecret), name);
      },
    },
  ];
}

function mlDsaOperations(name: string, p: MlDsa, signatures: number): Operation[] {
  return [
    {
      name: name + '.keygen',
      times: 1,
      prepare: () => {
        const arena = createArena(p.arenaBytes);
        const seed = fixture(32, SEEDS.mlDsaKey);
        const publicKey = new Uint8Array(p.publicKeyBytes);
        const secretKey = new Uint8Array(p.secretKeyBytes);
        return () => mlDsaKeygen(p, arena, seed, publicKey, secretKey);
      },
    },
    {
      name: name + '.sign',
      times: signatures,
      prepare: (inputs) => {
        const arena = createArena(p.signArenaBytes);
        const secretKey = inputs[0]!;
        const zeros = new Uint8Array(32);
        const signature = new Uint8Array(p.signatureBytes);
        const messages: Uint8Array[] = [];
        for (let i = 0; i < signatures; i++) messages.push(fixture(64, SEEDS.message + i));
        return () => {
          for (let i = 0; i < signatures; i++) {
            need(mlDsaSign(p, arena, messages[i]!, secretKey, zeros, signature, null), name);
          }
        };
      },
    },
    {
      name: name + '.verify',
      times: 1,
      prepare: (inputs) => {
        const arena = createArena(p.arenaBytes);
        const signature = inputs[0]!;
        const publicKey = inputs[1]!;
        const message = fixture(64, SEEDS.message);
        return () => need(mlDsaVerify(p, arena, signature, message, publicKey, null), name);
      },
    },
  ];
}

/** Records of `length` bytes behind a header of 21. */
function recordOperations(size: string, length: number): Operation[] {
  return [
    {
      name: 'aes256Gcm.' + size,
      times: 1,
      prepare: () => {
        const gcm = new Int32Array(AES_GCM_WORDS);
        const header = fixture(21, SEEDS.header);
        const nonce = fixture(12, SEEDS.nonce);
        const data = new Uint8Array(length + 16);
        aesGcmInit(gcm, fixture(32, SEEDS.recordKey));
        return () => aesGcmSeal(gcm, nonce, header, header.length, data, 0, length);
      },
    },
    {
      name: 'rcs256.' + size,
      times: 1,
      prepare: () => {
        const rcs = new Int32Array(RCS256_WORDS);
        const header = fixture(21, SEEDS.header);
        const data = new Uint8Array(length + 32);
        rcsInit(rcs, fixture(32, SEEDS.recordKey), fixture(32, SEEDS.nonce), new Uint8Array(0));
        return () => rcsSeal(rcs, header, header.length, data, 0, length);
      },
    },
  ];
}

/** Keying a state for records, and opening the shorter record, which leaves it as it was sealed. */
function keyingOperations(): Operation[] {
  return [
    {
      name: 'aes256Gcm.init',
      times: 1,
      prepare: () => {
        const gcm = new Int32Array(AES_GCM_WORDS);
        const key = fixture(32, SEEDS.recordKey);
        return () => aesGcmInit(gcm, key);
      },
    },
    {
      name: 'aes256Gcm.open64',
      times: 1,
      prepare: () => {
        const gcm = new Int32Array(AES_GCM_WORDS);
        const header = fixture(21, SEEDS.header);
        const nonce = fixture(12, SEEDS.nonce);
        const scratch = new Uint8Array(16);
        const data = new Uint8Array(64 + 16);
        aesGcmInit(gcm, fixture(32, SEEDS.recordKey));
        aesGcmSeal(gcm, nonce, header, header.length, data, 0, 64);
        const sealed = data.slice();
        return () => {
          data.set(sealed);
          need(aesGcmOpen(gcm, nonce, header, header.length, data, 0, 64, scratch), 'aes256Gcm.open64');
        };
      },
    },
    {
      // The first record of a key makes H too.
      name: 'aes256Gcm.openFirst64',
      times: 1,
      prepare: () => {
        const gcm = new Int32Array(AES_GCM_WORDS);
        const header = fixture(21, SEEDS.header);
        const nonce = fixture(12, SEEDS.nonce);
        const scratch = new Uint8Array(16 + 64);
        const data = new Uint8Array(64 + 16);
        const key = fixture(32, SEEDS.recordKey);
        aesGcmInit(gcm, key);
        aesGcmSeal(gcm, nonce, header, header.length, data, 0, 64);
        const sealed = data.slice();
        return () => {
          aesGcmInit(gcm, key);
          data.set(sealed);
          need(aesGcmOpen(gcm, nonce, header, header.length, data, 0, 64, scratch), 'aes256Gcm.openFirst64');
        };
      },
    },
    {
      name: 'rcs256.init',
      times: 1,
      prepare: () => {
        const rcs = new Int32Array(RCS256_WORDS);
        const key = fixture(32, SEEDS.recordKey);
        const nonce = fixture(32, SEEDS.nonce);
        const info = new Uint8Array(0);
        return () => rcsInit(rcs, key, nonce, info);
      },
    },
  ];
}

function keccakOperation(): Operation {
  return {
    name: 'keccakF1600',
    times: 1,
    prepare: () => {
      const state = new Int32Array(SPONGE_WORDS);
      for (let i = 0; i < 50; i++) state[i] = i * 0x01234567;
      return () => keccakF1600(state);
    },
  };
}

/**
 * All operations. Signing is measured over `signatures` messages, whose numbers of rejections differ: with
 * many, their mean is what counts.
 */
export function operations(signatures: number): Operation[] {
  return [
    keccakOperation(),
    ...mlKemOperations('mlKem512', ML_KEM_512),
    ...mlKemOperations('mlKem768', ML_KEM_768),
    ...mlKemOperations('mlKem1024', ML_KEM_1024),
    ...mlDsaOperations('mlDsa44', ML_DSA_44, signatures),
    ...mlDsaOperations('mlDsa65', ML_DSA_65, signatures),
    ...mlDsaOperations('mlDsa87', ML_DSA_87, signatures),
    ...keyingOperations(),
    ...recordOperations('seal64', 64),
    ...recordOperations('seal1k', 1024),
  ];
}
