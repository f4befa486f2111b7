// RCS-256 of gateways, in WebAssembly, against the kernel's.
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { MEMORY_BYTES, MODULE, STATE, WORK } from '../../src/crypto/gateway/module.ts';
import { loadModule } from '../../src/crypto/gateway/load.ts';
import { createRcsRecords, rcsRecords } from '../../src/crypto/gateway/rcs.ts';
import { keccakF1600 } from '../../src/crypto/micro/keccak-f.ts';
import { RCS256_WORDS, RCS512_WORDS, rcsInit, rcsOpen, rcsSeal } from '../../src/crypto/micro/rcs.ts';
import type { RcsRecords } from '../../src/crypto/provider.ts';
import { Flag, HEADER_BYTES } from '../../src/params.ts';
import { acquireSlot, createPool, releaseSlot } from '../../src/pool/pool.ts';
import { Cipher } from '../../src/pool/slot.ts';
import type { Slot } from '../../src/pool/slot.ts';
import { keyDirection, openEdge, openRecord, openStrict, sealRecord } from '../../src/session/channel.ts';
import { CASES, draws } from '../random.ts';
import type { Draw } from '../random.ts';
import { hex, vectors } from '../vectors.ts';
import { i32OfData, opcodesOf } from './wasm-code.ts';

const NONE = new Uint8Array(0);
const TAG = 32;
const scratch = new Uint8Array(64);
const kernel: RcsRecords = { init: rcsInit, seal: rcsSeal, open: rcsOpen };

function keyed(key: Uint8Array, nonce: Uint8Array): Int32Array {
  const state = new Int32Array(key.length === 64 ? RCS512_WORDS : RCS256_WORDS);
  rcsInit(state, key, nonce, NONE);
  return state;
}

/** A state, and copies of it. */
function states(draw: Draw, count: number): Int32Array[] {
  const state = keyed(draw.bytes(32), draw.bytes(32));
  return Array.from({ length: count }, () => state.slice());
}

test('the engine of these tests has WebAssembly with vectors', (t) => {
  t.not(loadModule(), null);
});

interface RcsFile {
  single: { key: string; nonce: string; aad: string; msg: string; ct: string }[];
  multi: { key: string; nonce: string; packets: { aad: string; msg: string; ct: string }[] }[];
}

test('known answers of RCS-256, and of RCS-512, which the kernel does', (t) => {
  const file = vectors<RcsFile>('rcs.json');
  const all = [...file.single.map((c) => ({ ...c, packets: [c] })), ...file.multi];
  t.true(file.single.length > 0 && file.multi.length > 0);
  for (const c of all) {
    const [tx, rx] = [keyed(hex(c.key), hex(c.nonce)), keyed(hex(c.key), hex(c.nonce))];
    for (const { aad, msg, ct } of c.packets) {
      const data = new Uint8Array(ct.length / 2);
      data.set(hex(msg));
      rcsRecords.seal(tx, hex(aad), aad.length / 2, data, 0, msg.length / 2);
      t.deepEqual(data, hex(ct));
      t.true(rcsRecords.open(rx, hex(aad), aad.length / 2, data, 0, msg.length / 2, scratch));
      t.deepEqual(data.slice(0, msg.length / 2), hex(msg));
      t.deepEqual(rx, tx);
    }
  }
});

/** Seals one packet by both, opens it by both, and compares packets and states. */
function compare(
  t: ExecutionContext,
  draw: Draw,
  four: Int32Array[],
  aadLength: number,
  length: number,
): void {
  const [ours, theirs, receiver, other] = four as [Int32Array, Int32Array, Int32Array, Int32Array];
  const at = aadLength + draw.below(4);
  const plain = new Uint8Array(at + length + TAG + 3).fill(0xa5);
  plain.set(draw.bytes(Math.min(at + length, 700)));
  const [packet, expected] = [plain.slice(), plain.slice()];
  rcsRecords.seal(ours, packet, aadLength, packet, at, length);
  rcsSeal(theirs, expected, aadLength, expected, at, length);
  const what = `${length} bytes, ${aadLength} associated`;
  t.deepEqual(packet, expected, what);
  t.deepEqual(ours, theirs, what);
  t.true(rcsRecords.open(receiver, packet, aadLength, packet, at, length, scratch), what);
  t.true(rcsOpen(other, expected, aadLength, expected, at, length, scratch), what);
  t.deepEqual(packet.subarray(0, at + length), plain.subarray(0, at + length), what);
  t.deepEqual(packet, expected, what);
  t.deepEqual(receiver, other, what);
  t.deepEqual(receiver, ours, what);
}

test('texts of 0 to 600 bytes, one state on and on', (t) => {
  const draw = draws(t);
  const four = states(draw, 4);
  for (let length = 0; length <= 600; length++) compare(t, draw, four, HEADER_BYTES, length);
});

