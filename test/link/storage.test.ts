// A platform's storage: one suite over memory and files.
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { memoryStorage } from '../../src/link/storage-memory.ts';
import { Stored } from '../../src/session/stored.ts';
import type { Storage } from '../../src/platform.ts';
import { fileStorage } from '../../targets/node/storage.ts';

function folder(t: ExecutionContext): string {
  const made = mkdtempSync(path.join(tmpdir(), 'qstp-storage-'));
  t.teardown(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

const kinds: [name: string, make: (t: ExecutionContext) => Storage][] = [
  ['memory', () => memoryStorage()],
  ['files', (t) => fileStorage(path.join(folder(t), 'deep/state'))],
];
for (const [name, make] of kinds) {
  test(`${name}: values come back as they were set, and are the caller's own`, (t) => {
    const storage = make(t);
    t.is(storage.get('a'), null);
    t.notThrows(() => storage.remove('a'));
    for (const length of [0, 1, 250, 4000]) {
      const value = new Uint8Array(length).fill(length);
      storage.set('a', value);
      if (length > 0) value[0] = 99;
      const got = storage.get('a')!;
      t.deepEqual(got, new Uint8Array(length).fill(length));
      got.fill(7);
      t.deepEqual(storage.get('a'), new Uint8Array(length).fill(length));
    }
    storage.set('b', Uint8Array.of(1));
    storage.remove('a');
    t.deepEqual([storage.get('a'), storage.get('b')], [null, Uint8Array.of(1)]);
  });

  test(`${name}: keys are 1 to 15 characters of a-z, 0-9 and "."`, (t) => {
    const storage = make(t);
    for (const key of ['x', 'qstp.boot', '..', '.', 'con', '0123456789abcde', '__proto__'.slice(2, 7)]) {
      storage.set(key, Uint8Array.of(key.length));
      t.deepEqual(storage.get(key), Uint8Array.of(key.length));
    }
    for (const key of ['', 'A', 'a/b', '../x', 'a b', '0123456789abcdef', 'é', '__proto__', 'a\0']) {
      t.throws(() => storage.set(key, new Uint8Array(1)), { code: 'storage_key' });
      t.throws(() => storage.get(key), { code: 'storage_key' });
      t.throws(() => storage.remove(key), { code: 'storage_key' });
    }
  });
}

test('files: private, whole, there after a restart; what fails says so', (t) => {
  const place = folder(t);
  const storage = fileStorage(place);
  storage.set('qstp.boot', Uint8Array.of(1, 2));
  t.deepEqual(readdirSync(place), ['_qstp.boot']);
  t.is(statSync(path.join(place, '_qstp.boot')).mode & 0o077, 0);
  t.deepEqual(fileStorage(place).get('qstp.boot'), Uint8Array.of(1, 2));
  // A draft that a cut left is not a value, and in nobody's way.
  writeFileSync(path.join(place, `_qstp.boot.${process.pid}.tmp`), 'half');
  storage.set('qstp.boot', Uint8Array.of(3));
  t.deepEqual(storage.get('qstp.boot'), Uint8Array.of(3));
  rmSync(place, { recursive: true });
  t.is(storage.get('qstp.boot'), null);
  t.throws(() => storage.set('qstp.boot', Uint8Array.of(4)), { code: 'storage_failed' });
  writeFileSync(place, 'a file');
  t.throws(() => fileStorage(place), {
    code: 'storage_failed',
    message: /is a file, or lies in one: name a folder/,
  });
  t.throws(() => storage.get('x'), { code: 'storage_failed' });
  chmodSync(place, 0o600);
});

test('every kind of stored value has a number of its own', (t) => {
  const kinds = Object.values(Stored);
  t.is(new Set(kinds).size, kinds.length);
});
