// SHA3-256, cSHAKE256 and the keying of RCS-256 of gateways, in WebAssembly, against the kernel's.
import test from 'ava';
import { createHash } from 'node:crypto';
import { loadModule } from '../../src/crypto/gateway/load.ts';
import type { Exports } from '../../src/crypto/gateway/load.ts';
import { MEMORY_BYTES, STATE } from '../../src/crypto/gateway/module.ts';
import { createRcsRecords, rcsRecords } from '../../src/crypto/gateway/rcs.ts';
import { createHashing, gatewayHashing } from '../../src/crypto/gateway/sponge.ts';
import { RCS256_WORDS, RCS512_WORDS, rcsInit } from '../../src/crypto/micro/rcs.ts';
import { cshake, RATE_256, sha3_256 } from '../../src/crypto/micro/sponge.ts';
import { CASES, draws } from '../random.ts';

/** Around the ends of blocks, and beyond the module's memory. */
const LENGTHS = [0, 1, 7, 8, 31, 32, 131, 134, 135, 136, 137, 271, 272, 273, 1237, 5000];
const BEYOND = [MEMORY_BYTES - 14_200, MEMORY_BYTES - 14_000, MEMORY_BYTES, 2 * MEMORY_BYTES];

test("SHA3-256 is the kernel's and OpenSSL's", (t) => {
  const draw = draws(t);
  for (const length of [...LENGTHS, ...BEYOND, ...Array.from({ length: CASES }, () => draw.below(4000))]) {
    const data = draw.bytes(length);
    const hash = gatewayHashing.sha3(data);
    t.deepEqual(hash, sha3_256(data), `${length} bytes`);
    t.deepEqual(hash, new Uint8Array(createHash('sha3-256').update(data).digest()), `${length} bytes`);
  }
});

test("cSHAKE256 is the kernel's, whatever the lengths of its four", (t) => {
  const draw = draws(t);
  const check = (data: number, name: number, custom: number, length: number): void => {
    const [x, n, s] = [draw.bytes(data), draw.bytes(name), draw.bytes(custom)];
    const what = `${data}, N ${name}, S ${custom}, ${length} bytes`;
    t.deepEqual(gatewayHashing.cshake(x, n, s, length), cshake(RATE_256, x, n, s, length), what);
  };
  for (const length of LENGTHS) {
    check(length, 16, 32, 168);
    check(32, 0, length + 1, 96);
    check(32, length + 1, 0, 32);
    check(32, 16, 32, length);
  }
  check(BEYOND[0]!, 16, 32, 168);
  check(BEYOND[2]!, 16, 32, 168);
  check(32, 16, BEYOND[0]!, 168);
  check(32, 16, 8175, 168);
  check(32, 16, 8176, 168);
  for (let i = 0; i < CASES; i++)
    check(draw.below(400), 1 + draw.below(150), draw.below(150), draw.below(900));
});

test("a state of RCS-256 is keyed as by the kernel; RCS-512 and a customisation are the kernel's", (t) => {
  const draw = draws(t);
  const cases = [
    [32, 0, RCS256_WORDS],
    [32, 0, RCS256_WORDS],
    [32, 9, RCS256_WORDS],
    [64, 0, RCS512_WORDS],
  ] as const;
  for (const [keyBytes, infoBytes, words] of cases) {
    const [key, nonce, info] = [draw.bytes(keyBytes), draw.bytes(32), draw.bytes(infoBytes)];
    // What the state was keyed with before does not count.
    const ours = new Int32Array(words).fill(-7);
    const theirs = new Int32Array(words).fill(-7);
    rcsRecords.init(ours, key, nonce, info);
    rcsInit(theirs, key, nonce, info);
    t.deepEqual(ours, theirs, `key of ${keyBytes}, customisation of ${infoBytes}`);
  }
});

test('nothing of a hash or a key stays in the memory of the module, failed ones included', (t) => {
  const draw = draws(t);
  const exports: Exports = loadModule()!;
  const memory = new Uint8Array(exports.memory.buffer).subarray(STATE);
  const empty = (): boolean => memory.every((byte) => byte === 0);
  const hashing = createHashing(() => exports);
  const records = createRcsRecords(() => exports);
  for (const length of [0, 135, 136, 2000, MEMORY_BYTES - 14_200]) {
    hashing.sha3(draw.bytes(length));
    t.true(empty(), `hashed ${length}`);
    hashing.cshake(draw.bytes(length), draw.bytes(16), draw.bytes(300), 500);
    t.true(empty(), `stretched ${length}`);
  }
  const state = new Int32Array(RCS256_WORDS);
  records.init(state, draw.bytes(32), draw.bytes(32), new Uint8Array(0));
  t.true(empty(), 'keyed');
  t.throws(() => records.init(new Int32Array(20), draw.bytes(32), draw.bytes(32), new Uint8Array(0)), {
    instanceOf: RangeError,
  });
  t.true(empty(), 'no room for the state');
  memory[100] = 1;
  t.false(empty(), 'the look would tell');
});

test('without WebAssembly the kernel does it all', (t) => {
  const draw = draws(t);
  let loads = 0;
  const none = (): null => {
    loads++;
    return null;
  };
  const hashing = createHashing(none);
  const data = draw.bytes(500);
  for (let i = 0; i < 3; i++) {
    t.deepEqual(hashing.sha3(data), sha3_256(data));
    t.deepEqual(hashing.cshake(data, data, data, 200), cshake(RATE_256, data, data, data, 200));
  }
  t.is(loads, 1, 'asked once');
});
