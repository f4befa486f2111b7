// A storage that forgets: for tests, and for devices that have none.

import { QstpError } from '../error.ts';
import type { Storage } from '../platform.ts';

/** Throws `storage_key` unless a key has 1 to 15 characters of [a-z0-9.]: what every storage can name. */
export function checkStorageKey(key: string): void {
  let good = key.length >= 1 && key.length <= 15;
  for (let i = 0; i < key.length; i++) {
    const c = key.charCodeAt(i);
    if (!((c >= 97 && c <= 122) || (c >= 48 && c <= 57) || c === 46)) good = false;
  }
  if (!good) {
    throw new QstpError('storage_key', `"${key}" is no storage key: 1 to 15 characters of a-z, 0-9 and "."`);
  }
}

export function memoryStorage(): Storage {
  const values: Record<string, Uint8Array | undefined> = Object.create(null) as Record<
    string,
    Uint8Array | undefined
  >;
  return {
    get(key) {
      checkStorageKey(key);
      const value = values[key];
      return value === undefined ? null : new Uint8Array(value);
    },
    set(key, value) {
      checkStorageKey(key);
      values[key] = new Uint8Array(value);
    },
    remove(key) {
      checkStorageKey(key);
      delete values[key];
    },
  };
}
