// Keys of a tunnel by epoch: each direction has a chain of its own, which goes one way.
//
//   chain(d, 0) = KDF(secret, "chain", d || T)        d = 0: initiator to responder, 1: back
//   key(d, e) || base(d, e) = KDF(chain(d, e), "key", d || u32 e)
//   chain(d, e + 1) = KDF(chain(d, e), "next", d || u32 e + 1)

import { copy, putU32, wipe } from '../bytes.ts';
import { aesGcmInit } from '../crypto/micro/aes-gcm.ts';
import { MeshFlag, MeshWord, wordsIn, wordsOut } from './node.ts';
import type { Mesh, MeshSlot } from './node.ts';
import { derive, wipeScratch } from './scratch.ts';
import type { Scratch } from './scratch.ts';
import { windowClear, windowCopy, WINDOW_WORDS } from './window.ts';

const W = MeshWord;
const KEY_BYTES = 44;
const KEY_WORDS = 11;

/** Direction of what this end sends. */
export function directionOf(words: Int32Array, sends: boolean): number {
  const initiator = (words[W.flags]! & MeshFlag.initiator) !== 0;
  return initiator === sends ? 0 : 1;
}

/** Loads the chain at `chainAt` and derives from it: 44 bytes of "key" or 32 of "next", in `s.out`. */
function fromChain(
  s: Scratch,
  words: Int32Array,
  chainAt: number,
  label: 'key' | 'next',
  direction: number,
  epoch: number,
): void {
  wordsOut(words, chainAt, 8, s.key, 0);
  s.context[0] = direction;
  putU32(s.context, 1, epoch);
  derive(s, 'mesh/2 ' + label, 5, label === 'key' ? KEY_BYTES : 32);
}

/** The chain at `chainAt` becomes the next, of `epoch`. */
function stepChain(s: Scratch, words: Int32Array, chainAt: number, direction: number, epoch: number): void {
  fromChain(s, words, chainAt, 'next', direction, epoch);
  wordsIn(words, chainAt, 8, s.out, 0);
}

/** Keys `state` with the 32 bytes at `s.out`. */
function keyFromOut(s: Scratch, state: Int32Array): void {
  copy(s.key, 0, s.out, 0, 32);
  aesGcmInit(state, s.key);
}

/** Sets up both directions at epoch 0 from `s.key`, the secret of the tunnel, and the transcript hash. */
export function startKeys(slot: MeshSlot, s: Scratch, secret: Uint8Array, transcript: Uint8Array): void {
  const { words } = slot;
  for (let sends = 0; sends < 2; sends++) {
    copy(s.key, 0, secret, 0, 32);
    const direction = directionOf(words, sends === 1);
    s.context[0] = direction;
    copy(s.context, 1, transcript, 0, 32);
    derive(s, 'mesh/2 chain', 33, 32);
    const chainAt = sends === 1 ? W.txNext : W.rxNext;
    wordsIn(words, chainAt, 8, s.out, 0);
    fromChain(s, words, chainAt, 'key', direction, 0);
    if (sends === 1) wordsIn(words, W.txBase, 3, s.out, 32);
    else wordsIn(words, W.rxKey, KEY_WORDS, s.out, 0);
    keyFromOut(s, sends === 1 ? slot.tx : slot.rx);
    stepChain(s, words, chainAt, direction, 1);
  }
  copy(s.key, 0, secret, 0, 32);
  copy(s.context, 0, transcript, 0, 32);
  derive(s, 'mesh/2 tuple key', 32, 32);
  wordsIn(words, W.tupleKey, 8, s.out, 0);
  derive(s, 'mesh/2 tuple pointer', 32, 16);
  wordsIn(words, W.tuplePointer, 4, s.out, 0);
  wipeScratch(s);
}

/** This end seals under the next key from now on; the present one is gone. */
export function advanceTx(mesh: Mesh, slot: MeshSlot): void {
  const { words } = slot;
  const s = mesh.scratch;
  const direction = directionOf(words, true);
  const epoch = words[W.txEpoch]! + 1;
  fromChain(s, words, W.txNext, 'key', direction, epoch);
  wordsIn(words, W.txBase, 3, s.out, 32);
  keyFromOut(s, slot.tx);
  stepChain(s, words, W.txNext, direction, epoch + 1);
  words[W.txEpoch] = epoch;
  words[W.txSequence] = 0;
  words[W.flags] = words[W.flags]! & ~(MeshFlag.txReached | MeshFlag.rekeyWanted);
  wipeScratch(s);
}

/** The key before, into `s.spare`; its nonce base is at W.rxBefore + 8. */
export function keyBefore(mesh: Mesh, words: Int32Array): Int32Array {
  const s = mesh.scratch;
  wordsOut(words, W.rxBefore, 8, s.key, 0);
  aesGcmInit(s.spare, s.key);
  wipe(s.key);
  return s.spare;
}

/** The next key, into `s.spare`; key and nonce base stay in `s.out`. */
export function keyAhead(mesh: Mesh, words: Int32Array): Int32Array {
  const s = mesh.scratch;
  fromChain(s, words, W.rxNext, 'key', directionOf(words, false), words[W.rxEpoch]! + 1);
  keyFromOut(s, s.spare);
  return s.spare;
}

/** A frame under the next key opened: it is the present one now, and the present one the one before, for a time. */
export function advanceRx(mesh: Mesh, slot: MeshSlot): void {
  const { words, rx } = slot;
  const s = mesh.scratch;
  const epoch = words[W.rxEpoch]! + 1;
  for (let i = 0; i < KEY_WORDS; i++) words[W.rxBefore + i] = words[W.rxKey + i]!;
  wordsIn(words, W.rxKey, KEY_WORDS, s.out, 0);
  for (let i = 0; i < rx.length; i++) rx[i] = s.spare[i]!;
  stepChain(s, words, W.rxNext, directionOf(words, false), epoch + 1);
  words[W.rxEpoch] = epoch;
  windowCopy(words, W.windows + 2 * WINDOW_WORDS, W.windows);
  windowCopy(words, W.windows + 3 * WINDOW_WORDS, W.windows + WINDOW_WORDS);
  windowClear(words, W.windows);
  windowClear(words, W.windows + WINDOW_WORDS);
  words[W.keyUntil] = (mesh.clock.monotonic() + mesh.graceMs) | 0;
  words[W.flags] = words[W.flags]! | MeshFlag.keyBefore | MeshFlag.owesAck;
}

/** The key before is gone. */
export function forgetKeyBefore(words: Int32Array): void {
  for (let i = 0; i < KEY_WORDS; i++) words[W.rxBefore + i] = 0;
  words[W.flags] = words[W.flags]! & ~MeshFlag.keyBefore;
}
