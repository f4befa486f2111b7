// AES-256-GCM records by node:crypto against the kernel's.
import test from 'ava';
import { aesGcmInit, aesGcmOpen, aesGcmSeal, AES_GCM_WORDS } from '../../src/crypto/micro/aes-gcm.ts';
import { acquireSlot, createPool, releaseSlot } from '../../src/pool/pool.ts';
import { Cipher } from '../../src/pool/slot.ts';
import { openEdge, openRecord, sealRecord } from '../../src/session/channel.ts';
import { Flag, HEADER_BYTES } from '../../src/params.ts';
import { nodeRecords } from '../../targets/node/records.ts';
import { draws } from '../random.ts';

const gcm = nodeRecords.gcm!;

const LENGTHS = [0, 1, 15, 16, 17, 95, 96, 97, 128, 399, 400, 401, 1400, 4096, 65_000];

test('records: node:crypto and the kernel seal alike, and open what the other sealed', (t) => {
  const draw = draws(t);
  const key = draw.bytes(32);
  const [state, kernel] = [new Int32Array(AES_GCM_WORDS), new Int32Array(AES_GCM_WORDS)];
  aesGcmInit(state, key);
  aesGcmInit(kernel, key);
  key.fill(0);
  const scratch = new Uint8Array(112);
  for (const length of LENGTHS) {
    const nonce = draw.bytes(12);
    const plain = draw.bytes(21 + length + 16);
    const ours = plain.slice();
    const theirs = plain.slice();
    gcm.seal(state, nonce, ours, 21, ours, 21, length);
    aesGcmSeal(kernel, nonce, theirs, 21, theirs, 21, length);
    t.deepEqual(ours, theirs, `${length} bytes`);
    for (const at of [0, 20, 21, 21 + length, ours.length - 1]) {
      const bad = ours.slice();
      bad[at]! ^= 1 << draw.below(8);
      const before = bad.slice();
      t.false(gcm.open(state, nonce, bad, 21, bad, 21, length, scratch));
      t.deepEqual(bad, before, 'what is refused stays as it was');
    }
    t.true(gcm.open(state, nonce, theirs, 21, theirs, 21, length, scratch));
    t.true(aesGcmOpen(kernel, nonce, ours, 21, ours, 21, length, scratch));
    t.deepEqual(ours.slice(0, 21 + length), plain.slice(0, 21 + length));
    t.deepEqual(theirs.slice(0, 21 + length), plain.slice(0, 21 + length));
  }
});

test('records: a pool with the engine and one without speak with each other; a slot that is released has no key', (t) => {
  const draw = draws(t);
  const secrets = draw.bytes(96);
  const [first, second] = [createPool({ slots: 1, engine: nodeRecords }), createPool({ slots: 1 })];
  const [client, server] = [acquireSlot(first), acquireSlot(second)];
  openEdge(client, false, Cipher.gcm, secrets.slice(), null, 0);
  openEdge(server, true, Cipher.gcm, secrets.slice(), null, 0);
  for (const length of [1, 64, 400, 401, 1400, 30_000]) {
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      const message = draw.bytes(length);
      const packet = new Uint8Array(HEADER_BYTES + length + 32);
      packet.set(message, HEADER_BYTES);
      sealRecord(from, packet, Flag.encryptedMessage, length, 1);
      t.is(openRecord(to, packet), null);
      t.deepEqual(packet.slice(HEADER_BYTES, HEADER_BYTES + length), message);
    }
  }
  const { tx } = client;
  releaseSlot(client);
  t.throws(() => gcm.seal(tx, new Uint8Array(12), new Uint8Array(21), 21, new Uint8Array(700), 21, 600), {
    code: 'cipher_not_keyed',
  });
});
