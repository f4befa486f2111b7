import test from 'ava';
import { blake2s } from '@noble/hashes/blake2.js';
import {
  BLAKE2S_WORDS,
  blake2s256,
  blake2sAbsorb,
  blake2sFinish,
  blake2sInit,
} from '../../src/crypto/micro/blake2s.ts';
import { draws } from '../random.ts';
import { hex } from '../vectors.ts';

test('known answers of RFC 7693: appendix B and the self-test of appendix E', (t) => {
  t.deepEqual(
    blake2s256(new TextEncoder().encode('abc')),
    hex('508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982'),
  );
  // Appendix E: digests of every length of ordered inputs, hashed together
  const b = new Int32Array(BLAKE2S_WORDS);
  const all: number[] = [];
  const sequence = (length: number, seed: number): Uint8Array => {
    const out = new Uint8Array(length);
    let a = Math.imul(0xdead4bad, seed) >>> 0;
    let c = 1;
    for (let i = 0; i < length; i++) {
      const sum = (a + c) >>> 0;
      a = c;
      c = sum;
      out[i] = sum >>> 24;
    }
    return out;
  };
  for (const digest of [16, 20, 28, 32]) {
    for (const length of [0, 3, 64, 65, 255, 1024]) {
      const input = sequence(length, length);
      for (const key of [null, sequence(digest, digest)]) {
        const out = new Uint8Array(digest);
        blake2sInit(b, digest, key);
        blake2sAbsorb(b, input, 0, length);
        blake2sFinish(b, out, 0);
        t.true(b.every((x) => x === 0));
        all.push(...out);
      }
    }
  }
  t.deepEqual(
    blake2s256(Uint8Array.from(all)),
    hex('6a411f08ce25adcdfb02aba641451cec53c598b24f4fc787fbdc88797f4c1dfe'),
  );
});

test('against noble at every length over four blocks, absorbed in two parts, keyed and not', (t) => {
  const draw = draws(t);
  const b = new Int32Array(BLAKE2S_WORDS);
  const out = new Uint8Array(32);
  for (let length = 0; length <= 260; length++) {
    const data = draw.bytes(length);
    const cut = draw.below(length + 1);
    t.deepEqual(blake2s256(data), blake2s(data));
    const key = draw.bytes(1 + draw.below(32));
    blake2sInit(b, 32, key);
    blake2sAbsorb(b, data, 0, cut);
    blake2sAbsorb(b, data, cut, length - cut);
    blake2sFinish(b, out, 0);
    t.deepEqual(out, blake2s(data, { key }));
  }
});
