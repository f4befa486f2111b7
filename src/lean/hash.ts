// SHA3-256 (FIPS 202), cSHAKE256 and KMAC256 (SP 800-185), and the derivations of the extensions (docs/extensions.md, X0
// and X4) in few bytes of code: the same answers as src/crypto/micro/sponge.ts and src/session/secrets.ts.

import { ascii, copyOf } from '../bytes.ts';
import { keccakF1600 } from '../crypto/micro/keccak-f.ts';

type Bytes = ArrayLike<number>;

const RATE = 136;
/** Domain bytes with the first padding bit. */
const SHA3 = 6;
export const SHAKE = 31;
const CSHAKE = 4;

/** Absorbs the parts, of which null stands for zeros up to the block's end; yields `length` bytes, 136 at the most. */
export function sponge(domain: number, parts: readonly (Bytes | null)[], length: number): Uint8Array {
  const s = new Int32Array(52);
  // Its bytes: the engines this is for run on little-endian processors.
  const b = new Uint8Array(s.buffer);
  let at = 0,
    i = 0,
    j = 0;
  for (; i < parts.length; i++) {
    const part = parts[i]!;
    if (part === null) {
      if (at > 0) keccakF1600(s);
      at = 0;
    } else {
      for (j = 0; j < part.length; j++) {
        b[at++]! ^= part[j]!;
        if (at === RATE) {
          keccakF1600(s);
          at = 0;
        }
      }
    }
  }
  b[at]! ^= domain;
  b[RATE - 1]! ^= 0x80;
  keccakF1600(s);
  const out = copyOf(b, 0, length);
  s.fill(0);
  return out;
}

/** left_encode of so many bytes in bits (SP 800-185 §2.3.1): below 2^16. */
function sizeOf(bytes: number): number[] {
  return bytes < 32 ? [1, 8 * bytes] : [2, bytes >> 5, (8 * bytes) & 255];
}

const BLOCK = [1, RATE];

export function sha3(parts: readonly Bytes[]): Uint8Array {
  return sponge(SHA3, parts, 32);
}

/** cSHAKE256 of `data`, N and its length encoded as `head`, S = "QSTP-EDGE-1 " || `name` || `rest`. */
function cshake(
  head: Bytes,
  name: string,
  rest: readonly Bytes[],
  data: readonly (Bytes | null)[],
  length: number,
): Uint8Array {
  const custom: (Bytes | null)[] = [ascii('QSTP-EDGE-1 ' + name)];
  let size = 0;
  const parts = custom.concat(rest);
  for (let i = 0; i < parts.length; i++) size += parts[i]!.length;
  return sponge(CSHAKE, [BLOCK, head, sizeOf(size) as Bytes | null].concat(parts, [null], data), length);
}

/** KMAC256 of `parts` with S = "QSTP-EDGE-1 " || `name`: 32 or 64 bytes. */
export function kmac(key: Bytes, name: string, parts: readonly Bytes[], length: number): Uint8Array {
  const head: (Bytes | null)[] = [BLOCK, sizeOf(key.length), key, null];
  return cshake([1, 32, 75, 77, 65, 67], name, [], head.concat(parts, [[length >> 5, 0, 2]]), length);
}

/** lab(`name` || `rest`) over `key`. */
export function lab(key: Bytes, name: string, rest: readonly Bytes[], length: number): Uint8Array {
  return cshake([1, 0], name, rest, [key], length);
}
