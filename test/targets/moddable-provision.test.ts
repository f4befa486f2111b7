// What provisioning makes for Moddable, read back by the independent reader of the partition's format, and used by the
// bundle's storage.
import test from 'ava';
import { readFileSync } from 'node:fs';
import { draws } from '../random.ts';
import { newChain } from '../session/pair.ts';
import { bankName, partStorage } from '../../src/link/storage-parts.ts';
import { crc32, nvsImage } from '../../targets/node/provision/nvs.ts';
import type { NvsBlob } from '../../targets/node/provision/nvs.ts';
import { NVS_BYTES, provisionModdable } from '../../targets/node/provision/moddable.ts';
import { decodeRecord, deviceValues, newRecord } from '../../targets/node/provision/record.ts';
import { readNvs } from './nvs-reader.ts';
import { codeOf } from '../thrown.ts';

const chain = newChain(2, 'provision');
const record = newRecord({
  deviceId: 'rtu-7',
  profile: 'esp32',
  root: chain.root.bytes,
  server: chain.server.bytes,
  random: chain.random('record'),
  now: chain.now,
  withCredential: true,
});

test('CRC-32', (t) => {
  // The check value of the catalogues of checksums: CRC-32/ISO-HDLC of "123456789".
  t.is(crc32(Buffer.from('123456789'), 0), 0xcbf43926);
  // The same register begun at 0 and inverted in the end.
  t.is(crc32(new Uint8Array(0), 0xffffffff), 0xffffffff);
});

test('an image reads as what was put into it', (t) => {
  const { bytes, below } = draws(t);
  for (let round = 0; round < 20; round++) {
    const blobs: NvsBlob[] = [];
    for (let i = 0; i < 12; i++) {
      const namespace = `space.${below(4)}`;
      blobs.push({
        namespace,
        key: `key.${i}`,
        value: bytes(1 + (below(3) === 0 ? below(5000) : below(100))),
      });
    }
    const found = readNvs(nvsImage(blobs, 0x10000));
    t.deepEqual(
      found,
      Object.fromEntries(blobs.map(({ namespace, key, value }) => [`${namespace}/${key}`, value])),
    );
  }
});

test('the reader notices each bit that is changed in what is written', (t) => {
  const image = nvsImage([{ namespace: 'a', key: 'b', value: new Uint8Array(40).fill(9) }], 0x3000);
  // Header, states, the five entries of one namespace, a chunk of 40 bytes and its index; not the padding FF.
  for (let at = 0; at < 64 + 5 * 32; at++) {
    const bad = new Uint8Array(image);
    bad[at]! ^= 1 << (at % 8);
    t.throws(() => readNvs(bad), { message: /^NVS: / }, `byte ${at}`);
  }
});

test('what does not fit is refused', (t) => {
  const blob = (bytes: number): NvsBlob => ({ namespace: 'a', key: 'b', value: new Uint8Array(bytes) });
  // Of three pages one stays free; each of the others has 126 entries.
  t.is(
    codeOf(() => nvsImage([blob((125 + 123) * 32)], 0x3000)),
    'nothing thrown',
  );
  t.is(
    codeOf(() => nvsImage([blob((125 + 123) * 32 + 1)], 0x3000)),
    'storage_full',
  );
  t.is(
    codeOf(() => nvsImage([blob(1)], 0x2000)),
    'storage_full',
  );
  t.is(
    codeOf(() => nvsImage([blob(1)], 0x3001)),
    'storage_full',
  );
  t.is(
    codeOf(() => nvsImage([{ ...blob(1), key: 'sixteen.letters.' }], 0x3000)),
    'storage_key',
  );
  t.is(
    codeOf(() => nvsImage([{ ...blob(1), namespace: '' }], 0x3000)),
    'storage_key',
  );
});

