// AES-256 (FIPS 197) in counter mode, as GCM uses it (SP 800-38D §6.5). A firmware profile can put native code in the
// place of this module (hook "aes"): it then owns words 0..59 of the state, and what they hold.

import { aesOrder } from './rijndael.ts';

/** Products in GF(2^8) of the four bytes of a and b. */
function multiply(a: number, b: number): number {
  let product = 0,
    bit = 0;
  for (let i = 0; i < 8; i++) {
    bit = (b >> i) & 0x1010101;
    product ^= a & ((bit << 8) - bit);
    a = ((a & 0x7f7f7f7f) << 1) ^ (((a >> 7) & 0x1010101) * 0x1b);
  }
  return product;
}

/** SubWord (FIPS 197 §5.2), computed: x^254 = x^240 x^12 x^2, then the affine map. */
function subWord(x: number): number {
  const x2 = multiply(x, x);
  const x3 = multiply(x2, x);
  let y = multiply(x3, x3);
  const x12 = multiply(y, y);
  y = multiply(x12, x3);
  for (let i = 0; i < 4; i++) y = multiply(y, y);
  y = multiply(multiply(y, x12), x2);
  let sum = y ^ 0x63636363;
  for (let i = 0; i < 4; i++) {
    y = ((y & 0x7f7f7f7f) << 1) | ((y >> 7) & 0x1010101);
    sum ^= y;
  }
  return sum;
}

/** KeyExpansion (FIPS 197 §5.2) of 32 bytes into `g[0 .. 60)`. */
export function aesExpandKey(g: Int32Array, key: Uint8Array): void {
  let rcon = 1,
    x = 0;
  for (let i = 0; i < 8; i++) {
    x = 4 * i;
    g[i] = key[x]! | (key[x + 1]! << 8) | (key[x + 2]! << 16) | (key[x + 3]! << 24);
  }
  for (let i = 8; i < 60; i++) {
    x = g[i - 1]!;
    if ((i & 7) === 0) {
      x = subWord(((x >> 8) & 0xffffff) | (x << 24)) ^ rcon;
      rcon <<= 1;
    } else if ((i & 7) === 4) {
      x = subWord(x);
    }
    g[i] = g[i - 8]! ^ x;
  }
  aesOrder(g);
}

/**
 * `aesXor(g, counter, data, at, length)` encrypts the block whose first 12 bytes are `g[60 .. 63)`, low bytes first, and
 * whose last 4 are `counter`, high byte first, into `g[60 .. 64)`. The encryptions of the blocks with the counters
 * behind it, modulo 2^32, are XORed onto `data[at .. at + length)`.
 */
export { aesXor } from './rijndael.ts';
