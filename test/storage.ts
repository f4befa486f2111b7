// A storage for tests whose power can be cut at any of its operations.
import type { Storage } from '../src/platform.ts';
import { memoryStorage } from '../src/link/storage-memory.ts';

export interface TestStorage extends Storage {
  /** Writes and removals that took place. */
  writes: number;
  /** Cut the power at this write or removal, counted from 0 and from now on. Null: never. */
  cutAt: number | null;
  /** True: the write that is cut has taken place. False: it has not. */
  cutAfter: boolean;
  /** What is there, to go back to. */
  snapshot(): Record<string, Uint8Array>;
  restore(snapshot: Record<string, Uint8Array>): void;
}

export class PowerCut extends Error {}

export function testStorage(): TestStorage {
  let inner = memoryStorage();
  const keys = new Set<string>();
  const cut = (act: () => void): void => {
    if (storage.cutAt !== null && storage.cutAt-- === 0) {
      storage.cutAt = null;
      if (storage.cutAfter) act();
      throw new PowerCut('the power was cut');
    }
    storage.writes++;
    act();
  };
  const storage: TestStorage = {
    writes: 0,
    cutAt: null,
    cutAfter: false,
    get: (key) => inner.get(key),
    set: (key, value) =>
      cut(() => {
        keys.add(key);
        inner.set(key, value);
      }),
    remove: (key) => cut(() => inner.remove(key)),
    snapshot() {
      const all: Record<string, Uint8Array> = {};
      for (const key of keys) {
        const value = inner.get(key);
        if (value !== null) all[key] = value;
      }
      return all;
    },
    restore(snapshot) {
      inner = memoryStorage();
      for (const [key, value] of Object.entries(snapshot)) inner.set(key, value);
    },
  };
  return storage;
}
