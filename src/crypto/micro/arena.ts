// Scratch of the device kernels: one buffer of the caller's, seen as integers of 8, 16 and 32 bits and as
// doubles. An operation publishes how many bytes it needs, keeps nothing there between calls that the next
// one relies on, and wipes what it used. An arena may be shared by any operations that do not overlap in time.

import { SPONGE_WORDS } from './sponge.ts';

export interface Arena {
  readonly bytes: Uint8Array;
  readonly halves: Int16Array;
  readonly words: Int32Array;
  readonly doubles: Float64Array;
  /** The first SPONGE_WORDS words, as an array of their own. */
  readonly sponge: Int32Array;
  /** The next SPONGE_WORDS words: a second sponge, for operations that hash while they sample. */
  readonly hash: Int32Array;
}

/** First word behind both sponges. */
export const ARENA_FREE = 2 * SPONGE_WORDS;

/** An arena over `length` bytes of `buffer` from `at` on; both multiples of 8. */
export function arenaOver(buffer: ArrayBuffer, at: number, length: number): Arena {
  return {
    bytes: new Uint8Array(buffer, at, length),
    halves: new Int16Array(buffer, at, length >> 1),
    words: new Int32Array(buffer, at, length >> 2),
    doubles: new Float64Array(buffer, at, length >> 3),
    sponge: new Int32Array(buffer, at, SPONGE_WORDS),
    hash: new Int32Array(buffer, at + 4 * SPONGE_WORDS, SPONGE_WORDS),
  };
}

/** A new arena of `length` bytes, a multiple of 8. */
export function createArena(length: number): Arena {
  return arenaOver(new ArrayBuffer(length), 0, length);
}

/** Zeroes `words[from .. end)`; `end - from` is a multiple of 4. */
export function clearWords(words: Int32Array, from: number, end: number): void {
  for (let i = from; i < end; i += 4) {
    words[i] = 0;
    words[i + 1] = 0;
    words[i + 2] = 0;
    words[i + 3] = 0;
  }
}
