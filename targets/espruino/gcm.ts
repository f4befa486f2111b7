// AES-256-GCM of src/lean/gcm.ts, with the key stream of a board's own AES where the application gives it. Builds for Espruino
// put this module in the place of that one.
//
// A state is the kernel's, and with a hook the key behind it, in KEY_WORDS.

import { equalAt, getI32 } from '../../src/bytes.ts';
import { ghash } from '../../src/crypto/micro/aes-gcm.ts';
import { gcmKey as kernelKey, gcmRun as kernelRun } from '../../src/lean/gcm.ts';
import { HEADER, TAG } from '../../src/lean/packets.ts';
import { hooks } from './hooks.ts';

/** In a state of the kernel's: H / x, the first four bytes of nonces, the words in all. */
const H = 120;
const SALT = 126;
const KERNEL_WORDS = 127;
const KEY_WORDS = 8;
/** In what `ghash` takes: Y and H / x, the words in all. */
const HASH_Y = 64;
const HASH_H = 68;
const HASH_WORDS = 77;

const BLOCK = 16;
const ECB = { mode: 'ECB' } as const;

/** As the kernel's. */
export function gcmKey(key: Uint8Array): Int32Array {
  if (!hooks.aes) return kernelKey(key);
  const g = new Int32Array(KERNEL_WORDS + KEY_WORDS);
  for (let i = 0; i < KEY_WORDS; i++) g[KERNEL_WORDS + i] = getI32(key, 4 * i);
  const kernel = kernelKey(key);
  g.set(kernel);
  kernel.fill(0);
  return g;
}

/**
 * The blocks of counters 1 .. n under the key of `g`, the first of which masks the tag: in one call, and not in mode CTR, which
 * begins at 0 on boards, whatever `iv` says. Null where the board's AES fails.
 */
function keyStream(g: Int32Array, sequence: number, length: number): Uint8Array | null {
  const aes = hooks.aes;
  if (!aes || g.length === KERNEL_WORDS) return null;
  const words = new Int32Array(4 + 4 * ((length + BLOCK - 1) >> 4));
  const blocks = new Uint8Array(words.buffer);
  for (let i = 0; i < words.length; i += 4) {
    words[i] = g[SALT]!;
    words[i + 1] = sequence;
    blocks[4 * i + 14] = (i + 4) >> 10;
    blocks[4 * i + 15] = (i + 4) >> 2;
  }
  const stream = aes.encrypt(blocks, new Uint8Array(g.buffer, 4 * KERNEL_WORDS, 4 * KEY_WORDS), ECB);
  return stream === undefined || stream.byteLength < blocks.length ? null : new Uint8Array(stream);
}

/** As the kernel's, and the kernel itself where there is no key stream to be had. */
export function gcmRun(g: Int32Array, sequence: number, p: Uint8Array, open: boolean): boolean {
  const length = p.length - HEADER - TAG;
  const stream = keyStream(g, sequence, length);
  if (stream === null) return kernelRun(g, sequence, p, open);
  const hash = new Int32Array(HASH_WORDS);
  const tag = new Uint8Array(TAG);
  const authenticate = (): void => {
    ghash(hash, p, 0, HEADER);
    ghash(hash, p, HEADER, length);
    hash[HASH_Y + 1]! ^= 8 * HEADER;
    hash[HASH_Y + 3]! ^= 8 * length;
    ghash(hash, tag, 0, TAG);
    for (let i = 0; i < TAG; i++) tag[i] = stream[i]! ^ (hash[HASH_Y + (i >> 2)]! >> (24 - 8 * (i & 3)));
  };
  for (let i = 0; i < 4; i++) hash[HASH_H + i] = g[H + i]!;
  if (open) authenticate();
  for (let i = 0; i < length; i++) p[HEADER + i]! ^= stream[BLOCK + i]!;
  if (!open) {
    authenticate();
    p.set(tag, HEADER + length);
  }
  stream.fill(0);
  hash.fill(0);
  return equalAt(tag, 0, p, HEADER + length, TAG);
}
