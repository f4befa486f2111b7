// A client's storage in a Deno.Kv. A KV answers later, a Storage at once: so all values are read when it is opened,
// and what is set is in memory at once and in the KV soon after, in the order it was set, what was set in one go
// together. `flush` waits for it. A process that ends before that leaves an earlier state, whole: tickets that were
// used come back, are refused by the server and cost a round trip; what was heard of trust is heard again.
//
// A count that must never go back cannot be kept this way, so the use counter of a provisioned credential is refused.
//
// Of several that open the same prefix, the last one writes: opening writes PREFIX, "owner", and each write of
// the others fails on it.
//
//   PREFIX, "owner"       ->  16 random bytes
//   PREFIX, "value", key  ->  value

import { QstpError } from '../../src/error.ts';
import { copyOf } from '../../src/bytes.ts';
import { checkStorageKey } from '../../src/link/storage-memory.ts';
import { Stored } from '../../src/session/stored.ts';
import type { Storage } from '../../src/platform.ts';
import { bytesOf } from './kv.ts';
import type { KeyValue, KvKey } from './kv.ts';
import { denoRandom } from './platform.ts';

/** A KV takes values of 65,536 bytes, of which its own encoding is a part. */
const VALUE_BYTES_MAX = 65000;
const OWNER_BYTES = 16;

export interface KvStorageOptions {
  /** The beginning of all its keys: one for each client. Default `qstp`, `client`. */
  readonly prefix?: KvKey;
  /** Told in one line of writes that fail. They are tried again with the next change, and by `flush`. */
  readonly report?: (line: string) => void;
}

/** A storage whose values are durable after `flush`, rather than when `set` returns. Disposing of it flushes. */
export interface KvStorage extends Storage, AsyncDisposable {
  /**
   * Resolves when all that was set and removed is in the KV. Rejects with `storage_failed`; with `storage_taken` if
   * another has opened it since, for good.
   */
  flush(): Promise<void>;
}

function taken(): QstpError {
  return new QstpError(
    'storage_taken',
    'another process has opened this storage since: only the last one writes',
  );
}

/** Opens the storage and reads what is there. Rejects with `storage_failed`. */
export async function openKvStorage(kv: KeyValue, options: KvStorageOptions = {}): Promise<KvStorage> {
  const prefix = options.prefix ?? ['qstp', 'client'];
  const ownerKey = [...prefix, 'owner'];
  const keyOf = (key: string): KvKey => [...prefix, 'value', key];
  const values = new Map<string, Uint8Array>();
  /** What is not in the KV yet; null: removed. */
  let pending = new Map<string, Uint8Array | null>();
  let writing: Promise<void> | null = null;
  let lost = false;
  let versionstamp: string | null = null;

  try {
    const owner = new Uint8Array(OWNER_BYTES);
    denoRandom(owner);
    // Before the values are read: whoever was here before changes none of them any more.
    versionstamp = (await kv.atomic().set(ownerKey, owner).commit()).versionstamp ?? null;
    for await (const entry of kv.list({ prefix: [...prefix, 'value'] })) {
      const value = bytesOf(entry);
      if (value !== null) values.set(String(entry.key[entry.key.length - 1]), value);
    }
  } catch (error) {
    throw new QstpError('storage_failed', `cannot open the storage: ${(error as Error).message}`);
  }

  const writeBatch = async (batch: ReadonlyMap<string, Uint8Array | null>): Promise<void> => {
    const changes = kv.atomic().check({ key: ownerKey, versionstamp });
    for (const [key, value] of batch) {
      if (value === null) changes.delete(keyOf(key));
      else changes.set(keyOf(key), value);
    }
    lost = !(await changes.commit()).ok;
    if (lost) throw taken();
  };

  const write = async (): Promise<void> => {
    try {
      while (pending.size > 0) {
        const batch = pending;
        pending = new Map();
        try {
          await writeBatch(batch);
        } catch (error) {
          // What was set meanwhile is newer.
          pending = new Map([...batch, ...pending]);
          if (error instanceof QstpError) throw error;
          throw new QstpError('storage_failed', `cannot write to the KV: ${(error as Error).message}`);
        }
      }
    } finally {
      writing = null;
    }
  };

  /** Begins to write after this turn, so that what is set in one go is written in one. */
  const begin = (): Promise<void> => {
    if (writing === null) {
      writing = Promise.resolve().then(write);
      writing.catch((error: Error) => options.report?.(`storage: ${error.message}`));
    }
    return writing;
  };

  const change = (key: string, value: Uint8Array | null): void => {
    checkStorageKey(key);
    if (lost) throw taken();
    if (value === null) values.delete(key);
    else values.set(key, value);
    pending.set(key, value);
    void begin();
  };

  const flush = async (): Promise<void> => {
    if (lost) throw taken();
    await begin();
  };

  return {
    get(key) {
      checkStorageKey(key);
      const value = values.get(key);
      return value === undefined ? null : copyOf(value);
    },
    set(key, value) {
      if (value[0] === Stored.useCounter) {
        throw new QstpError(
          'storage_late',
          'a use counter must be durable at once, which a KV is not: keep the credential on a device or a Node client',
        );
      }
      if (value.length > VALUE_BYTES_MAX) {
        throw new QstpError(
          'storage_full',
          `a value of ${value.length} bytes: a KV takes ${VALUE_BYTES_MAX}`,
        );
      }
      change(key, copyOf(value));
    },
    remove: (key) => change(key, null),
    flush,
    [Symbol.asyncDispose]: flush,
  };
}
