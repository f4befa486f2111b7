// The values of a lean device in Moddable's preferences, which delete a value before they replace it: so each lies in one of
// two domains in turn, in the format of src/link/storage-parts.ts, one part only.

import Preference from 'preference';
import { packStored, unpackStored } from '../../src/lean/stored.ts';
import type { Files } from '../../src/lean/types.ts';

const PARTS_KIND = 9;
/** In a value's body: its number, and how many parts it has. */
const HEAD_BYTES = 2;
/** NVS takes values of 4,000. */
const VALUE_BYTES = 3892;

/** The values in the preferences called `name`: at most 12 characters. */
export function preferenceFiles(name: string): Files {
  const banks = [name + '.a', name + '.b'];
  const find = (bank: number, key: string): Uint8Array | null => {
    const value = Preference.get(banks[bank]!, key);
    const body = value instanceof ArrayBuffer ? unpackStored(PARTS_KIND, new Uint8Array(value)) : null;
    return body !== null && body[1] === 1 ? body : null;
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
      body[0] = before === null ? 0 : before[0]! + 1;
      body[1] = 1;
      body.set(value, HEAD_BYTES);
      try {
        if (value.length > VALUE_BYTES) return false;
        Preference.set(banks[1 - bank]!, key, packStored(PARTS_KIND, body).buffer as ArrayBuffer);
        if (before !== null) Preference.delete(banks[bank]!, key);
        return true;
      } catch {
        return false;
      }
    },
  };
}
