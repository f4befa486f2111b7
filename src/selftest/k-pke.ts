// K-PKE.Decrypt (FIPS 203 §5.3), written for plainness: sums over all points instead of butterflies. The
// known answers tell what the reference returns for an altered ciphertext, and that depends on the plaintext.

import type { Suite } from '../params.ts';

const N = 256;
const Q = 3329;
/** A primitive 256th root of unity (§4.3). */
const ZETA = 17;
/** 128^-1 mod q. */
const INVERSE_128 = 3303;

/** The n numbers of `bits` bits each that start at byte `at` (ByteDecode, §4.2.1). */
function decode(bytes: Uint8Array, at: number, bits: number): number[] {
  const out: number[] = [];
  for (let i = 0; i < N; i++) {
    let value = 0;
    for (let j = 0; j < bits; j++) {
      const bit = i * bits + j;
      value |= ((bytes[at + (bit >> 3)]! >> (bit & 7)) & 1) << j;
    }
    out.push(value);
  }
  return out;
}

function decompress(values: number[], bits: number): number[] {
  return values.map((x) => (x * Q + (1 << (bits - 1))) >> bits);
}

function reverse7(x: number): number {
  let out = 0;
  for (let i = 0; i < 7; i++) out |= ((x >> i) & 1) << (6 - i);
  return out;
}

/** The inverse NTT (§4.3) as the sums that define it. */
function inverseNtt(hat: number[]): number[] {
  const powers = [1];
  for (let i = 1; i < N; i++) powers.push((powers[i - 1]! * ZETA) % Q);
  const out: number[] = [];
  for (let j = 0; j < N; j++) {
    let sum = 0;
    for (let i = 0; i < 128; i++) {
      const exponent = ((2 * reverse7(i) + 1) * (j >> 1)) % N;
      sum += hat[2 * i + (j & 1)]! * powers[(N - exponent) % N]!;
    }
    out.push(((sum % Q) * INVERSE_128) % Q);
  }
  return out;
}

/** Adds a * b in Z_q[X] / (X^256 + 1) to `sum`, not reduced. */
function addProduct(sum: number[], a: number[], b: number[]): void {
  for (let i = 0; i < N; i++) {
    for (let j = 0; j < N; j++) {
      const at = i + j;
      const product = (a[i]! * b[j]!) % Q;
      if (at < N) sum[at]! += product;
      else sum[at - N]! -= product;
    }
  }
}

/** The 32-byte plaintext of a ciphertext under a decapsulation key of `suite`. */
export function kPkeDecrypt(suite: Suite, ciphertext: Uint8Array, secretKey: Uint8Array): Uint8Array {
  const k = suite.id + 1;
  const [du, dv] = suite.id === 3 ? [11, 5] : [10, 4];
  const sum: number[] = new Array<number>(N).fill(0);
  for (let i = 0; i < k; i++) {
    const u = decompress(decode(ciphertext, 32 * du * i, du), du);
    addProduct(sum, inverseNtt(decode(secretKey, 384 * i, 12)), u);
  }
  const v = decompress(decode(ciphertext, 32 * du * k, dv), dv);
  const plain = new Uint8Array(32);
  for (let i = 0; i < N; i++) {
    const w = (((v[i]! - sum[i]!) % Q) + Q) % Q;
    // Compress to one bit: 1 from q/4 to 3q/4.
    if (w > Q / 4 && w < (3 * Q) / 4) plain[i >> 3]! |= 1 << (i & 7);
  }
  return plain;
}
