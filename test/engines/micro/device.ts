// What runs on the emulated microcontrollers, bundled to one script (bundle.ts): known answers, and the
// operations that are measured. Vectors come in as hex strings, which stay in read-only memory.

import { keccakF1600 } from '../../../src/crypto/micro/keccak-f.ts';
import {
  RCS256_TAG_BYTES,
  RCS256_WORDS,
  RCS512_TAG_BYTES,
  RCS512_WORDS,
  rcsCounter,
  rcsInit,
  rcsOpen,
  rcsSeal,
} from '../../../src/crypto/micro/rcs.ts';
import { cshake, kmacReference, sha3_256, shake, SPONGE_WORDS } from '../../../src/crypto/micro/sponge.ts';

const NONE = new Uint8Array(0);

function nibble(code: number): number {
  return code < 58 ? code - 48 : code - 87;
}

function hex(text: string): Uint8Array {
  const out = new Uint8Array(text.length >> 1);
  for (let i = 0; i < out.length; i++) {
    out[i] = (nibble(text.charCodeAt(2 * i)) << 4) | nibble(text.charCodeAt(2 * i + 1));
  }
  return out;
}

function same(data: Uint8Array, text: string, from = 0): boolean {
  for (let i = 0; 2 * i < text.length; i++) {
    const byte = (nibble(text.charCodeAt(2 * i)) << 4) | nibble(text.charCodeAt(2 * i + 1));
    if (data[from + i] !== byte) return false;
  }
  return true;
}

// ---- Known answers: true if right --------------------------------------------------------------------------

export function checkSha3(message: string, out: string): boolean {
  return same(sha3_256(hex(message)), out);
}

export function checkShake(rate: number, message: string, out: string): boolean {
  return same(shake(rate, hex(message), out.length >> 1), out);
}

export function checkCshake(rate: number, data: string, name: string, custom: string, out: string): boolean {
  return same(cshake(rate, hex(data), hex(name), hex(custom), out.length >> 1), out);
}

export function checkKmac(rate: number, key: string, message: string, custom: string, out: string): boolean {
  return same(kmacReference(rate, hex(key), hex(message), hex(custom), out.length >> 1), out);
}

function rcsState(key: string, nonce: string): Int32Array {
  const state = new Int32Array(key.length === 128 ? RCS512_WORDS : RCS256_WORDS);
  rcsInit(state, hex(key), hex(nonce), NONE);
  return state;
}

function record(message: string, sealed: string): Uint8Array {
  const data = new Uint8Array(sealed.length >> 1);
  data.set(hex(message));
  return data;
}

/** Seals and opens one packet; the counter afterwards, if given. */
function packet(tx: Int32Array, rx: Int32Array, aad: string, message: string, sealed: string): boolean {
  const associated = hex(aad);
  const data = record(message, sealed);
  const length = message.length >> 1;
  rcsSeal(tx, associated, associated.length, data, 0, length);
  if (!same(data, sealed)) return false;
  const scratch = new Uint8Array(RCS512_TAG_BYTES);
  return rcsOpen(rx, associated, associated.length, data, 0, length, scratch) && same(data, message);
}

export function checkRcs(
  key: string,
  nonce: string,
  aad: string,
  message: string,
  sealed: string,
  after: string,
): boolean {
  const tx = rcsState(key, nonce);
  if (!packet(tx, rcsState(key, nonce), aad, message, sealed)) return false;
  const counter = new Uint8Array(32);
  rcsCounter(tx, counter);
  return same(counter, after);
}

/** Packets of one state: three strings each, associated data, message, sealed. */
export function checkRcsChain(key: string, nonce: string, packets: string[]): boolean {
  const tx = rcsState(key, nonce);
  const rx = rcsState(key, nonce);
  for (let i = 0; i < packets.length; i += 3) {
    if (!packet(tx, rx, packets[i]!, packets[i + 1]!, packets[i + 2]!)) return false;
  }
  return packets.length > 0;
}

// ---- Operations: prepare once, then run ----------------------------------------------------------------------

interface Bench {
  sponge: Int32Array;
  rcs: Int32Array;
  header: Uint8Array;
  data: Uint8Array;
}
let bench: Bench | undefined;

export function prepareKeccak(): void {
  const sponge = new Int32Array(SPONGE_WORDS);
  for (let i = 0; i < 50; i++) sponge[i] = i * 0x01234567;
  bench = { sponge, rcs: sponge, header: NONE, data: NONE };
}

export function runKeccak(): void {
  keccakF1600(bench!.sponge);
}

/** A keyed RCS-256 state, a record header of 21 bytes and room for `length` bytes and the tag. */
export function prepareRcs(length: number): void {
  const key = new Uint8Array(32).fill(7);
  const rcs = new Int32Array(RCS256_WORDS);
  rcsInit(rcs, key, key, NONE);
  bench = { sponge: rcs, rcs, header: new Uint8Array(21), data: new Uint8Array(length + RCS256_TAG_BYTES) };
}

export function runRcsSeal(): void {
  const { rcs, header, data } = bench!;
  rcsSeal(rcs, header, header.length, data, 0, data.length - RCS256_TAG_BYTES);
}
