// What a tunnel has to say to its peer of its own accord.

import { copy, putU32 } from '../bytes.ts';
import { expire } from './decide.ts';
import { isPast, MeshFlag, MeshWord } from './node.ts';
import type { Mesh, MeshSlot } from './node.ts';
import { Inner } from './params.ts';
import { sealInto } from './seal.ts';
import type { QstpFrame } from './types.ts';

const W = MeshWord;

/** Room that the frames of {@link pollInto} take. */
export const POLL_BYTES = 64;

function clear(words: Int32Array, flag: number): void {
  words[W.flags] = words[W.flags]! & ~flag;
}

/** Says a number. */
function say(
  mesh: Mesh,
  slot: MeshSlot,
  kind: number,
  value: number,
  frame: QstpFrame,
  other: boolean,
): number {
  const { body } = mesh.scratch;
  putU32(body, 0, value);
  return sealInto(mesh, slot, kind, body, 0, 4, body, 0, frame, other);
}

/** The decision that is proposed: by its own route, and then by the present one. */
function announce(mesh: Mesh, slot: MeshSlot, frame: QstpFrame): number {
  const { words } = slot;
  const { body } = mesh.scratch;
  const again = (words[W.flags]! & MeshFlag.announced) !== 0;
  putU32(body, 0, words[W.otherDecision]!);
  copy(body, 4, mesh.routes.entries[words[W.otherRoute]!]!.hash, 0, 32);
  words[W.flags]! ^= MeshFlag.announced;
  if (again) words[W.announceAt] = (mesh.clock.monotonic() + mesh.announceMs) | 0;
  return sealInto(mesh, slot, Inner.decide, body, 0, 36, body, 0, frame, !again);
}

/**
 * Fills `frame` with what is due: call it after each frame that was opened, and now and then, until it returns 0, and
 * publish what it fills. It needs room for {@link POLL_BYTES}. Returns the bytes of the ciphertext; 0 if nothing is
 * due; a number of Refusal, negative, if it cannot be said now. Allocates nothing.
 */
export function pollInto(mesh: Mesh, slot: MeshSlot, frame: QstpFrame): number {
  const { words } = slot;
  expire(mesh, words);
  const flags = words[W.flags]!;
  if ((flags & MeshFlag.taken) === 0 || (flags & MeshFlag.closed) !== 0) return 0;
  if ((flags & MeshFlag.closing) !== 0) {
    const { body } = mesh.scratch;
    const sent = sealInto(mesh, slot, Inner.close, body, 0, 0, body, 0, frame, false);
    words[W.flags] = words[W.flags]! | MeshFlag.closed;
    return sent;
  }
  if ((flags & MeshFlag.following) !== 0) {
    clear(words, MeshFlag.following);
    // The new route may be good in one direction only: the peer is to hear it by the old one too.
    if (words[W.otherRoute] !== -1) {
      const sent = say(mesh, slot, Inner.follow, words[W.decision]!, frame, true);
      words[W.flags] = words[W.flags]! | MeshFlag.owesAck;
      return sent;
    }
  }
  if ((flags & MeshFlag.refusing) !== 0) {
    clear(words, MeshFlag.refusing);
    return say(mesh, slot, Inner.refuse, words[W.refused]!, frame, false);
  }
  if ((flags & MeshFlag.askRekey) !== 0) {
    clear(words, MeshFlag.askRekey);
    return say(mesh, slot, Inner.rekey, words[W.rxEpoch]! + 1, frame, false);
  }
  if ((flags & MeshFlag.owesTuple) !== 0) {
    clear(words, MeshFlag.owesTuple);
    return say(mesh, slot, Inner.tuple, words[W.tupleVersion]!, frame, false);
  }
  if ((flags & MeshFlag.proposing) !== 0) {
    const again = (flags & MeshFlag.announced) !== 0;
    if (again || isPast(mesh.clock.monotonic() | 0, words[W.announceAt]!)) return announce(mesh, slot, frame);
  }
  if ((words[W.flags]! & MeshFlag.owesAck) === 0) return 0;
  const { body } = mesh.scratch;
  return sealInto(mesh, slot, Inner.ack, body, 0, 0, body, 0, frame, false);
}
