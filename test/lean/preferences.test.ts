// Values of a small device in preferences that take few bytes each, and lose a value that is being replaced.
import test from 'ava';
import { filesIn } from '../../src/lean/preferences.ts';
import type { Preferences } from '../../src/lean/preferences.ts';
import { partStorage } from '../../src/link/storage-parts.ts';

const PART_BYTES = 63;
/** What eight parts have room for. */
const MOST = 8 * PART_BYTES - 8;

/** Preferences as ESP8266 has them; `left` writes and deletions, then the power is gone. */
class Flash implements Preferences {
  readonly values = new Map<string, ArrayBuffer>();
  left = Infinity;

  private use(): void {
    if (this.left-- <= 0) throw new Error('no power');
  }

  get(domain: string, key: string): ArrayBuffer | undefined {
    return this.values.get(`${domain}/${key}`)?.slice(0);
  }

  set(domain: string, key: string, value: ArrayBuffer): void {
    if (value.byteLength > PART_BYTES) throw new Error('too long');
    this.delete(domain, key);
    this.use();
    this.values.set(`${domain}/${key}`, value.slice(0));
  }

  delete(domain: string, key: string): void {
    if (!this.values.has(`${domain}/${key}`)) return;
    this.use();
    this.values.delete(`${domain}/${key}`);
  }
}

const bytes = (length: number, from: number): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => (i * 7 + from) & 255);

test('values of any length come back, and one that is too long leaves what was there', (t) => {
  const flash = new Flash();
  const files = filesIn(flash, 'qstp', PART_BYTES);
  t.is(files.load('qstp.cred'), null);
  for (const length of [1, 54, 55, 56, 120, 229, MOST, 3]) {
    t.true(files.save('qstp.cred', bytes(length, length)));
    t.deepEqual(files.load('qstp.cred'), bytes(length, length));
  }
  t.false(files.save('qstp.cred', bytes(MOST + 1, 0)));
  t.deepEqual(files.load('qstp.cred'), bytes(3, 3));
});

test('they lie there as the link has them', (t) => {
  const flash = new Flash();
  const files = filesIn(flash, 'qstp', PART_BYTES);
  const link = partStorage(
    {
      read(bank, part, key) {
        const value = flash.get(`qstp.${'ab'[bank]!}${part === 0 ? '' : part}`, key);
        return value === undefined ? null : new Uint8Array(value);
      },
      write: (bank, part, key, value) =>
        flash.set(`qstp.${'ab'[bank]!}${part === 0 ? '' : part}`, key, new Uint8Array(value).buffer),
      erase: (bank, part, key) => flash.delete(`qstp.${'ab'[bank]!}${part === 0 ? '' : part}`, key),
    },
    PART_BYTES,
  );
  for (const length of [20, 200, 100]) {
    t.true(files.save('a', bytes(length, 1)));
    t.deepEqual(link.get('a'), bytes(length, 1));
    link.set('a', bytes(length + 1, 2));
    t.deepEqual(files.load('a'), bytes(length + 1, 2));
  }
});

test('a cut at any write leaves the old value or the new one, and the next is kept', (t) => {
  const sizes = [200, 40, 130, 30, 400];
  for (let from = 0; from + 1 < sizes.length; from++) {
    const [before, after] = [bytes(sizes[from]!, 5), bytes(sizes[from + 1]!, 9)];
    let whole = false;
    for (let cut = 0; !whole; cut++) {
      const flash = new Flash();
      const files = filesIn(flash, 'qstp', PART_BYTES);
      t.true(files.save('v', before));
      flash.left = cut;
      whole = files.save('v', after) && flash.left > 0;
      flash.left = Infinity;
      const found = filesIn(flash, 'qstp', PART_BYTES).load('v');
      t.true(found?.join() === before.join() || found?.join() === after.join(), `cut after ${cut}`);
      t.true(files.save('v', before));
      t.deepEqual(files.load('v'), before);
      t.true(cut < 50);
    }
  }
});

test('damaged parts, of either bank, are not there', (t) => {
  const flash = new Flash();
  const files = filesIn(flash, 'qstp', PART_BYTES);
  files.save('v', bytes(150, 1));
  for (const name of [...flash.values.keys()]) {
    const kept = flash.values.get(name)!;
    for (let at = 0; at < kept.byteLength; at++) {
      const copy = new Uint8Array(kept.slice(0));
      copy[at]! ^= 0x11;
      flash.values.set(name, copy.buffer);
      t.is(files.load('v'), null);
    }
    flash.values.set(name, new ArrayBuffer(0));
    t.is(files.load('v'), null);
    flash.values.delete(name);
    t.is(files.load('v'), null);
    flash.values.set(name, kept);
  }
  t.deepEqual(files.load('v'), bytes(150, 1));
});
