// What runs on the emulated microcontrollers, bundled to one script (bundle.ts): known answers, and the
// operations that are measured.

import { keccakF1600 } from '../../../src/crypto/micro/keccak-f.ts';
import * as rcs from '../../../src/crypto/micro/rcs.ts';
import * as hash from '../../../src/crypto/micro/sponge.ts';
import { runKat } from '../../../src/selftest/run.ts';

const NONE = new Uint8Array(0);

/** Runs known answers: how many checks passed, or what failed. */
export function kat(kind: string, file: unknown): string {
  let passed = 0;
  let failures = '';
  runKat(kind, file, { hash, rcs }, (check, failure) => {
    if (failure === null) passed++;
    else failures += `${check}: ${failure}\n`;
  });
  return failures === '' ? String(passed) : failures;
}

// ---- Operations: prepare once, then run ----------------------------------------------------------------------

interface Bench {
  state: Int32Array;
  header: Uint8Array;
  data: Uint8Array;
}
let bench: Bench | undefined;

export function prepareKeccak(): void {
  const state = new Int32Array(hash.SPONGE_WORDS);
  for (let i = 0; i < 50; i++) state[i] = i * 0x01234567;
  bench = { state, header: NONE, data: NONE };
}

export function runKeccak(): void {
  keccakF1600(bench!.state);
}

/** A keyed RCS-256 state, a record header of 21 bytes and room for `length` bytes and the tag. */
export function prepareRcs(length: number): void {
  const key = new Uint8Array(32).fill(7);
  const state = new Int32Array(rcs.RCS256_WORDS);
  rcs.rcsInit(state, key, key, NONE);
  bench = { state, header: new Uint8Array(21), data: new Uint8Array(length + rcs.RCS256_TAG_BYTES) };
}

export function runRcsSeal(): void {
  const { state, header, data } = bench!;
  rcs.rcsSeal(state, header, header.length, data, 0, data.length - rcs.RCS256_TAG_BYTES);
}
