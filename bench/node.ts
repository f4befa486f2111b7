// Figures of Node: ratios of two things measured in turn, and rates.

import { loadModule } from '../src/crypto/gateway/load.ts';
import { rcsRecords } from '../src/crypto/gateway/rcs.ts';
import { WORK } from '../src/crypto/gateway/module.ts';
import { RCS256_WORDS, rcsInit, rcsSeal } from '../src/crypto/micro/rcs.ts';
import { keccakF1600 } from '../src/crypto/micro/keccak-f.ts';
import { RATE_256 } from '../src/crypto/micro/sponge.ts';
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

/** `node.<operation>.noble.ratio`: how many times as long as our kernel noble takes, on Node. */
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

/** Absorbs whole blocks as SHA3-256 does, with the kernel's permutation. */
function absorbBlocks(state: Int32Array, message: Int32Array): void {
  for (let at = 0; at < message.length; at += RATE_256 >> 2) {
    for (let i = 0; i < RATE_256 >> 2; i++) state[i]! ^= message[at + i]!;
    keccakF1600(state);
  }
}

/**
 * `node.rcs.mbps`: records as a gateway seals them, and `node.rcs.sha3.ratio`: against SHA3-256 of our own Keccak, the
 * kernel's. Beside them `node.rcs.kernel.mbps`: by the kernel of RCS-256, and of the gateway's own Keccak
 * `node.rcs.keccak.mbps`. All in the same rounds.
 */
export function benchNode(figures: Figures): void {
  const states = [0, 1].map(() => {
    const state = new Int32Array(RCS256_WORDS);
    rcsInit(state, new Uint8Array(32).fill(7), new Uint8Array(32), new Uint8Array(0));
    return state;
  });
  const module = loadModule();
  if (module === null) throw new Error('this Node has no WebAssembly with vectors');
  const packet = new Uint8Array(HEADER_BYTES + RECORD + TAG_BYTES);
  const blocks = Math.ceil(MESSAGE / RATE_256);
  const message = new Int32Array((blocks * RATE_256) >> 2).fill(3);
  const sponge = new Int32Array(50);
  const things: Record<string, readonly [bytes: number, run: () => void]> = {
    'node.rcs.mbps': [
      RECORD,
      () => rcsRecords.seal(states[0]!, packet, HEADER_BYTES, packet, HEADER_BYTES, RECORD),
    ],
    'node.rcs.kernel.mbps': [
      RECORD,
      () => rcsSeal(states[1]!, packet, HEADER_BYTES, packet, HEADER_BYTES, RECORD),
    ],
    'node.rcs.keccak.mbps': [blocks * RATE_256, () => module.absorb(WORK, blocks)],
    'node.sha3.mbps': [blocks * RATE_256, () => absorbBlocks(sponge, message)],
  };
  const rates: Record<string, number[]> = {};
  const ratios: number[] = [];
  // The first round is for the compilers.
  for (let round = -1; round < ROUNDS; round++) {
    const now: Record<string, number> = {};
    for (const [metric, [bytes, run]] of Object.entries(things)) now[metric] = rate(bytes, run);
    if (round < 0) continue;
    for (const metric of Object.keys(things)) (rates[metric] ??= []).push(now[metric]!);
    ratios.push(now['node.rcs.mbps']! / now['node.sha3.mbps']!);
  }
  for (const metric of Object.keys(things)) figures[metric] = median(rates[metric]!);
  figures['node.rcs.sha3.ratio'] = median(ratios);
}
