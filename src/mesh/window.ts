// The replay window: which of the last 64 numbers were seen. Three words: the number after the highest, and a bit for
// each below it.

const SPAN = 64;

/** Words of a window. */
export const WINDOW_WORDS = 3;

/** True if `number` has not been seen, and is not too far behind. */
export function windowTakes(words: Int32Array, at: number, number: number): boolean {
  const behind = words[at]! - 1 - number;
  if (behind < 0) return true;
  if (behind >= SPAN) return false;
  return (words[at + (behind < 32 ? 1 : 2)]! & (1 << (behind & 31))) === 0;
}

/** `number` has been seen. */
export function windowMark(words: Int32Array, at: number, number: number): void {
  let behind = words[at]! - 1 - number;
  if (behind < 0) {
    const by = -behind;
    if (by >= SPAN) {
      words[at + 1] = words[at + 2] = 0;
    } else if (by >= 32) {
      words[at + 2] = words[at + 1]! << (by & 31);
      words[at + 1] = 0;
    } else {
      words[at + 2] = (words[at + 2]! << by) | (words[at + 1]! >>> (32 - by));
      words[at + 1] = words[at + 1]! << by;
    }
    words[at] = number + 1;
    behind = 0;
  }
  words[at + (behind < 32 ? 1 : 2)]! |= 1 << (behind & 31);
}

export function windowCopy(words: Int32Array, to: number, from: number): void {
  for (let i = 0; i < WINDOW_WORDS; i++) words[to + i] = words[from + i]!;
}

export function windowClear(words: Int32Array, at: number): void {
  for (let i = 0; i < WINDOW_WORDS; i++) words[at + i] = 0;
}

export function windowSwap(words: Int32Array, a: number, b: number): void {
  for (let i = 0; i < WINDOW_WORDS; i++) {
    const word = words[a + i]!;
    words[a + i] = words[b + i]!;
    words[b + i] = word;
  }
}
