// The small kernels of lean clients, and of Espruino, give the same answers as the others.
import test from 'ava';
import { createCipheriv } from 'node:crypto';
import { keccakF1600 } from '../../src/crypto/micro/keccak-f.ts';
import { kmac as kmacMicro, RATE_256, sha3_256, shake as shakeMicro } from '../../src/crypto/micro/sponge.ts';
import { connectionSecrets, trafficKeys } from '../../src/session/secrets.ts';
import { ascii } from '../../src/bytes.ts';
import { keccakF1600 as compact } from '../../targets/espruino/keccak-f.ts';
import { gcmKey, gcmRun } from '../../src/lean/gcm.ts';
import { kmac, lab, sha3, SHAKE, sponge } from '../../src/lean/hash.ts';
import { labelledRandom } from '../kat.ts';

const random = labelledRandom()('espruino kernels');
function bytes(length: number): Uint8Array {
  const b = new Uint8Array(length);
  random(b);
  return b;
}

test('AES-256-GCM of 0 to 200 bytes, as OpenSSL; altered packets do not open', (t) => {
  for (let length = 0; length <= 200; length++) {
    const key = bytes(32);
    const salt = Buffer.from(bytes(4));
    const g = gcmKey(new Uint8Array([...key, ...salt]));
    const sequence = 3 + length * 65537;
    const packet = new Uint8Array(21 + length + 16);
    packet.set(bytes(21 + length));
    const plain = packet.slice();
    gcmRun(g, sequence, packet, false);
    const nonce = Buffer.alloc(12);
    salt.copy(nonce);
    nonce.writeUInt32LE(sequence, 4);
    const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(plain.subarray(0, 21));
    const wanted = Buffer.concat([
      cipher.update(plain.subarray(21, 21 + length)),
      cipher.final(),
      cipher.getAuthTag(),
    ]);
    t.deepEqual(Buffer.from(packet.subarray(21)), wanted);
    for (const at of [0, 20, 21 + (length >> 1), 21 + length, packet.length - 1]) {
      const altered = packet.slice();
      altered[at]! ^= 1;
      t.false(gcmRun(g, sequence, altered, true));
    }
    t.false(gcmRun(g, sequence + 1, packet.slice(), true));
    t.true(gcmRun(g, sequence, packet, true));
    t.deepEqual(packet.subarray(0, 21 + length), plain.subarray(0, 21 + length));
  }
});

test('the permutation in fewer bytes', (t) => {
  for (let i = 0; i < 50; i++) {
    const one = new Int32Array(bytes(208).buffer);
    const other = one.slice();
    keccakF1600(one);
    compact(other);
    t.deepEqual(other, one);
  }
});

test('SHA3-256, SHAKE256, KMAC256 and the derivations', (t) => {
  for (const length of [0, 1, 31, 32, 104, 135, 136, 137, 271, 272, 3000]) {
    const data = bytes(length);
    t.deepEqual(sha3([data]), sha3_256(data));
    t.deepEqual(sha3([data.subarray(0, length >> 1), data.subarray(length >> 1)]), sha3_256(data));
    t.deepEqual(sponge(SHAKE, [data], 100), shakeMicro(RATE_256, data, 100));
    for (const out of [32, 64]) {
      const key = bytes(out);
      const custom = ascii('QSTP-EDGE-1 boot seed');
      t.deepEqual(kmac(key, 'boot seed', [data], out), kmacMicro(RATE_256, key, data, custom, out));
    }
  }
  const [z, transcript] = [bytes(32), bytes(32)];
  t.deepEqual(lab(z, 'secrets', [[1], transcript], 96), connectionSecrets(1, z, transcript));
  t.deepEqual(lab(z, 'traffic', [[2, 1, 0, 0, 0, 0]], 36), trafficKeys(z, 2, 1, 0));
});
