import test from 'ava';
import { sha3_256 as nobleSha3 } from '@noble/hashes/sha3.js';
import { cshake128, cshake256, kmac128, kmac256 } from '@noble/hashes/sha3-addons.js';
import {
  cshake,
  kmac,
  kmacReference,
  sha3_256,
  shake,
  RATE_128,
  RATE_256,
  RATE_512,
} from '../../src/crypto/micro/sponge.ts';
import { hex, vectors } from '../vectors.ts';

interface HashFile {
  cshake: { strength: number; key: string; name: string; custom: string; out: string }[];
  kmac: { strength: number; key: string; custom: string; msg: string; out: string }[];
  shake: { strength: number; msg: string; out: string }[];
  sha3_256: { msg: string; out: string }[];
}
const file = vectors<HashFile>('hash.json');
const rates: Record<number, number> = { 128: RATE_128, 256: RATE_256, 512: RATE_512 };

test('SHA3-256 known answers', (t) => {
  t.true(file.sha3_256.length > 0);
  for (const c of file.sha3_256) t.deepEqual(sha3_256(hex(c.msg)), hex(c.out));
});

test('SHAKE known answers at rates 168, 136 and 72', (t) => {
  t.true(file.shake.length > 0);
  for (const c of file.shake)
    t.deepEqual(shake(rates[c.strength]!, hex(c.msg), c.out.length / 2), hex(c.out));
});

test('cSHAKE known answers at rates 168, 136 and 72', (t) => {
  t.true(file.cshake.length > 0);
  for (const c of file.cshake) {
    t.deepEqual(
      cshake(rates[c.strength]!, hex(c.key), hex(c.name), hex(c.custom), c.out.length / 2),
      hex(c.out),
    );
  }
});

test('KMAC known answers, with the finalisation of the reference', (t) => {
  t.true(file.kmac.length > 0);
  let different = 0;
  for (const c of file.kmac) {
    const [rate, key, msg, custom] = [rates[c.strength]!, hex(c.key), hex(c.msg), hex(c.custom)];
    t.deepEqual(kmacReference(rate, key, msg, custom, c.out.length / 2), hex(c.out));
    if (Buffer.compare(kmac(rate, key, msg, custom, c.out.length / 2), hex(c.out)) !== 0) different++;
  }
  t.is(different, 12);
});

test('against noble at every length over two blocks', (t) => {
  const data = Uint8Array.from({ length: 300 }, (_, i) => (i * 7 + 1) & 255);
  const key = data.slice(5, 37);
  const custom = data.slice(40, 43);
  for (let n = 0; n <= 300; n++) {
    const part = data.subarray(0, n);
    t.deepEqual(sha3_256(part), nobleSha3(part));
    t.deepEqual(
      kmac(RATE_128, key, part, custom, 33),
      kmac128(key, part, { personalization: custom, dkLen: 33 }),
    );
    t.deepEqual(
      kmac(RATE_256, key, part, custom, 64),
      kmac256(key, part, { personalization: custom, dkLen: 64 }),
    );
    const options = { personalization: custom, NISTfn: key, dkLen: n };
    t.deepEqual(cshake(RATE_128, part, key, custom, n), cshake128(part, options));
    t.deepEqual(cshake(RATE_256, part, key, custom, n), cshake256(part, options));
  }
});
