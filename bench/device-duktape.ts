// Inside Duktape: Keccak-f[1600] of this project and of @noble/hashes, in turn.

import { keccakP } from '@noble/hashes/sha3.js';
import { keccakF1600 } from '../src/crypto/micro/keccak-f.ts';
import { SPONGE_WORDS } from '../src/crypto/micro/sponge.ts';

/** Milliseconds a call takes, over calls that take `least` together. */
function millisecondsOf(run: () => void, least: number): number {
  const start = Date.now();
  let calls = 0,
    elapsed = 0;
  do {
    run();
    calls++;
    elapsed = Date.now() - start;
  } while (elapsed < least);
  return elapsed / calls;
}

/** How many times as long as ours noble's takes, once for each of `rounds` rounds of `least` milliseconds each. */
export function ratios(rounds: number, least: number): number[] {
  const ours = new Int32Array(SPONGE_WORDS);
  const theirs = new Uint32Array(50);
  for (let i = 0; i < 50; i++) ours[i] = theirs[i] = i * 0x01234567;
  keccakF1600(ours);
  keccakP(theirs);
  for (let i = 0; i < 50; i++) {
    if (ours[i] !== (theirs[i]! | 0)) throw new Error('the permutations differ');
  }
  const out: number[] = [];
  for (let i = 0; i < rounds; i++) {
    const ourTime = millisecondsOf(() => keccakF1600(ours), least);
    out.push(millisecondsOf(() => keccakP(theirs), least) / ourTime);
  }
  return out;
}
