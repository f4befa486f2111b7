// Provisioning records: one encoding, nothing damaged taken, and a device that starts from what they give it.
import test from 'ava';
import { boot } from '../../src/link/boot.ts';
import { readCredential } from '../../src/link/provisioned.ts';
import { memoryStorage } from '../../src/link/storage-memory.ts';
import { openUseCounter } from '../../src/link/use-counter.ts';
import { createClock } from '../../src/session/clock.ts';
import { decodeCbor, encodeCbor } from '../../targets/node/provision/cbor.ts';
import {
  armorRecord,
  decodeRecord,
  deviceValues,
  encodeRecord,
  newRecord,
} from '../../targets/node/provision/record.ts';
import { newChain } from '../session/pair.ts';
import { codeOf } from '../thrown.ts';

const chain = newChain(1, 'provision');
const common = { root: chain.root.bytes, server: chain.server.bytes, random: chain.random('record') };
const record = newRecord({
  ...common,
  deviceId: 'rtu-7',
  profile: 'esp32',
  now: chain.now,
  withCredential: true,
});

// RFC 8949, appendix A.
for (const [hex, value] of [
  ['00', 0],
  ['17', 23],
  ['1818', 24],
  ['1903e8', 1000],
  ['1a000f4240', 1000000],
  ['1b000000e8d4a51000', 1000000000000],
  ['f6', null],
  ['4401020304', Uint8Array.of(1, 2, 3, 4)],
  ['6449455446', 'IETF'],
  ['62c3bc', 'ü'],
] as const) {
  test(`CBOR ${hex}`, (t) => {
    t.is(encodeCbor(value).toString('hex'), hex);
    t.deepEqual(decodeCbor(Buffer.from(hex, 'hex')), value);
  });
}

test('CBOR that a record never is, is refused', (t) => {
  for (const hex of [
    '',
    '18',
    '4402',
    '5f',
    '80',
    'f5',
    '20',
    'fb3ff199999999999a',
    '0000',
    'a20000',
    'a1616100ff',
  ]) {
    t.is(
      codeOf(() => decodeCbor(Buffer.from(hex, 'hex'))),
      'record_malformed',
      hex,
    );
  }
  t.is(
    codeOf(() => decodeCbor(Buffer.from('a2616100616100', 'hex'))),
    'record_malformed',
    'a key twice',
  );
  t.is(
    codeOf(() => decodeCbor(Buffer.from('1bffffffffffffffff', 'hex'))),
    'record_malformed',
    '2^64 - 1',
  );
});

test('a record survives both of its forms', (t) => {
  const bytes = encodeRecord(record);
  t.deepEqual(decodeRecord(bytes), record);
  t.deepEqual(encodeRecord(decodeRecord(bytes)), bytes);
  t.deepEqual(decodeRecord(Buffer.from(`\n${armorRecord(record)}`)), record);
  const plain = newRecord({ ...common, deviceId: 'a', profile: 'esp32', now: 5, withCredential: false });
  t.is(plain.epochFloor, chain.server.from);
  t.is(decodeRecord(encodeRecord(plain)).credential, null);
  t.notDeepEqual(plain.seed32, record.seed32);
});

test('a record that is cut, or of something else, is refused', (t) => {
  const bytes = encodeRecord(record);
  for (const at of [0, 1, 2, 50, bytes.length - 1]) {
    t.is(
      codeOf(() => decodeRecord(bytes.slice(0, at))),
      'record_malformed',
      `${at}`,
    );
  }
  const text = armorRecord(record);
  t.is(
    codeOf(() => decodeRecord(Buffer.from(text.slice(0, -20)))),
    'record_malformed',
  );
  const change = (fields: object): Uint8Array => encodeRecord({ ...record, ...fields });
  t.is(
    codeOf(() => decodeRecord(change({ deviceId: 'no such/name' }))),
    'record_malformed',
  );
  t.is(
    codeOf(() => decodeRecord(change({ seed32: new Uint8Array(32) }))),
    'record_malformed',
  );
  t.is(
    codeOf(() => decodeRecord(change({ suite: 2 }))),
    'record_malformed',
  );
  t.is(
    codeOf(() => decodeRecord(change({ epochFloor: chain.server.to + 1 }))),
    'record_malformed',
  );
  t.is(
    codeOf(() => decodeRecord(change({ root: record.server }))),
    'certificate_kind',
  );
});

test('a device starts from what a record puts into its storage', (t) => {
  const storage = memoryStorage();
  const values = deviceValues(record);
  for (const { key, value } of values) storage.set(key, value);
  t.deepEqual(
    values.map(({ key, secret }) => `${key}${secret ? ' secret' : ''}`),
    ['qstp.boot secret', 'qstp.cred secret', 'qstp.clock', 'qstp.use'],
  );
  t.is(boot({ sources: [], storage, seedApproved: true }).boots, 1);
  t.is(createClock({ storage }, 0).floor, record.epochFloor);
  t.deepEqual(readCredential(storage), record.credential);
  t.is(openUseCounter(storage).next, 0);
  const cred = storage.get('qstp.cred')!;
  cred[20]! ^= 1;
  storage.set('qstp.cred', cred);
  t.is(
    codeOf(() => readCredential(storage)),
    'credential_damaged',
  );
  storage.remove('qstp.cred');
  t.is(readCredential(storage), null);
});