test('all ends of the block of the tag, with and without associated data', (t) => {
  const draw = draws(t);
  const four = states(draw, 4);
  for (let length = 1300; length < 1300 + 136; length++) compare(t, draw, four, (length & 1) * 5, length);
});

test('texts of all sizes and associated data of all lengths, those that the kernel does included', (t) => {
  const draw = draws(t);
  const four = states(draw, 4);
  for (const length of [65_504, 65_536, MEMORY_BYTES - WORK, MEMORY_BYTES])
    compare(t, draw, four, 21, length);
  for (const aadLength of [0, 1, 4, 135, 136, 255, 256, 257, 600]) compare(t, draw, four, aadLength, 100);
  for (let i = 0; i < CASES; i++) compare(t, draw, four, draw.below(40), draw.below(5000));
});

test('counters that carry through every word', (t) => {
  const draw = draws(t);
  for (let bytes = 1; bytes <= 32; bytes++) {
    const nonce = draw.bytes(32).fill(0xff, 0, bytes);
    nonce[0] = 0xff - draw.below(40);
    const state = keyed(draw.bytes(32), nonce);
    const four = [state, state.slice(), state.slice(), state.slice()];
    for (const length of [513, 1400]) compare(t, draw, four, HEADER_BYTES, length);
  }
});

test('the count of bytes carries', (t) => {
  const draw = draws(t);
  const four = states(draw, 4);
  for (const state of four) state[60] = -700;
  for (let i = 0; i < 6; i++) compare(t, draw, four, HEADER_BYTES, 200);
  t.is(four[0]![61], 1);
});

test('many states in turn, each packet by the module or by the kernel as it comes', (t) => {
  const draw = draws(t);
  const pairs = Array.from({ length: 9 }, () => states(draw, 2) as [Int32Array, Int32Array]);
  for (let i = 0; i < 4 * CASES; i++) {
    const [tx, rx] = pairs[draw.below(pairs.length)]!;
    const [sealer, opener] = [draw.below(2) ? rcsRecords : kernel, draw.below(2) ? rcsRecords : kernel];
    const length = draw.below(1500);
    const aad = draw.bytes(draw.below(30));
    const text = draw.bytes(length);
    const data = new Uint8Array(length + TAG);
    data.set(text);
    sealer.seal(tx, aad, aad.length, data, 0, length);
    t.true(opener.open(rx, aad, aad.length, data, 0, length, scratch));
    t.deepEqual(data.subarray(0, length), text);
    t.deepEqual(rx, tx);
  }
});

test('what is altered is refused and left as it was, and the state goes where the kernel leaves it', (t) => {
  const draw = draws(t);
  const length = 300;
  const [tx, ours, theirs] = states(draw, 3) as [Int32Array, Int32Array, Int32Array];
  const packet = draw.bytes(HEADER_BYTES + length + TAG);
  rcsRecords.seal(tx, packet, HEADER_BYTES, packet, HEADER_BYTES, length);
  for (let at = 0; at < packet.length; at++) {
    const bad = packet.slice();
    bad[at]! ^= 1 << draw.below(8);
    const before = bad.slice();
    const [first, second] = [ours.slice(), theirs.slice()];
    t.false(rcsRecords.open(first, bad, HEADER_BYTES, bad, HEADER_BYTES, length, scratch));
    t.deepEqual(bad, before);
    t.false(rcsOpen(second, bad, HEADER_BYTES, bad, HEADER_BYTES, length, scratch));
    t.deepEqual(first, second);
  }
});

test('nothing of a record stays in the memory of the module, refused and failed ones included', (t) => {
  const draw = draws(t);
  let exports: ReturnType<typeof loadModule> = null;
  const records = createRcsRecords(() => (exports = loadModule()));
  const [tx, rx] = states(draw, 2) as [Int32Array, Int32Array];
  const memory = (): Uint8Array => new Uint8Array(exports!.memory.buffer).subarray(STATE);
  const empty = (): boolean => memory().every((byte) => byte === 0);
  for (const length of [0, 1, 31, 64, 480, 481, 511, 512, 513, 1400, 65_000, 30]) {
    const packet = draw.bytes(700 + (length & 1));
    const data = new Uint8Array(HEADER_BYTES + length + TAG).fill(0x77);
    rcsRecords.seal(tx.slice(), data, HEADER_BYTES, data, HEADER_BYTES, length);
    records.seal(tx, packet, HEADER_BYTES, data, HEADER_BYTES, length);
    t.true(empty(), `sealed ${length}`);
    const bad = data.slice();
    bad[HEADER_BYTES + length]! ^= 1;
    t.false(records.open(rx.slice(), packet, HEADER_BYTES, bad, HEADER_BYTES, length, scratch));
    t.true(empty(), `refused ${length}`);
    t.true(records.open(rx, packet, HEADER_BYTES, data, HEADER_BYTES, length, scratch));
    t.true(empty(), `opened ${length}`);
  }
  // No room for the tag.
  t.throws(() => records.seal(tx, NONE, 0, new Uint8Array(200), 0, 200), { instanceOf: RangeError });
  t.true(empty());
  memory()[100] = 1;
  t.false(empty(), 'the look would tell');
});

