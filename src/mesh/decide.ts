// Decisions on routes, in band: one end decides, every decision has a number, and both ends follow it before the
// deciding one leaves the route. Nothing here seals: what is to be said is noted in the flags, and poll.ts says it.

import { getU32 } from '../bytes.ts';
import { forgetKeyBefore } from './keys.ts';
import { dropRoute, holdRoute, isPast, MeshFlag, MeshWord, refuse } from './node.ts';
import type { Mesh, MeshSlot } from './node.ts';
import { Inner } from './params.ts';
import { Refusal } from './reject.ts';
import { findRoute } from './routes.ts';
import { windowClear, windowCopy, windowSwap, WINDOW_WORDS } from './window.ts';

const W = MeshWord;

/** By which of the tunnel's routes a frame came: the present, the other, or one that the peer has just decided on. */
export const PRESENT = 0;
export const OTHER = 1;
export const DECIDED = 2;

/** What has had its time goes: the key and the route before. */
export function expire(mesh: Mesh, words: Int32Array): void {
  const flags = words[W.flags]!;
  if ((flags & (MeshFlag.keyBefore | MeshFlag.routeTimed)) === 0) return;
  const now = mesh.clock.monotonic() | 0;
  if ((flags & MeshFlag.keyBefore) !== 0 && isPast(now, words[W.keyUntil]!)) forgetKeyBefore(words);
  if ((flags & MeshFlag.routeTimed) !== 0 && isPast(now, words[W.routeUntil]!)) leaveOther(mesh, words);
}

/** There is no other route any more. */
function leaveOther(mesh: Mesh, words: Int32Array): void {
  if (words[W.otherRoute] !== -1) dropRoute(mesh, words[W.otherRoute]!);
  words[W.otherRoute] = -1;
  words[W.flags] = words[W.flags]! & ~(MeshFlag.routeTimed | MeshFlag.proposing);
}

/** The index of a route among the tunnel's own by its hash; else -1. */
export function registered(mesh: Mesh, words: Int32Array, hash: Uint8Array, at: number): number {
  const index = findRoute(mesh.routes, hash, at);
  if (index === -1 || index === words[W.route] || index === words[W.otherRoute]) return index;
  return alternateAt(words, index) === -1 ? -1 : index;
}

function alternateAt(words: Int32Array, index: number): number {
  for (let i = 0; i < words[W.alternates]!; i++) if (words[W.alternate + i] === index) return i;
  return -1;
}

/** Takes a route out of the alternates. */
function removeAlternate(mesh: Mesh, words: Int32Array, index: number): void {
  const at = alternateAt(words, index);
  if (at === -1) return;
  dropRoute(mesh, index);
  const last = words[W.alternates]! - 1;
  for (let i = at; i < last; i++) words[W.alternate + i] = words[W.alternate + i + 1]!;
  words[W.alternates] = last;
}

/** Present and alternate change places; the route that is left is the other one. */
function swapRoutes(mesh: Mesh, words: Int32Array, index: number, decision: number): void {
  const old = words[W.route]!;
  const at = alternateAt(words, index);
  holdRoute(mesh, old);
  if (at === -1) {
    holdRoute(mesh, index);
    dropRoute(mesh, old);
  } else {
    words[W.alternate + at] = old;
  }
  words[W.otherRoute] = old;
  words[W.otherDecision] = words[W.decision]!;
  words[W.route] = index;
  words[W.decision] = decision;
  words[W.lastDecision] = decision;
  words[W.decidedAt] = mesh.clock.monotonic() | 0;
}

/** This end follows a decision of its peer. */
function follow(mesh: Mesh, words: Int32Array, index: number, decision: number): void {
  leaveOther(mesh, words);
  swapRoutes(mesh, words, index, decision);
  for (let key = 0; key < 4; key += 2) {
    const at = W.windows + WINDOW_WORDS * key;
    windowCopy(words, at + WINDOW_WORDS, at);
    windowClear(words, at);
  }
}

/** The peer follows: this end leaves the route now. */
function complete(mesh: Mesh, words: Int32Array): void {
  const index = words[W.otherRoute]!;
  const decision = words[W.otherDecision]!;
  const left = words[W.route]!;
  leaveOther(mesh, words);
  if (index !== left) swapRoutes(mesh, words, index, decision);
  for (let key = 0; key < 4; key += 2) {
    const at = W.windows + WINDOW_WORDS * key;
    windowSwap(words, at, at + WINDOW_WORDS);
  }
  words[W.routeUntil] = (mesh.clock.monotonic() + mesh.graceMs) | 0;
  words[W.flags] = words[W.flags]! | MeshFlag.routeTimed;
}

/** True if the peer's decision comes sooner after its last one than half the interval. */
function isTooSoon(mesh: Mesh, words: Int32Array): boolean {
  if (words[W.decision] === 0) return false;
  return !isPast(mesh.clock.monotonic() | 0, (words[W.decidedAt]! + (mesh.decisionIntervalMs >> 1)) | 0);
}

/**
 * An authentic frame came by the route at `index` under `decision`: what that says about routes. Returns the column of
 * its replay window, 0 or 1; or a refusal, negative.
 */
