// AES-256-GCM records by node:crypto. A cipher by its bare key costs four times one by its key object, so that is made
// once a key. What an operation costs of itself is more than the kernel takes for a short record.

import { createCipheriv, createDecipheriv, createSecretKey } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { aesGcmOpen, aesGcmSeal } from '../../src/crypto/micro/aes-gcm.ts';
import type { RecordEngine } from '../../src/crypto/provider.ts';

const CIPHER = 'aes-256-gcm';
const TAG = { authTagLength: 16 };
/** Records up to this size are the kernel's, bytes. */
const SHORT = 96;

/** One for all pools of the process: keys are kept by their states. */
function createRecords(): RecordEngine {
  const keys = new WeakMap<Int32Array, KeyObject>();
  return {
    init(state, key) {
      keys.set(state, createSecretKey(key));
    },
    seal(state, nonce, aad, aadLength, data, at, length) {
      if (length <= SHORT) {
        aesGcmSeal(state, nonce, aad, aadLength, data, at, length);
        return;
      }
      const cipher = createCipheriv(CIPHER, keys.get(state)!, nonce, TAG);
      cipher.setAAD(aad.subarray(0, aadLength));
      data.set(cipher.update(data.subarray(at, at + length)), at);
      cipher.final();
      data.set(cipher.getAuthTag(), at + length);
    },
    open(state, nonce, aad, aadLength, data, at, length, scratch) {
      if (length <= SHORT) return aesGcmOpen(state, nonce, aad, aadLength, data, at, length, scratch);
      const decipher = createDecipheriv(CIPHER, keys.get(state)!, nonce, TAG);
      decipher.setAAD(aad.subarray(0, aadLength));
      decipher.setAuthTag(data.subarray(at + length, at + length + TAG.authTagLength));
      const plain = decipher.update(data.subarray(at, at + length));
      try {
        decipher.final();
      } catch {
        plain.fill(0);
        return false;
      }
      data.set(plain, at);
      plain.fill(0);
      return true;
    },
    forget(state) {
      keys.delete(state);
    },
  };
}

export const nodeRecords: RecordEngine = /* @__PURE__ */ createRecords();
