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

/** The parts of a bank's value behind each other; null if they are not all there. */
function gather(store: PartStore, bank: number, key: string): Uint8Array | null {
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
  for (let i = 0; i < parts.length; i++) wipe(parts[i]!);
  return whole;
}

function find(store: PartStore, bank: number, key: string): Found | null {
  const whole = gather(store, bank, key);
  if (whole === null) return null;
  const body = unpackStored(Stored.parts, VERSION, whole, -1);
  wipe(whole);
  if (body === null) return null;
  const value = copyOf(body, HEAD_BYTES);
  const number = body[NUMBER_AT - HEAD_BYTES]!;
  wipe(body);
  return { number, value };
}

function isLater(a: Found, b: Found): boolean {
  return ((a.number - b.number) & 0xff) < 128;
}

/** The bank that holds the value, -1 if neither does, and the value, which is the caller's to wipe. */
interface Current {
  readonly bank: number;
  readonly found: Found | null;
}

function bankOf(a: Found | null, b: Found | null): number {
  if (b === null) return a === null ? -1 : 0;
  return a === null || isLater(b, a) ? 1 : 0;
}

/** Of what both banks hold: the later one. The other is wiped. */
function later(a: Found | null, b: Found | null): Current {
  const bank = bankOf(a, b);
  const other = bank === 1 ? a : b;
  if (other !== null) wipe(other.value);
  return { bank, found: bank === 1 ? b : a };
}

function current(store: PartStore, key: string): Current {
  const first = find(store, 0, key);
  return later(first, find(store, 1, key));
}

/** First part first: without it the rest is nothing. */
function eraseBank(store: PartStore, bank: number, key: string): void {
  if (store.read(bank, 0, key) !== null) store.erase(bank, 0, key);
  for (let i = 1; i < PARTS_MAX && store.read(bank, i, key) !== null; i++) store.erase(bank, i, key);
}

/** The number of the value that comes next; the one that is there is wiped. */
function nextNumber({ found }: Current): number {
  if (found === null) return 0;
  wipe(found.value);
  return (found.number + 1) & 0xff;
}

/** The last part first, the first one last. */
function writeParts(store: PartStore, bank: number, key: string, parts: readonly Uint8Array[]): void {
  for (let i = parts.length - 1; i >= 0; i--) {
    store.write(bank, i, key, parts[i]!);
    wipe(parts[i]!);
  }
}

// A class, and short functions: a device's memory and its stack are small.
class PartStorage implements Storage {
  private readonly store: PartStore;
  private readonly partBytes: number;

  constructor(store: PartStore, partBytes: number) {
    this.store = store;
    this.partBytes = partBytes;
  }

  get(key: string): Uint8Array | null {
    checkStorageKey(key);
    const { found } = current(this.store, key);
    return found === null ? null : found.value;
  }

  set(key: string, value: Uint8Array): void {
    checkStorageKey(key);
    const there = current(this.store, key);
    const to = there.bank === 0 ? 1 : 0;
    writeParts(this.store, to, key, splitValue(value, nextNumber(there), this.partBytes));
    eraseBank(this.store, 1 - to, key);
  }

  remove(key: string): void {
    checkStorageKey(key);
    const { bank, found } = current(this.store, key);
    if (found !== null) wipe(found.value);
    // The older one first: removed means that it does not come back.
    eraseBank(this.store, bank === 0 ? 1 : 0, key);
    eraseBank(this.store, bank === 0 ? 0 : 1, key);
  }
}

/** A storage over such a store, whose values have `partBytes` at the most. */
export function partStorage(store: PartStore, partBytes: number = PART_BYTES): Storage {
  return new PartStorage(store, partBytes);
}
