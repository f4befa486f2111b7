// AES-256-GCM of gateways, in WebAssembly, against the kernel's and node:crypto's.
import test from 'ava';
import { createCipheriv } from 'node:crypto';
import { createGcmRecords, gcmRecords } from '../../src/crypto/gateway/gcm.ts';
import { loadModule } from '../../src/crypto/gateway/load.ts';
import type { Exports } from '../../src/crypto/gateway/load.ts';
import { MEMORY_BYTES, STATE } from '../../src/crypto/gateway/module.ts';
import { AES_GCM_WORDS, aesGcmInit, aesGcmOpen, aesGcmSeal } from '../../src/crypto/micro/aes-gcm.ts';
import { HEADER_BYTES } from '../../src/params.ts';
import { CASES, draws } from '../random.ts';
import type { Draw } from '../random.ts';

const TAG = 16;
const scratch = new Uint8Array(112);
/** Around the ends of blocks and of groups of them. The last are more than the module has room for. */
const LENGTHS = [0, 1, 15, 16, 17, 63, 64, 65, 95, 96, 97, 111, 112, 113, 127, 128, 129, 223, 224, 225, 1400];
const MOST = (MEMORY_BYTES - 608) / 2 - 160;
const LONG = [16_000, MOST, MOST + 1, MEMORY_BYTES];

function keyed(key: Uint8Array): Int32Array {
  const state = new Int32Array(AES_GCM_WORDS);
  aesGcmInit(state, key);
  return state;
}

function byNode(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, text: Uint8Array): Uint8Array {
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  cipher.setAAD(aad);
  return new Uint8Array(Buffer.concat([cipher.update(text), cipher.final(), cipher.getAuthTag()]));
}

test('all lengths of text and of associated data are sealed as by node:crypto, and opened', (t) => {
  const draw = draws(t);
  const check = (length: number, aadLength: number): void => {
    const [key, nonce] = [draw.bytes(32), draw.bytes(12)];
    const [aad, text] = [draw.bytes(aadLength), draw.bytes(Math.min(length, 500))];
    const at = draw.below(4);
    const data = new Uint8Array(at + length + TAG + 3).fill(0xa5);
    data.set(text, at);
    const before = data.slice();
    const what = `${length} bytes, ${aadLength} associated`;
    const state = keyed(key);
    gcmRecords.seal(state, nonce, aad, aadLength, data, at, length);
    t.deepEqual(
      data.slice(at, at + length + TAG),
      byNode(key, nonce, aad, before.slice(at, at + length)),
      what,
    );
    t.true(gcmRecords.open(state, nonce, aad, aadLength, data, at, length, scratch), what);
    t.deepEqual(data.slice(0, at + length), before.slice(0, at + length), what);
    t.deepEqual(
      data.slice(at + length + TAG),
      before.slice(at + length + TAG),
      'nothing behind the tag is touched',
    );
  };
  for (const length of LENGTHS) for (const aad of [0, 1, 16, 21, 32]) check(length, aad);
  for (const length of LONG) check(length, HEADER_BYTES);
  check(64, 33);
  check(64, 300);
  for (let i = 0; i < CASES; i++) check(draw.below(700), draw.below(40));
});

test('associated data and text may be of one array, as in a record', (t) => {
  const draw = draws(t);
  const state = keyed(draw.bytes(32));
  for (const length of LENGTHS) {
    const nonce = draw.bytes(12);
    const ours = draw.bytes(HEADER_BYTES + length + TAG);
    const theirs = ours.slice();
    gcmRecords.seal(state, nonce, ours, HEADER_BYTES, ours, HEADER_BYTES, length);
    aesGcmSeal(state.slice(), nonce, theirs, HEADER_BYTES, theirs, HEADER_BYTES, length);
    t.deepEqual(ours, theirs, `${length} bytes`);
  }
});

/** A record of one state by the module or the kernel as it comes, opened by the module or the kernel as it comes. */
function mixed(draw: Draw, sender: Int32Array, receiver: Int32Array, length: number): boolean {
  const nonce = draw.bytes(12);
  const packet = draw.bytes(HEADER_BYTES + length + TAG);
  const plain = packet.slice(0, HEADER_BYTES + length);
  const seal = draw.below(2) ? gcmRecords.seal : aesGcmSeal;
  const open = draw.below(2) ? gcmRecords.open : aesGcmOpen;
  seal(sender, nonce, packet, HEADER_BYTES, packet, HEADER_BYTES, length);
  const good = open(receiver, nonce, packet, HEADER_BYTES, packet, HEADER_BYTES, length, scratch);
  return good && plain.every((byte, i) => packet[i] === byte);
}

