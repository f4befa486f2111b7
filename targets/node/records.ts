// AES-256-GCM records by node:crypto. A cipher by its bare key costs four times one by its key object, so that is made
// once a key. What an operation costs of itself is more than the kernel takes for a short record.

import { createCipheriv, createDecipheriv, createSecretKey } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { QstpError } from '../../src/error.ts';
import { isZero } from '../../src/bytes.ts';
import { openWith, sealWith } from '../../src/crypto/cipher.ts';
import { aesGcmOpen, aesGcmSeal } from '../../src/crypto/micro/aes-gcm.ts';
import { rcsRecords } from '../../src/crypto/gateway/rcs.ts';
import type { GcmRecords, RecordEngine } from '../../src/crypto/provider.ts';

const CIPHER = 'aes-256-gcm';
const TAG = { authTagLength: 16 };
/** Records up to this size are the kernel's, bytes. */
const SHORT = 96;

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
        aesGcmSeal(state, nonce, aad, aadLength, data, at, length);
        return;
      }
      sealWith(createCipheriv(CIPHER, find(state), nonce, TAG), aad, aadLength, data, at, length);
    },
    open(state, nonce, aad, aadLength, data, at, length, scratch) {
      if (length <= SHORT) return aesGcmOpen(state, nonce, aad, aadLength, data, at, length, scratch);
      return openWith(createDecipheriv(CIPHER, find(state), nonce, TAG), aad, aadLength, data, at, length);
    },
  };
}

/** AES-256-GCM by node:crypto, RCS-256 in WebAssembly. */
export const nodeRecords: RecordEngine = { gcm: /* @__PURE__ */ createRecords(), rcs: rcsRecords };
