import { createCipheriv } from 'node:crypto';
import test from 'ava';
import {
  AES_GCM_TAG_BYTES,
  AES_GCM_WORDS,
  aesGcmInit,
  aesGcmOpen,
  aesGcmSeal,
} from '../../src/crypto/micro/aes-gcm.ts';
import { CASES, draws } from '../random.ts';
import { hex } from '../vectors.ts';

function nodeSeal(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, text: Uint8Array): Uint8Array {
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  cipher.setAAD(aad);
  return Uint8Array.from(Buffer.concat([cipher.update(text), cipher.final(), cipher.getAuthTag()]));
}

function seal(g: Int32Array, nonce: Uint8Array, aad: Uint8Array, text: Uint8Array): Uint8Array {
  const data = new Uint8Array(text.length + AES_GCM_TAG_BYTES);
  data.set(text);
  aesGcmSeal(g, nonce, aad, aad.length, data, 0, text.length);
  return data;
}

test('known answers of the GCM specification, test cases 13 to 16', (t) => {
  const g = new Int32Array(AES_GCM_WORDS);
  const cases = [
    ['00'.repeat(32), '00'.repeat(12), '', '', '530f8afbc74536b9a963b4f1c4cb738b'],
    [
      '00'.repeat(32),
      '00'.repeat(12),
      '',
      '00'.repeat(16),
      'cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919',
    ],
    [
      'feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308',
      'cafebabefacedbaddecaf888',
      'feedfacedeadbeeffeedfacedeadbeefabaddad2',
      'd9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72' +
        '1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39',
      '522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa' +
        '8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b',
    ],
  ] as const;
  for (const [key, nonce, aad, text, out] of cases) {
    aesGcmInit(g, hex(key));
    t.deepEqual(seal(g, hex(nonce), hex(aad), hex(text)), hex(out));
  }
});

test('against node:crypto at every length over three blocks, and over a carry of the counter', (t) => {
  const draw = draws(t);
  const g = new Int32Array(AES_GCM_WORDS);
  const scratch = new Uint8Array(16);
  const lengths = Array.from({ length: 50 }, (_, i) => i).concat([255 * 16, 256 * 16 + 5, 600 * 16]);
  for (const length of lengths) {
    const [key, nonce, aad, text] = [
      draw.bytes(32),
      draw.bytes(12),
      draw.bytes(length % 37),
      draw.bytes(length),
    ];
    aesGcmInit(g, key);
    const sealed = seal(g, nonce, aad, text);
    t.deepEqual(sealed, nodeSeal(key, nonce, aad, text));
    t.true(aesGcmOpen(g, nonce, aad, aad.length, sealed, 0, length, scratch));
    t.deepEqual(sealed.subarray(0, length), text);
  }
});

test(`${CASES} random records in one array with their headers; a flipped bit anywhere is refused`, (t) => {
  const draw = draws(t);
  const g = new Int32Array(AES_GCM_WORDS);
  const scratch = new Uint8Array(16);
  const key = draw.bytes(32);
  aesGcmInit(g, key);
  for (let i = 0; i < CASES; i++) {
    const [header, length, nonce] = [draw.below(30), draw.below(200), draw.bytes(12)];
    const packet = draw.bytes(header + length + 16);
    const text = packet.slice(header, header + length);
    aesGcmSeal(g, nonce, packet, header, packet, header, length);
    t.deepEqual(packet.slice(header), nodeSeal(key, nonce, packet.slice(0, header), text));
    const bad = packet.slice();
    bad[draw.below(bad.length)]! ^= 1 << draw.below(8);
    const before = bad.slice();
    t.false(aesGcmOpen(g, nonce, bad, header, bad, header, length, scratch));
    t.deepEqual(bad, before);
    t.true(aesGcmOpen(g, nonce, packet, header, packet, header, length, scratch));
    t.deepEqual(packet.slice(header, header + length), text);
    t.true(g.subarray(60, 68).every((x) => x === 0) && g.subarray(73).every((x) => x === 0));
  }
});

test('the first record of a key, sealed, opened or refused, of every length up to two batches of blocks', (t) => {
  const draw = draws(t);
  const none = new Uint8Array(0);
  for (let length = 0; length <= 260; length++) {
    const [key, nonce, text] = [draw.bytes(32), draw.bytes(12), draw.bytes(length)];
    const sealed = nodeSeal(key, nonce, none, text);
    const g = new Int32Array(AES_GCM_WORDS);
    aesGcmInit(g, key);
    const packet = new Uint8Array(length + 16);
    packet.set(text);
    aesGcmSeal(g, nonce, none, 0, packet, 0, length);
    t.deepEqual(packet, sealed, `${length}`);
    for (const variant of [1, 0, 3, 2]) {
      // A scratch for the tag alone, and one for the record too.
      const scratch = new Uint8Array(variant < 2 ? 16 : 16 + length);
      aesGcmInit(g, key);
      packet.set(sealed);
      packet[length + 5]! ^= variant & 1;
      const before = packet.slice();
      t.is(aesGcmOpen(g, nonce, none, 0, packet, 0, length, scratch), (variant & 1) === 0, `${length}`);
      if ((variant & 1) === 1) t.deepEqual(packet, before);
      else t.deepEqual(packet.slice(0, length), text);
    }
  }
});

test('a state that is wiped or was never keyed is refused', (t) => {
  const g = new Int32Array(AES_GCM_WORDS);
  const [data, nonce] = [new Uint8Array(40), new Uint8Array(12)];
  const refused = (): void => {
    for (const scratch of [new Uint8Array(16), new Uint8Array(40)]) {
      const open = (): boolean => aesGcmOpen(g, nonce, nonce, 0, data, 0, 24, scratch);
      t.throws(open, { message: /never keyed/ });
    }
    t.throws(() => aesGcmSeal(g, nonce, nonce, 0, data, 0, 24), { message: /never keyed/ });
    t.true(data.every((x) => x === 0));
  };
  refused();
  aesGcmInit(g, new Uint8Array(32));
  aesGcmSeal(g, nonce, nonce, 0, data, 0, 24);
  data.fill(0);
  g.fill(0);
  refused();
});
