import test from 'ava';
import { shake256 } from '@noble/hashes/sha3.js';
import {
  DRBG_REQUESTS_MAX,
  DRBG_WORDS,
  drbgFeed,
  drbgGenerate,
  drbgInit,
  drbgMix,
  drbgRandom,
  drbgRefusal,
  drbgSeed,
  proportionCutoff,
  repetitionCutoff,
} from '../../src/crypto/micro/drbg.ts';
import { concat, putU32 } from '../../src/bytes.ts';
import { draws } from '../random.ts';
import type { Draw } from '../random.ts';

function seeded(draw: Draw): Int32Array {
  const d = new Int32Array(DRBG_WORDS);
  drbgInit(d);
  drbgFeed(d, draw.bytes(1024), 6);
  return d;
}

function u32(value: number): Uint8Array {
  const out = new Uint8Array(4);
  putU32(out, 0, value);
  return out;
}

test('output and key update as described, computed a second way', (t) => {
  const draw = draws(t);
  const d = new Int32Array(DRBG_WORDS);
  drbgInit(d);
  let key = new Uint8Array(64);
  const mixed = (data: Uint8Array): void => {
    key = shake256(concat([key, Uint8Array.of(1), u32(data.length), data]), { dkLen: 64 }) as typeof key;
  };
  const [serial, samples] = [draw.bytes(9), draw.bytes(1024)];
  drbgMix(d, serial);
  mixed(serial);
  t.true(drbgFeed(d, samples, 4));
  mixed(samples);
  for (const length of [0, 1, 32, 136, 500]) {
    const out = new Uint8Array(length);
    drbgGenerate(d, out);
    const both = shake256(concat([key, Uint8Array.of(2), u32(length)]), { dkLen: 64 + length });
    t.deepEqual(out, both.slice(64));
    key = both.slice(0, 64) as typeof key;
    t.true(d.subarray(0, 52).every((x) => x === 0));
  }
});

test('nothing is given out unseeded, short of samples, short of entropy or after too many requests', (t) => {
  const draw = draws(t);
  const d = new Int32Array(DRBG_WORDS);
  const out = new Uint8Array(16);
  const refuses = (code: string): void => {
    t.is(drbgRefusal(d), code);
    t.throws(() => drbgGenerate(d, out), { message: /feed|failed/ });
    t.true(out.every((x) => x === 0));
  };
  drbgInit(d);
  refuses('entropy_missing');
  drbgMix(d, draw.bytes(5000));
  refuses('entropy_missing');
  drbgFeed(d, draw.bytes(1023), 8);
  refuses('entropy_missing');
  drbgFeed(d, draw.bytes(1), 8);
  t.is(drbgRefusal(d), null);
  drbgInit(d);
  drbgFeed(d, draw.bytes(1024), 0.3);
  refuses('entropy_missing');
  drbgFeed(d, draw.bytes(1024), 0.3);
  t.is(drbgRefusal(d), null);
  d[70] = DRBG_REQUESTS_MAX;
  refuses('entropy_stale');
  drbgFeed(d, draw.bytes(8), 4);
  drbgRandom(d)(out);
  t.false(out.every((x) => x === 0));
  for (const bits of [0, 0.05, 8.1, NaN]) t.throws(() => drbgFeed(d, out, bits));
});

test('a stuck, a two-valued and a biased source fail their test for good; a good one does not', (t) => {
  const draw = draws(t);
  const sources: [string, (i: number) => number][] = [
    ['stuck', () => 170],
    ['two values', (i) => (i % 2 === 0 ? 3 : 200)],
    ['every third sample the same', (i) => (i % 3 === 0 ? 7 : draw.below(256))],
  ];
  for (const [name, sample] of sources) {
    const d = seeded(draw);
    t.is(drbgRefusal(d), null);
    t.false(
      drbgFeed(
        d,
        Uint8Array.from({ length: 1100 }, (_, i) => sample(i)),
        6,
      ),
      name,
    );
    t.is(drbgRefusal(d), 'entropy_failed');
    t.false(drbgFeed(d, draw.bytes(2000), 6), 'latched');
    t.throws(() => drbgGenerate(d, new Uint8Array(1)));
  }
  const d = seeded(draw);
  for (let i = 0; i < 100; i++) t.true(drbgFeed(d, draw.bytes(1024), 7.9));
  // The repetition test goes over the border of two calls.
  const cutoff = repetitionCutoff(6);
  t.is(cutoff, 6);
  const e = seeded(draw);
  const last = draw.bytes(1)[0]!;
  t.true(drbgFeed(e, new Uint8Array(cutoff - 2).fill(last ^ 1).fill(last, 1), 6));
  t.true(drbgFeed(e, new Uint8Array(2).fill(last), 6));
  t.false(drbgFeed(e, new Uint8Array(1).fill(last), 6));
});

test('the cutoff of the proportion test is the smallest that is improbable enough', (t) => {
  for (const bits of [0.1, 0.5, 1, 2, 4, 8]) {
    const p = 2 ** -bits;
    const cutoff = proportionCutoff(bits);
    // P(count >= n) by recurrence over the samples, instead of from binomial coefficients
    let chances = [1];
    for (let i = 0; i < 512; i++) {
      const next = new Array<number>(chances.length + 1).fill(0);
      chances.forEach((c, n) => {
        next[n]! += c * (1 - p);
        next[n + 1]! += c * p;
      });
      chances = next;
    }
    const tail = (n: number): number => chances.slice(n).reduceRight((sum, c) => sum + c, 0);
    t.true(tail(cutoff) < 2 ** -30, `${bits} bits`);
    t.true(tail(cutoff - 1) >= 2 ** -30, `${bits} bits`);
  }
});

test('a stored seed suffices without samples; one that is too short does not', (t) => {
  const draw = draws(t);
  const d = new Int32Array(DRBG_WORDS);
  drbgInit(d);
  t.throws(() => drbgSeed(d, draw.bytes(31)), { code: 'invalid_input' });
  t.is(drbgRefusal(d), 'entropy_missing');
  const seed = draw.bytes(64);
  drbgSeed(d, seed);
  const out = new Uint8Array(40);
  drbgGenerate(d, out);
  const key = shake256(concat([new Uint8Array(64), Uint8Array.of(1), u32(64), seed]), { dkLen: 64 });
  t.deepEqual(out, shake256(concat([key, Uint8Array.of(2), u32(40)]), { dkLen: 104 }).slice(64));
  // A source that failed is not made good by a seed.
  drbgFeed(d, new Uint8Array(1024), 4);
  drbgSeed(d, seed);
  t.is(drbgRefusal(d), 'entropy_failed');
});
