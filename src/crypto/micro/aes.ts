// AES-256 (FIPS 197) in counter mode, as GCM uses it (SP 800-38D §6.5). A firmware profile can put native code in the
// place of this module (hook "aes"): it then owns words 0..59 of the state, and what they hold.

import { getI32 } from '../../bytes.ts';
import { aesExpand, aesOrder } from './rijndael.ts';

/** KeyExpansion (FIPS 197 §5.2) of 32 bytes into `g[0 .. 60)`. */
export function aesExpandKey(g: Int32Array, key: Uint8Array): void {
  for (let i = 0; i < 8; i++) g[i] = getI32(key, 4 * i);
  aesExpand(g);
  aesOrder(g);
}

/**
 * `aesXor(g, counter, data, at, length, hash)` encrypts the block whose first 12 bytes are `g[60 .. 63)`, low bytes first,
 * and whose last 4 are `counter`, high byte first, into `g[60 .. 64)`. The encryptions of the blocks with the counters
 * behind it, modulo 2^32, are XORed onto `data[at .. at + length)`. With `hash` the encryption of the block of zeros
 * goes into `g[68 .. 72)`, low bytes first.
 */
export { aesXor } from './rijndael.ts';
