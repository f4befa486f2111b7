// A ticket store in a Deno.Kv, which all isolates of a service share. A row is taken by a removal that is conditional
// on the version that was read: of all who try, one is answered that it was done.
//
//   PREFIX, id[16]  ->  expiry u64 | owner[8] | sealed[160]

import { concat, equal, getTime, putTime, toHex } from '../../src/bytes.ts';
import {
  createTickets,
  rowsToEvict,
  TICKET_OWNER_BYTES,
  TICKET_SEALED_BYTES,
  TICKETS_MAX,
} from '../../src/link/ticket-store.ts';
import type { TicketRow, Tickets, TicketStore } from '../../src/link/ticket-store.ts';
import { TICKET_ID_BYTES } from '../../src/link/wallet.ts';
import { bytesOf } from './kv.ts';
import type { KeyValue, KvEntry, KvKey } from './kv.ts';
import { denoClock, denoRandom, denoTimer } from './platform.ts';

const OWNER_AT = 8;
const SEALED_AT = OWNER_AT + TICKET_OWNER_BYTES;
const TRIES = 5;
/** Between two tries, milliseconds: this, and up to as much again. */
const AGAIN_MS = 10;
/** How long after its expiry the KV may drop a row by itself, milliseconds: for clocks that differ. */
const GRACE_MS = 3600000;
/** The longest time after which the KV is asked to drop a row, milliseconds: ten years. */
const EXPIRE_MS = 315360000000;

export interface KvTicketOptions {
  /** The beginning of all its keys. Default `qstp`, `tickets`. */
  readonly prefix?: KvKey;
  /**
   * Rows kept, about: each server looks for room once in a sixteenth of it, so that several may exceed it by a
   * sixteenth each. Default 10,000.
   */
  readonly max?: number;
  /** Told in one line of operations that fail. */
  readonly report?: (line: string) => void;
}

function encode(row: TicketRow): Uint8Array {
  const expiry = new Uint8Array(OWNER_AT);
  putTime(expiry, 0, row.expiry);
  return concat([expiry, row.owner, row.sealed]);
}

function decode(entry: KvEntry): TicketRow | null {
  const id = entry.key[entry.key.length - 1];
  const bytes = bytesOf(entry);
  if (!(id instanceof Uint8Array) || id.length !== TICKET_ID_BYTES) return null;
  if (bytes === null || bytes.length !== SEALED_AT + TICKET_SEALED_BYTES) return null;
  return {
    id,
    expiry: getTime(bytes, 0),
    owner: bytes.slice(OWNER_AT, SEALED_AT),
    sealed: bytes.slice(SEALED_AT),
  };
}

/** The store. Its operations call back later; one that fails is reported, and answers as a refusal does. */
export function kvTicketStore(kv: KeyValue, options: KvTicketOptions = {}): TicketStore {
  const prefix = options.prefix ?? ['qstp', 'tickets'];
  const max = options.max ?? TICKETS_MAX;
  const every = Math.max(1, max >> 4);
  // Somewhere within the first period: servers that never live through one look for room as often as others.
  let puts = randomBelow(every);

  const keyOf = (id: Uint8Array): KvKey => [...prefix, id];

  /**
   * Runs an operation, again if it fails: a KV that is a file says so when another process writes. An operation that
   * was done nevertheless is not done twice, as each is on what is there. At last it is reported, and `failed`.
   */
  const run = <T>(what: string, failed: T, done: (answer: T) => void, work: () => Promise<T>): void => {
    const attempt = async (left: number): Promise<T> => {
      try {
        return await work();
      } catch (error) {
        if (left === 0) {
          options.report?.(`tickets: cannot ${what}: ${(error as Error).message}`);
          return failed;
        }
      }
      await new Promise<void>((resolve) => void denoTimer.set(resolve, AGAIN_MS + randomBelow(AGAIN_MS)));
      return attempt(left - 1);
    };
    void attempt(TRIES - 1).then(done);
  };

  /** True to one caller only. */
  const remove = async (entry: KvEntry, key: KvKey): Promise<boolean> => {
    if (entry.versionstamp === null) return false;
    const { versionstamp } = entry;
    return (await kv.atomic().check({ key, versionstamp }).delete(key).commit()).ok;
  };

  const removeIf = async (leaves: (row: TicketRow) => boolean): Promise<number> => {
    let removed = 0;
    for await (const entry of kv.list({ prefix })) {
      const row = decode(entry);
      if (row !== null && leaves(row) && (await remove(entry, keyOf(row.id)))) removed++;
    }
    return removed;
  };

  /** False if there is none and nothing may leave. */
  const makeRoom = async (): Promise<boolean> => {
    const rows: TicketRow[] = [];
    for await (const entry of kv.list({ prefix })) {
      const row = decode(entry);
      if (row !== null) rows.push(row);
    }
    if (rows.length < max) return true;
    const leaving = rowsToEvict(rows, max);
    for (const { id } of leaving) await kv.atomic().delete(keyOf(id)).commit();
    return leaving.length > 0;
  };

  return {
    put(row, done) {
      run('store one', false, done, async () => {
        if (++puts % every === 0 && !(await makeRoom())) return false;
        const left = (row.expiry - denoClock.now()) * 1000 + GRACE_MS;
        const expireIn = Math.min(Math.max(left, GRACE_MS), EXPIRE_MS);
        return (await kv.atomic().set(keyOf(row.id), encode(row), { expireIn }).commit()).ok;
      });
    },
    get(id, done) {
      run('read one', null, done, async () => decode(await kv.get(keyOf(id))));
    },
    take(id, done) {
      const key = keyOf(id);
      run(`take ${toHex(id)}`, false, done, async () => remove(await kv.get(key), key));
    },
    removeOwner(owner, done) {
      run('remove those of a client', 0, done, () => removeIf((row) => equal(row.owner, owner)));
    },
    sweep(now, done) {
      run('remove those that expired', 0, done, () => removeIf((row) => row.expiry <= now));
    },
  };
}

function randomBelow(limit: number): number {
  const word = new Uint32Array(1);
  denoRandom(new Uint8Array(word.buffer));
  return word[0]! % limit;
}

/**
 * A server's tickets in a Deno.Kv, for {@link listenQstp} of all isolates that hold the same certificate. `key`: 32
 * secret bytes, the same for all of them, that are kept elsewhere than in the KV.
 */
export function kvTickets(kv: KeyValue, key: Uint8Array, options: KvTicketOptions = {}): Tickets {
  return createTickets(kvTicketStore(kv, options), key, denoRandom);
}
