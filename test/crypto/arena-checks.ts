// What tests ask of an arena after an operation.
import { ARENA_FREE } from '../../src/crypto/micro/arena.ts';
import type { Arena } from '../../src/crypto/micro/arena.ts';

/** The word in which both lattice kernels leave their verdict. */
const VERDICT = ARENA_FREE + 3;

/** True if nothing is left in the arena but the verdict. */
export function isWiped(arena: Arena): boolean {
  return arena.words.every((word, i) => word === 0 || i === VERDICT);
}

export function verdictOf(arena: Arena): number {
  return arena.words[VERDICT]!;
}