test('without WebAssembly, or without its vectors, the kernel does it all', (t) => {
  const draw = draws(t);
  const refusing = { validate: () => false, Module: Object, Instance: Object } as never;
  t.is(loadModule(refusing), null);
  let loads = 0;
  const records = createRcsRecords(() => {
    loads++;
    return null;
  });
  const [tx, rx, other] = states(draw, 3) as [Int32Array, Int32Array, Int32Array];
  for (let i = 0; i < 3; i++) {
    const [packet, expected] = [new Uint8Array(200 + TAG), new Uint8Array(200 + TAG)];
    records.seal(tx, NONE, 0, packet, 0, 200);
    rcsSeal(other, NONE, 0, expected, 0, 200);
    t.deepEqual(packet, expected);
    t.true(records.open(rx, NONE, 0, packet, 0, 200, scratch));
  }
  t.is(loads, 1, 'asked once');
});

test('a pool with the engine and one without speak with each other, over key updates', (t) => {
  const draw = draws(t);
  for (const strict of [false, true]) {
    const pools = [
      createPool({ slots: 1, engine: { gcm: null, rcs: rcsRecords, hash: null } }),
      createPool({ slots: 1 }),
    ];
    const [client, server] = pools.map(acquireSlot) as [Slot, Slot];
    const [secrets, material] = [draw.bytes(96), draw.bytes(128)];
    if (strict) {
      openStrict(client, false, material.slice(), draw.bytes(32));
      openStrict(server, true, material, draw.bytes(32));
    } else {
      openEdge(client, false, Cipher.rcs, secrets.slice(), null, 0);
      openEdge(server, true, Cipher.rcs, secrets, null, 0);
    }
    for (let i = 0; i < 12; i++) {
      const turns = [
        [client, server],
        [server, client],
      ] as const;
      turns.forEach(([from, to], direction) => {
        if (!strict && i % 4 === 3) {
          keyDirection(from, direction, i);
          keyDirection(to, direction, i);
        }
        const message = draw.bytes(1 + draw.below(2000));
        const packet = new Uint8Array(HEADER_BYTES + message.length + TAG);
        packet.set(message, HEADER_BYTES);
        sealRecord(from, packet, Flag.encryptedMessage, message.length, 1);
        t.is(openRecord(to, packet), null);
        t.deepEqual(packet.slice(HEADER_BYTES, HEADER_BYTES + message.length), message);
      });
    }
    const { tx } = client;
    releaseSlot(client);
    t.throws(() => rcsRecords.seal(tx, NONE, 0, new Uint8Array(300), 0, 200), { code: 'cipher_not_keyed' });
    t.throws(() => rcsRecords.open(tx, NONE, 0, new Uint8Array(300), 0, 200, scratch), {
      code: 'cipher_not_keyed',
    });
  }
});

test("the module's Keccak-f[1600] is the kernel's", (t) => {
  const draw = draws(t);
  const module = loadModule()!;
  const state = new Int32Array(module.memory.buffer, STATE, 50);
  const message = new Int32Array(module.memory.buffer, WORK, 34 * 40);
  for (const blocks of [1, 2, 3, 40]) {
    const expected = new Int32Array(new Int32Array(draw.bytes(200).buffer));
    state.set(expected);
    message.set(new Int32Array(draw.bytes(136 * blocks).buffer));
    for (let block = 0; block < blocks; block++) {
      for (let i = 0; i < 34; i++) expected[i]! ^= message[34 * block + i]!;
      keccakF1600(expected);
    }
    module.absorb(WORK, blocks);
    t.deepEqual(state, expected);
  }
});

test('addresses and conditions of the module are made of constants and parameters alone', (t) => {
  const functions = opcodesOf(Buffer.from(MODULE, 'base64'));
  t.is(functions.length, 5);
  for (const opcodes of functions) {
    t.true(opcodes.length > 100);
    t.deepEqual(i32OfData(opcodes), []);
  }
  // local.get, i64.eqz, br_if: the check would tell.
  t.deepEqual(i32OfData([0x20, 0x50, 0x0d]), [1]);
  const wrap = Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 10, 7, 1, 5, 0, 0x42, 0, 0xa7, 0x0b]);
  t.throws(() => opcodesOf(wrap), { message: /0xa7 is not in the table/ });
});
