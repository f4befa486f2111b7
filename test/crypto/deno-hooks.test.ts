// What Deno's bundles have in the place of kernels does what those do, for the same arguments.
import test from 'ava';
import { createHash, randomBytes } from 'node:crypto';
import * as kernel from '../../src/crypto/micro/aes-gcm.ts';
import { keccakF1600 as kernelKeccakF } from '../../src/crypto/micro/keccak-f.ts';
import * as hook from '../../targets/deno/gcm.ts';
import { keccakF1600 } from '../../targets/deno/keccak-f.ts';

const bytes = (length: number): Uint8Array => new Uint8Array(randomBytes(length));

function keyed(gcm: typeof kernel | typeof hook, key: Uint8Array): Int32Array {
  // As in a slot: one state behind another.
  const g = new Int32Array(new ArrayBuffer(4 * gcm.AES_GCM_WORDS + 16), 8, gcm.AES_GCM_WORDS);
  gcm.aesGcmInit(g, key);
  return g;
}

test('AES-256-GCM: seals as the kernel does, and opens what it sealed', (t) => {
  const key = bytes(32);
  const [ours, theirs] = [keyed(hook, key), keyed(kernel, key)];
  for (const length of [0, 1, 16, 95, 96, 97, 1400, 16384]) {
    const nonce = bytes(12);
    const aad = bytes(40);
    const packet = bytes(21 + length + 16);
    const plain = packet.slice();
    const other = packet.slice();
    hook.aesGcmSeal(ours, nonce, aad, 21, packet, 21, length);
    kernel.aesGcmSeal(theirs, nonce, aad, 21, other, 21, length);
    t.deepEqual(packet, other, `${length} bytes`);
    t.true(hook.aesGcmOpen(ours, nonce, aad, 21, other, 21, length));
    t.deepEqual(other.subarray(21, 21 + length), plain.subarray(21, 21 + length));
  }
});

test('AES-256-GCM: what was altered is left as it came', (t) => {
  const g = keyed(hook, bytes(32));
  const nonce = bytes(12);
  const aad = bytes(21);
  const packet = bytes(100 + 16);
  hook.aesGcmSeal(g, nonce, aad, 21, packet, 0, 100);
  for (const at of [0, 99, 100, 115]) {
    const altered = packet.slice();
    altered[at]! ^= 1;
    const came = altered.slice();
    t.false(hook.aesGcmOpen(g, nonce, aad, 21, altered, 0, 100));
    t.deepEqual(altered, came, `byte ${at}`);
  }
  t.false(hook.aesGcmOpen(g, nonce, aad, 20, packet.slice(), 0, 100), 'less associated data');
});

test('AES-256-GCM: a state that is wiped seals and opens nothing', (t) => {
  const g = keyed(hook, bytes(32));
  const packet = bytes(32);
  g.fill(0);
  const refused = { code: 'cipher_not_keyed' };
  t.throws(() => hook.aesGcmSeal(g, bytes(12), packet, 0, packet, 0, 16), refused);
  t.throws(() => hook.aesGcmOpen(g, bytes(12), packet, 0, packet, 0, 16), refused);
});

test('Keccak-f: permutes as the kernel does', (t) => {
  const zeros = new Int32Array(50);
  for (const state of [zeros, ...Array.from({ length: 20 }, () => new Int32Array(bytes(200).buffer))]) {
    const other = state.slice();
    for (let i = 0; i < 3; i++) {
      keccakF1600(state);
      kernelKeccakF(other);
    }
    t.deepEqual(state, other);
  }
});

test('Keccak-f: SHA3-256 of nothing', (t) => {
  const state = new Int32Array(50);
  const lanes = new Uint8Array(state.buffer);
  lanes[0] = 0x06;
  lanes[135] = 0x80;
  keccakF1600(state);
  t.is(Buffer.from(lanes.subarray(0, 32)).toString('hex'), createHash('sha3-256').update('').digest('hex'));
});
