import test from 'ava';
import {
  RCS256_WORDS,
  RCS512_WORDS,
  rcsCounter,
  rcsInit,
  rcsOpen,
  rcsSeal,
} from '../../src/crypto/micro/rcs.ts';
import { hex, vectors } from '../vectors.ts';

interface RcsFile {
  single: { key: string; nonce: string; aad: string; msg: string; ct: string; nonceAfter: string }[];
  multi: { key: string; nonce: string; packets: { aad: string; msg: string; ct: string }[] }[];
}
const file = vectors<RcsFile>('rcs.json');
const NONE = new Uint8Array(0);

function keyed(key: string, nonce: string): Int32Array {
  const state = new Int32Array(key.length === 128 ? RCS512_WORDS : RCS256_WORDS);
  rcsInit(state, hex(key), hex(nonce), NONE);
  return state;
}

function seal(state: Int32Array, aad: Uint8Array, msg: Uint8Array, total: number): Uint8Array {
  const data = new Uint8Array(total);
  data.set(msg);
  rcsSeal(state, aad, aad.length, data, 0, msg.length);
  return data;
}

test('RCS-256 and RCS-512 known answers, sealed and opened', (t) => {
  t.true(file.single.length > 0);
  const scratch = new Uint8Array(64);
  const counter = new Uint8Array(32);
  for (const c of file.single) {
    const msg = hex(c.msg);
    const state = keyed(c.key, c.nonce);
    const sealed = seal(state, hex(c.aad), msg, c.ct.length / 2);
    t.deepEqual(sealed, hex(c.ct));
    rcsCounter(state, counter);
    t.deepEqual(counter, hex(c.nonceAfter));
    const other = keyed(c.key, c.nonce);
    t.true(rcsOpen(other, hex(c.aad), c.aad.length / 2, sealed, 0, msg.length, scratch));
    t.deepEqual(sealed.subarray(0, msg.length), msg);
    t.deepEqual(other, state);
  }
});

test('packets of one state chain', (t) => {
  t.true(file.multi.length > 0);
  const scratch = new Uint8Array(64);
  for (const c of file.multi) {
    const tx = keyed(c.key, c.nonce);
    const rx = keyed(c.key, c.nonce);
    for (const p of c.packets) {
      const sealed = seal(tx, hex(p.aad), hex(p.msg), p.ct.length / 2);
      t.deepEqual(sealed, hex(p.ct));
      t.true(rcsOpen(rx, hex(p.aad), p.aad.length / 2, sealed, 0, p.msg.length / 2, scratch));
      t.deepEqual(sealed.subarray(0, p.msg.length / 2), hex(p.msg));
    }
  }
});

test('a flipped bit anywhere fails and leaves the data encrypted', (t) => {
  const c = file.single[3]!;
  const [aad, ct] = [hex(c.aad), hex(c.ct)];
  const scratch = new Uint8Array(64);
  for (let bit = 0; bit < (aad.length + ct.length) * 8; bit++) {
    const [a, d] = [aad.slice(), ct.slice()];
    const target = bit < aad.length * 8 ? a : d;
    const at = bit < aad.length * 8 ? bit : bit - aad.length * 8;
    target[at >> 3]! ^= 1 << (at & 7);
    const before = d.slice();
    t.false(rcsOpen(keyed(c.key, c.nonce), a, a.length, d, 0, c.msg.length / 2, scratch));
    t.deepEqual(d, before);
  }
});

test('the counter carries over all 256 bits', (t) => {
  const key = '11'.repeat(32);
  for (let words = 1; words <= 8; words++) {
    const nonce = 'ff'.repeat(4 * words) + '00'.repeat(32 - 4 * words);
    const state = keyed(key, nonce);
    const long = seal(state, NONE, new Uint8Array(96), 128);
    // Block 1 must be the key stream of the carried counter, taken alone.
    const after = new Uint8Array(32);
    after.set([2]);
    if (words < 8) after[4 * words] = 1;
    const counter = new Uint8Array(32);
    rcsCounter(state, counter);
    t.deepEqual(counter, after);
    after[0] = 0;
    const alone = seal(keyed(key, Buffer.from(after).toString('hex')), NONE, new Uint8Array(64), 96);
    t.deepEqual(alone.subarray(0, 64), long.subarray(32, 96));
  }
});

test('more than 256 blocks at once are the key stream of the same blocks one by one', (t) => {
  const [key, nonce] = ['5a'.repeat(32), 'f3ffffff' + '77'.repeat(28)];
  const blocks = 530;
  const long = seal(keyed(key, nonce), NONE, new Uint8Array(32 * blocks + 7), 32 * blocks + 7 + 32);
  const state = keyed(key, nonce);
  for (let i = 0; i <= blocks; i++) {
    const length = i < blocks ? 32 : 7;
    const one = seal(state, NONE, new Uint8Array(length), length + 32).subarray(0, length);
    t.deepEqual(one, long.slice(32 * i, 32 * i + length));
  }
});

test('a wiped state is refused, at once', (t) => {
  const state = new Int32Array(RCS256_WORDS);
  const data = new Uint8Array(64);
  t.throws(() => rcsSeal(state, NONE, 0, data, 0, 1), { code: 'cipher_not_keyed' });
  t.throws(() => rcsOpen(state, NONE, 0, data, 0, 1, new Uint8Array(64)), { code: 'cipher_not_keyed' });
});
