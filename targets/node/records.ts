// AES-256-GCM records by node:crypto. A cipher by its bare key costs four times one by its key object, so that is made
// once a key. What an operation costs of itself is more than a short record takes in WebAssembly.

import { createCipheriv, createDecipheriv, createSecretKey } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { QstpError } from '../../src/error.ts';
import { isZero } from '../../src/bytes.ts';
import { openWith, sealWith } from '../../src/crypto/cipher.ts';
import { gcmRecords } from '../../src/crypto/gateway/gcm.ts';
import { rcsRecords } from '../../src/crypto/gateway/rcs.ts';
import { gatewayHashing } from '../../src/crypto/gateway/sponge.ts';
import type { GcmRecords, RecordEngine } from '../../src/crypto/provider.ts';

const CIPHER = 'aes-256-gcm';
const TAG = { authTagLength: 16 };
/** Records up to this size are not node:crypto's, bytes. */
const SHORT = 400;

/** The S-box's constant, which the kernel keeps in all round keys but the first. */
const CONSTANT = 0x63;

/**
 * The key of a state of the kernel: its first two round keys, each a matrix of 4 by 4 bytes that the kernel keeps
 * transposed. So a tunnel that says nothing, or little, has no key object.
 */
function keyOf(state: Int32Array): KeyObject {
  if (isZero(new Uint8Array(state.buffer, state.byteOffset, 32))) {
    throw new QstpError('cipher_not_keyed', 'the cipher state is wiped or was never keyed');
  }
  const key = new Uint8Array(32);
  for (let half = 0; half < 2; half++) {
    for (let i = 0; i < 16; i++) {
      const byte = state[4 * half + (i & 3)]! >> (8 * (i >> 2));
      key[16 * half + i] = byte ^ (half === 0 ? 0 : CONSTANT);
    }
  }
  const made = createSecretKey(key);
  key.fill(0);
  return made;
}

/** One for all pools of the process: keys are kept by their states. */
function createRecords(): GcmRecords {
  const keys = new WeakMap<Int32Array, KeyObject>();
  const find = (state: Int32Array): KeyObject => {
    let key = keys.get(state);
    if (key === undefined) {
      key = keyOf(state);
      keys.set(state, key);
    }
    return key;
  };
  const forget = (state: Int32Array): void => void keys.delete(state);
  return {
    rekeyed: forget,
    forget,
    seal(state, nonce, aad, aadLength, data, at, length) {
      if (length <= SHORT) {
        gcmRecords.seal(state, nonce, aad, aadLength, data, at, length);
        return;
      }
      sealWith(createCipheriv(CIPHER, find(state), nonce, TAG), aad, aadLength, data, at, length);
    },
    open(state, nonce, aad, aadLength, data, at, length, scratch) {
      if (length <= SHORT) return gcmRecords.open(state, nonce, aad, aadLength, data, at, length, scratch);
      return openWith(createDecipheriv(CIPHER, find(state), nonce, TAG), aad, aadLength, data, at, length);
    },
  };
}

/** Longer records of AES-256-GCM by node:crypto; shorter ones, RCS-256 and the hashes in WebAssembly. */
export const nodeRecords: RecordEngine = {
  gcm: /* @__PURE__ */ createRecords(),
  rcs: rcsRecords,
  hash: gatewayHashing,
};
