// Figures of Node: ratios of two things measured in turn, and rates.

import { RCS256_WORDS, rcsInit, rcsSeal } from '../src/crypto/micro/rcs.ts';
import { sha3_256 } from '../src/crypto/micro/sponge.ts';
import type { Figures } from './figures.ts';
import { inputsOf } from './inputs.ts';
import { operations } from './kernels.ts';
import { operations as nobleOperations } from './kernels-noble.ts';

const RECORD = 1400;
const HEADER_BYTES = 21;
const TAG_BYTES = 32;
/** Long, so that its padding does not count. */
const MESSAGE = 65_536;
const ROUNDS = 7;
/** Time of one round of one thing, milliseconds. */
const ROUND_MS = 150;
/** The same, of one of the many things that are compared with noble. */
const NOBLE_ROUND_MS = 60;
/** Messages signed in a call. */
const NODE_SIGNATURES = 4;

/** Bytes per microsecond (MB/s) of a run that handles `bytes` bytes. */
function rate(bytes: number, run: () => void): number {
  const start = performance.now();
  let runs = 0;
  let elapsed = 0;
  do {
    for (let i = 0; i < 8; i++) run();
    runs += 8;
    elapsed = performance.now() - start;
  } while (elapsed < ROUND_MS);
  return (runs * bytes) / elapsed / 1000;
}

export function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1]!;
}

/** Milliseconds a call takes, over calls that take {@link NOBLE_ROUND_MS} together. */
function millisecondsOf(run: () => void): number {
  const start = performance.now();
  let calls = 0;
  let elapsed = 0;
  do {
    run();
    calls++;
    elapsed = performance.now() - start;
  } while (elapsed < NOBLE_ROUND_MS);
  return elapsed / calls;
}

/** `node.<operation>.noble.ratio`: how many times as long as the device kernel noble takes, on Node. */
export function benchNoble(figures: Figures): void {
  const ours = operations(NODE_SIGNATURES);
  for (const theirs of nobleOperations(NODE_SIGNATURES)) {
    const inputs = inputsOf(theirs.name);
    const kernel = ours.find((operation) => operation.name === theirs.name)!.prepare(inputs);
    const noble = theirs.prepare(inputs);
    // Both are compiled before the first round counts.
    millisecondsOf(kernel);
    millisecondsOf(noble);
    const ratios: number[] = [];
    for (let i = 0; i < ROUNDS; i++) {
      const ourTime = millisecondsOf(kernel);
      ratios.push(millisecondsOf(noble) / ourTime);
    }
    figures[`node.${theirs.name}.noble.ratio`] = median(ratios);
  }
}

/** `node.rcs.mbps` and, against SHA3-256 of our own Keccak in the same rounds, `node.rcs.sha3.ratio`. */
export function benchNode(figures: Figures): void {
  const state = new Int32Array(RCS256_WORDS);
  rcsInit(state, new Uint8Array(32).fill(7), new Uint8Array(32), new Uint8Array(0));
  const packet = new Uint8Array(HEADER_BYTES + RECORD + TAG_BYTES);
  const message = new Uint8Array(MESSAGE).fill(3);
  const seal = (): void => rcsSeal(state, packet, HEADER_BYTES, packet, HEADER_BYTES, RECORD);
  const hash = (): void => void sha3_256(message);
  // Both are compiled before the first round counts.
  rate(RECORD, seal);
  rate(MESSAGE, hash);
  const rates: number[] = [];
  const ratios: number[] = [];
  for (let i = 0; i < ROUNDS; i++) {
    const [rcs, sha3] = [rate(RECORD, seal), rate(MESSAGE, hash)];
    rates.push(rcs);
    ratios.push(rcs / sha3);
  }
  figures['node.rcs.mbps'] = median(rates);
  figures['node.rcs.sha3.ratio'] = median(ratios);
}
