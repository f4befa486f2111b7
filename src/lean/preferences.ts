// The values of a lean device in Moddable's preferences, which delete a value before they replace it: so each lies in one of
// two domains in turn, in the format of src/link/storage-parts.ts. On NVS a value is one part; where values are small it
// has several, the first of them written last and erased first.

import { WITH_PARTS } from '../features.ts';
import { packStored, unpackStored } from './stored.ts';
import type { Files } from './types.ts';

/** Moddable's `Preference`: what throws has failed. */
export interface Preferences {
  get(domain: string, key: string): unknown;
  set(domain: string, key: string, value: ArrayBuffer): void;
  delete(domain: string, key: string): void;
}

const PARTS_KIND = 9;
/** In a value's body: its number, and how many parts it has. */
const HEAD_BYTES = 2;
/** What is around a body: kind, version, checksum. */
const AROUND_BYTES = 6;
const PARTS_MAX = 8;

function read(preferences: Preferences, domain: string, key: string): Uint8Array | null {
  const value = preferences.get(domain, key);
  return value instanceof ArrayBuffer ? new Uint8Array(value) : null;
}

/** The domain of a part: `qstp.a`, `qstp.a1`. */
function domainOf(bank: string, index: number): string {
  return index === 0 ? bank : bank + index;
}

/** A value's parts as one. Null if one is missing. */
function readParts(preferences: Preferences, bank: string, key: string): Uint8Array | null {
  const first = read(preferences, bank, key);
  if (first === null || first.length <= AROUND_BYTES || first[3]! > PARTS_MAX) return null;
  const count = first[3]!;
  let whole = first;
  for (let i = 1; i < count; i++) {
    const next = read(preferences, domainOf(bank, i), key);
    if (next === null) return null;
    const longer = new Uint8Array(whole.length + next.length);
    longer.set(whole);
    longer.set(next, whole.length);
    // Secrets are in one place.
    whole.fill(0);
    next.fill(0);
    whole = longer;
  }
  return whole;
}

function writeParts(
  preferences: Preferences,
  bank: string,
  key: string,
  value: Uint8Array,
  size: number,
): void {
  for (let i = Math.ceil(value.length / size) - 1; i >= 0; i--) {
    const end = size * (i + 1) < value.length ? size * (i + 1) : value.length;
    // The preference keeps a whole array buffer.
    preferences.set(domainOf(bank, i), key, value.slice(size * i, end).buffer as ArrayBuffer);
  }
}

function eraseParts(preferences: Preferences, bank: string, key: string): void {
  for (let i = 0; i < PARTS_MAX && read(preferences, domainOf(bank, i), key) !== null; i++) {
    preferences.delete(domainOf(bank, i), key);
  }
}

/** The values in the preferences called `name`, at most 12 characters, in parts of `partBytes` at the most. */
export function filesIn(preferences: Preferences, name: string, partBytes: number): Files {
  const banks = [name + '.a', name + '.b'];
  const find = (bank: number, key: string): Uint8Array | null => {
    const value = WITH_PARTS
      ? readParts(preferences, banks[bank]!, key)
      : read(preferences, banks[bank]!, key);
    const body = value !== null ? unpackStored(PARTS_KIND, value) : null;
    return body !== null && (WITH_PARTS || body[1] === 1) ? body : null;
  };
  /** The bank that holds a value, the other if neither does, and what it holds. */
  const current = (key: string): [bank: number, body: Uint8Array | null] => {
    const [a, b] = [find(0, key), find(1, key)];
    return a !== null && (b === null || ((b[0]! - a[0]!) & 255) >= 128) ? [0, a] : [1, b];
  };
  return {
    load(key) {
      const body = current(key)[1];
      return body === null ? null : body.subarray(HEAD_BYTES);
    },
    save(key, value) {
      const [bank, before] = current(key);
      const body = new Uint8Array(HEAD_BYTES + value.length);
      const parts = WITH_PARTS ? Math.ceil((body.length + AROUND_BYTES) / partBytes) : 1;
      body[0] = before === null ? 0 : before[0]! + 1;
      body[1] = parts;
      body.set(value, HEAD_BYTES);
      try {
        if (WITH_PARTS ? parts > PARTS_MAX : body.length > partBytes - AROUND_BYTES) return false;
        const packed = packStored(PARTS_KIND, body);
        if (WITH_PARTS) writeParts(preferences, banks[1 - bank]!, key, packed, partBytes);
        else preferences.set(banks[1 - bank]!, key, packed.buffer as ArrayBuffer);
        if (before !== null) {
          if (WITH_PARTS) eraseParts(preferences, banks[bank]!, key);
          else preferences.delete(banks[bank]!, key);
        }
        return true;
      } catch {
        return false;
      }
    },
  };
}