test('a state goes from the module to the kernel and back after any record, the first of a key included', (t) => {
  const draw = draws(t);
  for (let i = 0; i < CASES; i++) {
    const key = draw.bytes(32);
    const [sender, receiver] = [keyed(key), keyed(key)];
    for (let n = 0; n < 4; n++) t.true(mixed(draw, sender, receiver, draw.below(200)));
  }
});

test('what is altered is refused and left as it was', (t) => {
  const draw = draws(t);
  const state = keyed(draw.bytes(32));
  for (const length of [1, 16, 64, 200, 1400]) {
    const nonce = draw.bytes(12);
    const packet = draw.bytes(HEADER_BYTES + length + TAG);
    gcmRecords.seal(state, nonce, packet, HEADER_BYTES, packet, HEADER_BYTES, length);
    const places = [0, 20, 21, 20 + length, 21 + length, packet.length - 1, draw.below(packet.length)];
    for (const at of places) {
      const bad = packet.slice();
      bad[at]! ^= 1 << draw.below(8);
      const before = bad.slice();
      t.false(gcmRecords.open(state, nonce, bad, HEADER_BYTES, bad, HEADER_BYTES, length, scratch));
      t.deepEqual(bad, before, `byte ${at} of ${length}`);
    }
    const other = nonce.slice();
    other[draw.below(12)]! ^= 1;
    t.false(gcmRecords.open(state, other, packet, HEADER_BYTES, packet, HEADER_BYTES, length, scratch));
    t.true(gcmRecords.open(state, nonce, packet, HEADER_BYTES, packet, HEADER_BYTES, length, scratch));
  }
});

test('nothing of a record stays in the memory of the module, refused and failed ones included', (t) => {
  const draw = draws(t);
  const exports: Exports = loadModule()!;
  const memory = new Uint8Array(exports.memory.buffer).subarray(STATE);
  const empty = (): boolean => memory.every((byte) => byte === 0);
  const records = createGcmRecords(() => exports);
  const state = keyed(draw.bytes(32));
  for (const length of [...LENGTHS, MOST]) {
    const nonce = draw.bytes(12);
    const packet = new Uint8Array(HEADER_BYTES + length + TAG).fill(0x77);
    records.seal(state, nonce, packet, HEADER_BYTES, packet, HEADER_BYTES, length);
    t.true(empty(), `sealed ${length}`);
    const bad = packet.slice();
    bad[bad.length - 1]! ^= 1;
    t.false(records.open(state, nonce, bad, HEADER_BYTES, bad, HEADER_BYTES, length, scratch));
    t.true(empty(), `refused ${length}`);
    t.true(records.open(state, nonce, packet, HEADER_BYTES, packet, HEADER_BYTES, length, scratch));
    t.true(empty(), `opened ${length}`);
  }
  // An array that is gone.
  const gone = new Uint8Array(300);
  structuredClone(gone.buffer, { transfer: [gone.buffer] });
  t.throws(() => records.seal(state, draw.bytes(12), new Uint8Array(21), 21, gone, 21, 200));
  t.true(empty(), 'failed');
  memory[100] = 1;
  t.false(empty(), 'the look would tell');
});

test('a state that is wiped or was never keyed is refused', (t) => {
  const data = new Uint8Array(100);
  const nonce = new Uint8Array(12);
  t.throws(() => gcmRecords.seal(new Int32Array(AES_GCM_WORDS), nonce, data, 0, data, 0, 50), {
    code: 'cipher_not_keyed',
  });
  t.throws(() => gcmRecords.open(new Int32Array(AES_GCM_WORDS), nonce, data, 0, data, 0, 50, scratch), {
    code: 'cipher_not_keyed',
  });
});

test('without WebAssembly the kernel does it all', (t) => {
  const draw = draws(t);
  let loads = 0;
  const records = createGcmRecords(() => {
    loads++;
    return null;
  });
  const state = keyed(draw.bytes(32));
  for (let i = 0; i < 3; i++) {
    const nonce = draw.bytes(12);
    const [packet, expected] = [new Uint8Array(200 + TAG), new Uint8Array(200 + TAG)];
    records.seal(state, nonce, new Uint8Array(0), 0, packet, 0, 200);
    aesGcmSeal(state.slice(), nonce, new Uint8Array(0), 0, expected, 0, 200);
    t.deepEqual(packet, expected);
    t.true(records.open(state, nonce, new Uint8Array(0), 0, packet, 0, 200, scratch));
  }
  t.is(loads, 1, 'asked once');
});
