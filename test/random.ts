// Random cases that repeat: a run draws the same ones each time, so that its verdict is of the code and not of the day.
// QSTP_SEED=WORD draws others; QSTP_DEEP=1 does more of them, others in each run, and prints the seed that repeats them.
import { randomBytes } from 'node:crypto';
import type { ExecutionContext } from 'ava';
import { shake, RATE_256 } from '../src/crypto/micro/sponge.ts';

const DEEP = process.env['QSTP_DEEP'] === '1';

/** Cases of one set: 50, or 1,000 in a deep run. */
export const CASES: number = DEEP ? 1000 : 50;

const SEED = process.env['QSTP_SEED'] ?? (DEEP ? randomBytes(8).toString('hex') : '0123456789abcdef');

export interface Draw {
  /** `length` fresh bytes. */
  bytes(length: number): Uint8Array;
  /** A whole number from 0 to `limit` - 1. */
  below(limit: number): number;
}

/** A stream of random bytes for the test, which reports the seed if it fails. */
export function draws(t: ExecutionContext): Draw {
  t.log(`QSTP_SEED=${SEED}`);
  const key = new TextEncoder().encode(SEED + t.title);
  let block = new Uint8Array(0);
  let at = 0;
  let count = 0;
  const byte = (): number => {
    if (at === block.length) {
      const input = new Uint8Array(key.length + 4);
      input.set(key);
      new DataView(input.buffer).setUint32(key.length, count++);
      block = shake(RATE_256, input, 1360) as Uint8Array<ArrayBuffer>;
      at = 0;
    }
    return block[at++]!;
  };
  return {
    bytes: (length) => Uint8Array.from({ length }, byte),
    below: (limit) => (((byte() << 16) | (byte() << 8) | byte()) >>> 0) % limit,
  };
}
