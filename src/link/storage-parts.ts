// A whole and durable value over a store that limits the size of what it takes and may lose a value that is being
// replaced. Each value is written to the one of two banks that does not hold it, in parts, the first part last:
// it carries the number that makes the new bank the current one. A cut at any moment leaves the old value or
// the new one, and a value whose parts are damaged counts as not there.
//
//   kind u8 | version u8 | number u8 | parts u8 | data | first 4 bytes of SHA3-256          cut into parts

import { QstpError } from '../error.ts';
import { concat, copyOf, wipe } from '../bytes.ts';
import { packStored, Stored, unpackStored } from '../session/stored.ts';
import type { Storage } from '../platform.ts';
import { checkStorageKey } from './storage-memory.ts';

/** Bytes of one part, unless the store takes less: NVS takes values of 4,000. */
export const PART_BYTES = 3900;
const PARTS_MAX = 8;
const VERSION = 1;
/** Of the number and the parts, in the stored value. */
const NUMBER_AT = 2;
const COUNT_AT = 3;
const HEAD_BYTES = 2;
const AROUND_BYTES = 8;

/** What a store with names for groups of values calls a part of a bank: `qstp.a`, `qstp.b1`. */
export function bankName(name: string, bank: number, part: number): string {
  return name + (bank === 0 ? '.a' : '.b') + (part === 0 ? '' : part);
}

/** A store of small values in two banks; `part` counts from 0. What throws has failed. */
export interface PartStore {
  read(bank: number, part: number, key: string): Uint8Array | null;
  write(bank: number, part: number, key: string, value: Uint8Array): void;
  erase(bank: number, part: number, key: string): void;
}

interface Found {
  readonly number: number;
  readonly parts: number;
  readonly value: Uint8Array;
}

/** The parts of a value, `partBytes` at the most each. Throws `storage_full` for one that needs more than 8. */
export function splitValue(value: Uint8Array, number: number, partBytes: number = PART_BYTES): Uint8Array[] {
  const count = Math.ceil((value.length + AROUND_BYTES) / partBytes);
  if (count > PARTS_MAX) {
    const most = PARTS_MAX * partBytes - AROUND_BYTES;
    throw new QstpError('storage_full', `a value of ${value.length} bytes: this storage takes ${most}`);
  }
  const body = concat([new Uint8Array([number, count]), value]);
  const whole = packStored(Stored.parts, VERSION, body);
  wipe(body);
  const parts: Uint8Array[] = [];
  for (let at = 0; at < whole.length; at += partBytes) {
    parts.push(copyOf(whole, at, at + partBytes < whole.length ? at + partBytes : whole.length));
  }
  if (count > 1) wipe(whole);
  return parts;
}

function find(store: PartStore, bank: number, key: string): Found | null {
  const first = store.read(bank, 0, key);
  if (first === null || first.length < AROUND_BYTES) return null;
  const count = first[COUNT_AT]!;
  if (count < 1 || count > PARTS_MAX) return null;
  const parts = [first];
  for (let i = 1; i < count; i++) {
    const part = store.read(bank, i, key);
    if (part === null) return null;
    parts.push(part);
  }
  const whole = concat(parts);
  const body = unpackStored(Stored.parts, VERSION, whole, -1);
  for (const part of parts) wipe(part);
  wipe(whole);
  if (body === null) return null;
  const value = copyOf(body, HEAD_BYTES);
  const number = body[NUMBER_AT - HEAD_BYTES]!;
  wipe(body);
  return { number, parts: count, value };
}

function isLater(a: Found, b: Found): boolean {
  return ((a.number - b.number) & 0xff) < 128;
}

/** Which bank holds the value, and what the other holds; -1 if neither does. */
function current(store: PartStore, key: string): { bank: number; found: (Found | null)[] } {
  const found = [find(store, 0, key), find(store, 1, key)];
  const [a, b] = found;
  if (a === null && b === null) return { bank: -1, found };
  if (a === null) return { bank: 1, found };
  if (b === null) return { bank: 0, found };
  return { bank: isLater(b!, a!) ? 1 : 0, found };
}

/** First part first: without it the rest is nothing. */
function eraseBank(store: PartStore, bank: number, key: string): void {
  if (store.read(bank, 0, key) !== null) store.erase(bank, 0, key);
  for (let i = 1; i < PARTS_MAX && store.read(bank, i, key) !== null; i++) store.erase(bank, i, key);
}

/** A storage over such a store, whose values have `partBytes` at the most. */
export function partStorage(store: PartStore, partBytes: number = PART_BYTES): Storage {
  return {
    get(key) {
      checkStorageKey(key);
      const { bank, found } = current(store, key);
      const other = bank === -1 ? null : found[1 - bank]!;
      if (other !== null) wipe(other.value);
      return bank === -1 ? null : found[bank]!.value;
    },
    set(key, value) {
      checkStorageKey(key);
      const { bank, found } = current(store, key);
      const number = bank === -1 ? 0 : (found[bank]!.number + 1) & 0xff;
      for (const each of found) if (each !== null) wipe(each.value);
      const to = bank === 0 ? 1 : 0;
      const parts = splitValue(value, number, partBytes);
      for (let i = parts.length - 1; i >= 0; i--) {
        store.write(to, i, key, parts[i]!);
        wipe(parts[i]!);
      }
      eraseBank(store, 1 - to, key);
    },
    remove(key) {
      checkStorageKey(key);
      const { bank } = current(store, key);
      // The older one first: removed means that it does not come back.
      eraseBank(store, bank === 0 ? 1 : 0, key);
      eraseBank(store, bank === 0 ? 0 : 1, key);
    },
  };
}
