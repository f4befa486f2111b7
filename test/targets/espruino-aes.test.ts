// Records of an Espruino board that has an AES of its own: the same answers as the kernel's.
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { createCipheriv } from 'node:crypto';
import { AES_GCM_WORDS, aesGcmInit, aesGcmSeal } from '../../src/crypto/micro/aes-gcm.ts';
import { gcmKey as kernelKey, gcmRun as kernelRun } from '../../src/lean/gcm.ts';
import { gcmKey, gcmRun } from '../../targets/espruino/gcm.ts';
import { hooks } from '../../targets/espruino/hooks.ts';
import type { Aes } from '../../targets/espruino/hooks.ts';
import { labelledRandom } from '../kat.ts';

const random = labelledRandom()('espruino aes');
function bytes(length: number): Uint8Array {
  const b = new Uint8Array(length);
  random(b);
  return b;
}

const HEADER = 21;
const TAG = 16;

/** What a board's AES was asked, and the key streams it gave. */
function boardAes(): Aes & { calls: number; streams: Uint8Array[] } {
  const aes = {
    calls: 0,
    streams: [] as Uint8Array[],
    encrypt(message: Uint8Array, key: Uint8Array, { mode }: { mode: string }): ArrayBuffer {
      if (!(message instanceof Uint8Array) || !(key instanceof Uint8Array) || key.length !== 32) {
        throw new Error('bytes are asked for');
      }
      if (mode !== 'ECB' || message.length % 16 !== 0) throw new Error(`not as boards do it: ${mode}`);
      aes.calls++;
      const cipher = createCipheriv('aes-256-ecb', key, null).setAutoPadding(false);
      const out = new Uint8Array(cipher.update(message));
      aes.streams.push(out);
      return out.buffer;
    },
  };
  return aes;
}

test.serial.afterEach(() => {
  hooks.aes = null;
});

/** A packet sealed by src/crypto/micro/aes-gcm.ts. */
function sealed(key: Uint8Array, sequence: number, packet: Uint8Array): Uint8Array {
  const g = new Int32Array(AES_GCM_WORDS);
  aesGcmInit(g, key.subarray(0, 32));
  const nonce = new Uint8Array(12);
  nonce.set(key.subarray(32, 36));
  new DataView(nonce.buffer).setUint32(4, sequence, true);
  const out = packet.slice();
  aesGcmSeal(g, nonce, out.subarray(0, HEADER), HEADER, out, HEADER, out.length - HEADER - TAG);
  return out;
}

test.serial(
  'records of 0 to 200 bytes, one call each, as those of the kernel; altered ones do not open',
  (t) => {
    for (let length = 0; length <= 200; length++) {
      const aes = boardAes();
      hooks.aes = aes;
      const key = bytes(36);
      const own = key.slice();
      const g = gcmKey(own);
      t.deepEqual(own, new Uint8Array(36), 'the key is wiped');
      t.is(aes.calls, 0);
      const sequence = 3 + length * 65537;
      const plain = bytes(HEADER + length + TAG);
      const packet = plain.slice();
      gcmRun(g, sequence, packet, false);
      t.is(aes.calls, 1);
      t.deepEqual(packet, sealed(key, sequence, plain));
      for (const at of [0, 20, HEADER + (length >> 1), HEADER + length, packet.length - 1]) {
        const altered = packet.slice();
        altered[at]! ^= 1;
        t.false(gcmRun(g, sequence, altered, true));
      }
      t.false(gcmRun(g, sequence + 1, packet.slice(), true));
      t.true(gcmRun(g, sequence, packet, true));
      t.deepEqual(packet.subarray(0, HEADER + length), plain.subarray(0, HEADER + length));
      t.true(
        aes.streams.every((stream) => stream.every((byte) => byte === 0)),
        'key streams are wiped',
      );
      g.fill(0);
      t.true(
        g.every((word) => word === 0),
        'no key is left beside the state',
      );
    }
  },
);

test.serial('a record of more than 255 blocks', (t) => {
  hooks.aes = boardAes();
  const key = bytes(36);
  const g = gcmKey(key.slice());
  const plain = bytes(HEADER + 5000 + TAG);
  const packet = plain.slice();
  gcmRun(g, 9, packet, false);
  t.deepEqual(packet, sealed(key, 9, plain));
  t.true(gcmRun(g, 9, packet, true));
});

/** Seals and opens with `g` as the kernel does. */
function asKernel(t: ExecutionContext, g: Int32Array, key: Uint8Array): void {
  const plain = bytes(HEADER + 70 + TAG);
  const [packet, wanted] = [plain.slice(), plain.slice()];
  gcmRun(g, 4, packet, false);
  kernelRun(kernelKey(key.slice()), 4, wanted, false);
  t.deepEqual(packet, wanted);
  t.true(gcmRun(g, 4, packet, true));
}

for (const [name, broken] of [
  ['gives nothing', undefined],
  ['gives too little', new ArrayBuffer(16)],
] as const) {
  test.serial(`where the board's AES ${name}, no text goes out as it is: the kernel seals it`, (t) => {
    const key = bytes(36);
    hooks.aes = { encrypt: () => broken };
    asKernel(t, gcmKey(key.slice()), key);
  });
}

test.serial('a hook that comes or goes after the key', (t) => {
  const key = bytes(36);
  const without = gcmKey(key.slice());
  const aes = boardAes();
  hooks.aes = aes;
  asKernel(t, without, key);
  t.is(aes.calls, 0);
  const withHook = gcmKey(key.slice());
  hooks.aes = null;
  asKernel(t, withHook, key);
});
