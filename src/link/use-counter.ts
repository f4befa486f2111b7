// A counter of uses that outlives restarts and never gives a number twice: that of a provisioned credential
// (X4). Numbers are reserved in blocks, so that flash sees one write a block; a restart skips what is left of
// its block.

import { QstpError } from '../error.ts';
import { equal, getU32, putU32 } from '../bytes.ts';
import { packStored, Stored, unpackStored } from '../session/stored.ts';
import type { Storage } from '../platform.ts';

export interface UseCounter {
  readonly storage: Storage;
  readonly key: string;
  readonly reserve: number;
  /** The next number. */
  next: number;
  /** Numbers below this are reserved in storage. */
  reserved: number;
}

export const USE_COUNTER_KEY = 'qstp.use';
/** Numbers a write reserves. */
export const USE_RESERVE = 64;
const VERSION = 1;
const LAST = 0xffffffff;

function write(storage: Storage, key: string, value: number): void {
  const body = new Uint8Array(4);
  putU32(body, 0, value);
  const record = packStored(Stored.useCounter, VERSION, body);
  let kept = false;
  try {
    storage.set(key, record);
    const there = storage.get(key);
    kept = there !== null && equal(there, record);
  } catch {
    // Said below.
  }
  if (!kept) {
    throw new QstpError('counter_unsaved', 'the use counter cannot be stored: repair the storage');
  }
}

/** Begins a counter at 0, along with a new credential. Throws `counter_unsaved`. */
export function provisionUseCounter(storage: Storage, key: string = USE_COUNTER_KEY): void {
  write(storage, key, 0);
}

/** Opens a counter. Throws `counter_lost` if it is not there or damaged: then the credential is to be replaced. */
export function openUseCounter(
  storage: Storage,
  key: string = USE_COUNTER_KEY,
  reserve: number = USE_RESERVE,
): UseCounter {
  const value = storage.get(key);
  const body = value === null ? null : unpackStored(Stored.useCounter, VERSION, value, 4);
  if (body === null) {
    throw new QstpError(
      'counter_lost',
      'the use counter of the credential is missing or damaged: provision a new credential',
    );
  }
  const next = getU32(body, 0);
  return { storage, key, reserve, next, reserved: next };
}

/** Reserves a block in storage if none is left. Throws as {@link takeUse}. */
function reserve(counter: UseCounter): void {
  if (counter.next >= LAST) {
    throw new QstpError('counter_lost', 'the use counter is used up: provision a new credential');
  }
  if (counter.next < counter.reserved) return;
  const to = counter.next + counter.reserve;
  const reserved = to < LAST ? to : LAST;
  write(counter.storage, counter.key, reserved);
  counter.reserved = reserved;
}

/**
 * The same ahead of the next use, where a device's stack is short: storing goes deep into it. What fails is tried again,
 * and said, by that use.
 */
export function reserveAhead(counter: UseCounter): void {
  try {
    reserve(counter);
  } catch {
    // The next use throws.
  }
}

/**
 * A number that was never given before, 0 to 2^32 - 2, and that no restart will give again. Throws
 * `counter_unsaved`, or `counter_lost` after the last.
 */
export function takeUse(counter: UseCounter): number {
  reserve(counter);
  return counter.next++;
}