test('a device finds what it was provisioned with', (t) => {
  const { files, next } = provisionModdable(record);
  const file = (name: string): Uint8Array => files.find((f) => f.name === name)!.bytes as Uint8Array;
  t.is(file('nvs.bin').length, NVS_BYTES);
  const blobs = readNvs(file('nvs.bin'));
  const storage = partStorage({
    read: (bank, part, key) => blobs[`${bankName('qstp', bank, part)}/${key}`]?.slice() ?? null,
    write: () => t.fail(),
    erase: () => t.fail(),
  });
  const values = deviceValues(record);
  t.is(Object.keys(blobs).length, values.length);
  for (const { key, value } of values) t.deepEqual(storage.get(key), value, key);
  t.deepEqual(file('root.qrr'), chain.root.bytes);
  t.deepEqual(file('server.qrc'), chain.server.bytes);
  t.deepEqual(decodeRecord(file('device.cbor')), record);
  t.deepEqual(
    files.filter((f) => f.secret).map((f) => f.name),
    ['nvs.bin', 'device.cbor'],
  );
  t.regex(next[2]!, /^esptool.py write_flash 0x9000 OUT\/nvs.bin$/);
  for (const name of ['root.qrr', 'server.qrc']) {
    t.false(Buffer.from(file(name)).includes(Buffer.from(record.seed32)), name);
  }
});

/** What the application that `provisionModdable` writes for a board does, over preferences of 63 bytes. */
function runWriter(source: string): { kept: Record<string, Uint8Array>; said: string } {
  const kept: Record<string, Uint8Array> = {};
  let said = '';
  const Preference = {
    set(domain: string, key: string, value: ArrayBuffer) {
      if (value.byteLength > 63) throw new Error('nvs set fail');
      kept[`${domain}/${key}`] = new Uint8Array(value.slice(0));
    },
    get: (domain: string, key: string) => kept[`${domain}/${key}`]!.slice().buffer,
  };
  const body = source.replace('import Preference from "preference";', '');
  const main = new Function('Preference', 'trace', body) as (p: typeof Preference, trace: unknown) => void;
  main(Preference, (text: string) => void (said += text));
  return { kept, said };
}

test('a board without an NVS partition is provisioned by an application', (t) => {
  const options = { platform: 'esp', valueBytes: 63 };
  const { files, next } = provisionModdable({ ...record, profile: 'esp8266-class' }, options);
  const main = files.find((f) => f.name === 'main.js')!;
  t.true(main.secret);
  const { kept, said } = runWriter(main.bytes as string);
  t.is(said, 'provisioned\n');
  const storage = partStorage(
    {
      read: (bank, part, key) => kept[`${bankName('qstp', bank, part)}/${key}`]?.slice() ?? null,
      write: () => t.fail(),
      erase: () => t.fail(),
    },
    63,
  );
  for (const { key, value } of deviceValues(record)) t.deepEqual(storage.get(key), value, key);
  t.deepEqual(
    next.map((line) => line.split(' -p ')[0]),
    ['qstp build --profile esp8266-class', 'mcconfig -d -m', 'mcconfig -d -m'],
  );
  t.regex(next[1]!, /-p esp OUT\/manifest\.json$/);
  t.is(
    codeOf(() => provisionModdable(record, { ...options, nvsAt: 0x9000 })),
    'invalid_input',
  );
});

test('the commands name the board', (t) => {
  const { next } = provisionModdable(record, { platform: 'esp32/esp32s3' });
  t.regex(next[1]!, /^mcconfig -d -m -p esp32\/esp32s3 /);
  t.regex(next[2]!, /^esptool.py write_flash 0x9000 /);
});

test("the example's memory is its profile's", (t) => {
  const json = (file: string): Record<string, { creation?: unknown }> =>
    JSON.parse(readFileSync(file, 'utf8')) as Record<string, { creation?: unknown }>;
  t.deepEqual(
    json('examples/moddable-sensor/manifest.json')['creation'],
    json('firmware-profiles/esp32.json')['engine']!.creation as object,
  );
});
