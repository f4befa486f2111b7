// Key updates (docs/extensions.md, X5): each direction goes on under fresh keys when its sender says so, and the
// keys before cannot be found from those after.

import {
  ControlType,
  Feature,
  UPDATE_BYTES_HIGH,
  UPDATE_PACKETS,
  UPDATE_PACKETS_LEAST,
  UPDATE_SECONDS,
  UPDATE_SECONDS_LEAST,
} from '../params.ts';
import { ErrorCode, reject } from '../error.ts';
import { wipe } from '../bytes.ts';
import { slotSecrets, Word } from '../pool/slot.ts';
import type { Slot } from '../pool/slot.ts';
import { keyDirection, sendDirection } from './channel.ts';
import { emitControl } from './core.ts';
import type { SessionCore } from './core.ts';
import { nextChain } from './secrets.ts';

const TOO_SOON = /* @__PURE__ */ reject(
  'key_update',
  ErrorCode.keyUpdateInvalid,
  'the peer updates its key too often: 1,024 packets or an hour lie between two',
  true,
);

/** Puts `chain` in the place of direction `dir`'s, and keys the epoch after. The array is wiped. */
export function enterEpoch(slot: Slot, dir: number, chain: Uint8Array, now: number): void {
  const { words } = slot;
  const sending = dir === sendDirection(slot);
  slotSecrets(slot).set(chain, 32 * dir);
  wipe(chain);
  keyDirection(slot, dir, words[sending ? Word.txEpoch : Word.rxEpoch]! + 1);
  if (sending) {
    words[Word.txSince] = now | 0;
  } else {
    words[Word.rxFrom] = words[Word.rxLow]!;
    words[Word.rxSince] = now | 0;
  }
}

function advance(slot: Slot, dir: number, now: number): void {
  const sending = dir === sendDirection(slot);
  const epoch = slot.words[sending ? Word.txEpoch : Word.rxEpoch]!;
  const chain = slotSecrets(slot).subarray(32 * dir, 32 * dir + 32);
  enterEpoch(slot, dir, nextChain(chain, dir, epoch), now);
}

/** A client without a clock got the time with the hello: its epochs count from the first time it knows. */
function stampEpochs(words: Int32Array, now: number): void {
  if (words[Word.txSince] === 0) words[Word.txSince] = now | 0;
  if (words[Word.rxSince] === 0) words[Word.rxSince] = now | 0;
}

/** True if enough came under the peer's key that it may be replaced. */
export function updateTimely(slot: Slot, now: number): boolean {
  const { words } = slot;
  const packets = (words[Word.rxLow]! - words[Word.rxFrom]!) | 0;
  return packets >= UPDATE_PACKETS_LEAST || (now | 0) - words[Word.rxSince]! >= UPDATE_SECONDS_LEAST;
}

/** True if the sending key has done enough: {@link updateKeys} before the next record. */
export function updateDue(core: SessionCore, now: number): boolean {
  const { words } = core.slot;
  if ((words[Word.features]! & Feature.keyUpdate) === 0 || core.rekey !== null) return false;
  stampEpochs(words, now);
  const packets = words[Word.txPackets]!;
  const most = core.edge!.updatePackets ?? UPDATE_PACKETS;
  if (packets >= most || words[Word.txBytesHigh]! >= UPDATE_BYTES_HIGH) return true;
  return updateAllowed(core, now) && (now | 0) - words[Word.txSince]! >= UPDATE_SECONDS;
}

/** True if the peer would take an update now. */
export function updateAllowed(core: SessionCore, now: number): boolean {
  const { words } = core.slot;
  if (words[Word.txPackets]! >= UPDATE_PACKETS_LEAST) return true;
  stampEpochs(words, now);
  return (now | 0) - words[Word.txSince]! >= UPDATE_SECONDS_LEAST;
}

/** Type 06 as the last packet under the old key; the next one goes under the new. */
export function updateKeys(core: SessionCore, now: number): void {
  emitControl(core, new Uint8Array([ControlType.keyUpdate]), now);
  advance(core.slot, sendDirection(core.slot), now);
}

export function receiveUpdate(core: SessionCore, body: Uint8Array, now: number): void {
  const { slot } = core;
  const { words } = slot;
  const agreed = (words[Word.features]! & Feature.keyUpdate) !== 0;
  if (!updateTimely(slot, now) || !agreed || body.length !== 1) core.fail(TOO_SOON, now);
  else advance(slot, 1 - sendDirection(slot), now);
}