export function arrived(
  mesh: Mesh,
  words: Int32Array,
  stand: number,
  index: number,
  decision: number,
  kind: number,
): number {
  const flags = words[W.flags]!;
  if (stand === DECIDED) {
    if (isTooSoon(mesh, words)) return -Refusal.decisionTooSoon;
    follow(mesh, words, index, decision);
    words[W.flags] = words[W.flags]! | MeshFlag.owesAck | MeshFlag.following;
    return PRESENT;
  }
  if (stand === OTHER) {
    if ((flags & MeshFlag.proposing) === 0) return OTHER;
    complete(mesh, words);
    return PRESENT;
  }
  // The deciding end seals under its decision when it knows that this end follows: it has left the route before.
  const leaves = MeshFlag.decider | MeshFlag.routeTimed;
  if ((flags & leaves) === 0 && words[W.otherRoute] !== -1 && kind !== Inner.decide) {
    words[W.routeUntil] = (mesh.clock.monotonic() + mesh.graceMs) | 0;
    words[W.flags] = flags | MeshFlag.routeTimed;
  }
  return PRESENT;
}

/** A decision of the peer, told by any route. */
function heard(mesh: Mesh, words: Int32Array, data: Uint8Array, at: number): number {
  const decision = getU32(data, at) | 0;
  if ((words[W.flags]! & MeshFlag.decider) !== 0) return refuse(mesh, Refusal.decision);
  if (decision > words[W.lastDecision]!) {
    const index = registered(mesh, words, data, at + 4);
    if (index === -1) {
      words[W.lastDecision] = decision;
      words[W.refused] = decision;
    } else {
      if (isTooSoon(mesh, words)) return refuse(mesh, Refusal.decisionTooSoon);
      follow(mesh, words, index, decision);
    }
  }
  // Told again what it knows, the peer has not heard the answer.
  if (decision === words[W.refused]) words[W.flags] = words[W.flags]! | MeshFlag.refusing;
  if (decision === words[W.decision])
    words[W.flags] = words[W.flags]! | MeshFlag.owesAck | MeshFlag.following;
  return -Refusal.control;
}

/** The peer does not have the route. */
function refusedBy(mesh: Mesh, words: Int32Array, decision: number): void {
  if ((words[W.flags]! & MeshFlag.proposing) === 0 || decision !== words[W.otherDecision]) return;
  const index = words[W.otherRoute]!;
  leaveOther(mesh, words);
  removeAlternate(mesh, words, index);
}

/** How many bytes a control message has; -1: it is not known. */
function bodyBytes(kind: number): number {
  if (kind === Inner.ack || kind === Inner.close) return 0;
  if (kind === Inner.decide) return 36;
  return kind === Inner.refuse || kind === Inner.rekey || kind === Inner.tuple || kind === Inner.follow
    ? 4
    : -1;
}

/** A control message of `length` bytes at `data[at]`. */
export function control(
  mesh: Mesh,
  slot: MeshSlot,
  kind: number,
  data: Uint8Array,
  at: number,
  length: number,
): number {
  const { words } = slot;
  if (bodyBytes(kind) !== length) return refuse(mesh, Refusal.controlUnknown);
  if (kind === Inner.decide) return heard(mesh, words, data, at);
  if (kind === Inner.close) {
    words[W.flags] = words[W.flags]! | MeshFlag.closed;
    return -Refusal.control;
  }
  if (kind === Inner.ack) return -Refusal.control;
  const number = getU32(data, at) | 0;
  const flags = words[W.flags]!;
  if (kind === Inner.refuse) refusedBy(mesh, words, number);
  else if (kind === Inner.follow) {
    if ((flags & MeshFlag.proposing) !== 0 && number === words[W.otherDecision]) complete(mesh, words);
  } else if (kind === Inner.rekey) {
    // One step and no more, however often it is asked.
    if (number === words[W.txEpoch]! + 1) words[W.flags] = flags | MeshFlag.rekeyWanted;
  } else if (number > words[W.tupleVersion]!) {
    words[W.tupleVersion] = number;
  }
  return -Refusal.control;
}

// ---- The deciding end ---------------------------------------------------------------------------------------------

/** Why no decision can be made now: `peer-decides`, `held`; or null. */
export function whyHeld(mesh: Mesh, slot: MeshSlot): 'peer-decides' | 'held' | null {
  const { words } = slot;
  expire(mesh, words);
  const flags = words[W.flags]!;
  if ((flags & MeshFlag.decider) === 0) return 'peer-decides';
  if ((flags & MeshFlag.confirmed) === 0 || words[W.otherRoute] !== -1) return 'held';
  const next = (words[W.decidedAt]! + mesh.decisionIntervalMs) | 0;
  return words[W.lastDecision] !== 0 && !isPast(mesh.clock.monotonic() | 0, next) ? 'held' : null;
}

/** Proposes the route at `index` to the peer, until it follows or refuses. */
export function propose(mesh: Mesh, slot: MeshSlot, index: number): void {
  const { words } = slot;
  const decision = words[W.lastDecision]! + 1;
  holdRoute(mesh, index);
  words[W.lastDecision] = decision;
  words[W.otherRoute] = index;
  words[W.otherDecision] = decision;
  words[W.decidedAt] = words[W.announceAt] = mesh.clock.monotonic() | 0;
  windowClear(words, W.windows + WINDOW_WORDS);
  windowClear(words, W.windows + 3 * WINDOW_WORDS);
  words[W.flags] = (words[W.flags]! & ~MeshFlag.announced) | MeshFlag.proposing;
}

/** The next keys in both directions, as soon as each end has reached the present ones. */
export function wantKeys(slot: MeshSlot): void {
  const { words } = slot;
  words[W.flags] = words[W.flags]! | MeshFlag.rekeyWanted | MeshFlag.askRekey;
}
