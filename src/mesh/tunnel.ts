// A tunnel of mesh/2, as applications have it: over the functions that devices call themselves to allocate nothing.

import { copyOf, isZero, wipe } from '../bytes.ts';
import { QstpError } from '../error.ts';
import type { QaceDecision, QaceEngine, QaceMetrics } from '../qace/simple.ts';
import { propose, wantKeys, whyHeld } from './decide.ts';
import type { MeshKeys } from './handshake.ts';
import { startKeys } from './keys.ts';
import { dropRoute, freeSlot, holdRoute, MeshFlag, MeshWord, refuse, takeSlot } from './node.ts';
import { wordsAre, wordsIn, wordsOut } from './node.ts';
import type { Mesh, MeshSlot } from './node.ts';
import { openInto } from './open.ts';
import { ALTERNATES_MAX, Inner, INNER_BYTES } from './params.ts';
import { POLL_BYTES, pollInto } from './poll.ts';
import { Refusal, refusal } from './reject.ts';
import type { MeshReject } from './reject.ts';
import { addRoute, registerRoute, setRouteState } from './routes.ts';
import type { RouteEntry, RouteState } from './routes.ts';
import { FRAME_OVERHEAD, sealInto } from './seal.ts';
import { createFrame, TUNNEL_ID_BYTES } from './types.ts';
import type { MeshPeerId, MeshRoutePlan, QstpFrame, TunnelId, TupleChainStore } from './types.ts';
import { fetchTuple, putTuple } from './tuple.ts';
import type { TupleMetadata } from './tuple.ts';
import type { Random } from '../crypto/provider.ts';
import { u64 } from './u64.ts';

const W = MeshWord;

/** Where what a frame carries begins, from `ciphertextAt` on, once it is open. */
export const PAYLOAD_AT: number = INNER_BYTES;

export interface TunnelStatus {
  /** Both ends are known to hold the keys: data can be sealed. */
  readonly confirmed: boolean;
  readonly closed: boolean;
  readonly txEpoch: number;
  readonly rxEpoch: number;
  /** Number of the decision that chose the route. */
  readonly decision: number;
  /** A decision that the peer has not followed yet. */
  readonly proposing: boolean;
  /** Frames, modulo 2^32. */
  readonly sealed: number;
  readonly opened: number;
  readonly rejected: number;
}

export class QstpTunnel {
  readonly mesh: Mesh;
  readonly slot: MeshSlot;
  constructor(mesh: Mesh, slot: MeshSlot) {
    this.mesh = mesh;
    this.slot = slot;
  }

  tunnelId(): TunnelId {
    const out = new Uint8Array(TUNNEL_ID_BYTES);
    wordsOut(this.slot.words, W.tunnelId, 4, out, 0);
    return out;
  }

  peerId(): MeshPeerId {
    const out = new Uint8Array(32);
    wordsOut(this.slot.words, W.peerId, 8, out, 0);
    return out;
  }

  /** The hash of the program the peer runs, as it said in the handshake; zeros: it did not. */
  peerProfile(): Uint8Array {
    const out = new Uint8Array(32);
    wordsOut(this.slot.words, W.peerProfile, 8, out, 0);
    return out;
  }

  /** The present route. */
  route(): MeshRoutePlan {
    return this.entry(this.slot.words[W.route]!).plan;
  }

  alternates(): MeshRoutePlan[] {
    const { words } = this.slot;
    const out: MeshRoutePlan[] = [];
    for (let i = 0; i < words[W.alternates]!; i++) out.push(this.entry(words[W.alternate + i]!).plan);
    return out;
  }

  status(): TunnelStatus {
    const { words } = this.slot;
    const flags = words[W.flags]!;
    return {
      confirmed: (flags & MeshFlag.confirmed) !== 0,
      closed: (flags & MeshFlag.taken) === 0 || (flags & MeshFlag.closed) !== 0,
      txEpoch: words[W.txEpoch]!,
      rxEpoch: words[W.rxEpoch]!,
      decision: words[W.decision]!,
      proposing: (flags & MeshFlag.proposing) !== 0,
      sealed: words[W.sealed]! >>> 0,
      opened: words[W.opened]! >>> 0,
      rejected: words[W.rejected]! >>> 0,
    };
  }

  /**
   * Seals a message. Throws `not_confirmed` until the peer has confirmed, `closed`, `key_exhausted`; `invalid_length`
   * for associated data of more than 64 bytes, which both ends have to know.
   */
  seal(plaintext: Uint8Array, aad: Uint8Array = new Uint8Array(0)): QstpFrame {
    const frame = createFrame(plaintext.length + FRAME_OVERHEAD);
    const { length } = plaintext;
    const sealed = sealInto(
      this.mesh,
      this.slot,
      Inner.data,
      plaintext,
      0,
      length,
      aad,
      aad.length,
      frame,
      false,
    );
    if (sealed >= 0) return frame;
    const { reason, detail } = refusal(sealed);
    throw new QstpError(reason, 'mesh: ' + detail);
  }

  /** The message of a frame, which is decrypted in place; null if it was for the tunnel itself; or why it is refused. */
  open(frame: QstpFrame, aad: Uint8Array = new Uint8Array(0)): Uint8Array | MeshReject | null {
    const length = openInto(this.mesh, this.slot, frame, aad, aad.length);
    if (length === -Refusal.control) return null;
    if (length < 0) return refusal(length);
    const at = frame.ciphertextAt + PAYLOAD_AT;
    return copyOf(frame.ciphertext, at, at + length);
  }

  /** What the tunnel has to say of its own accord, to be published; null if that is nothing. */
  poll(): QstpFrame | null {
    const frame = createFrame(POLL_BYTES);
    return pollInto(this.mesh, this.slot, frame) > 0 ? frame : null;
  }

  /**
   * The routes that either end may decide to take, at most {@link ALTERNATES_MAX}, in the place of those before. Both
   * ends register the same. Throws `invalid_input`, and `routes_full`.
   */
  registerAlternateRoutes(routes: readonly MeshRoutePlan[]): void {
    const { mesh } = this;
    const { words } = this.slot;
    if (routes.length > ALTERNATES_MAX)
      throw new QstpError('invalid_input', `mesh: a tunnel has at most ${ALTERNATES_MAX} alternates`);
    const indices: number[] = [];
    try {
      for (const plan of routes) {
        const index = registerRoute(mesh.routes, plan);
        // Held at once: what nobody uses gives way to the next.
        holdRoute(mesh, index);
        indices.push(index);
      }
    } catch (error) {
      for (const index of indices) dropRoute(mesh, index);
      throw error;
    }
    for (let i = 0; i < words[W.alternates]!; i++) dropRoute(mesh, words[W.alternate + i]!);
    words[W.alternates] = 0;
    for (const index of indices) {
      if (index === words[W.route] || this.isAlternate(index)) dropRoute(mesh, index);
      else words[W.alternate + words[W.alternates]!++] = index;
    }
  }

  /** Tells what is known of a route besides its plan: whether it is viable, how fresh, and what was measured on it. */
  routeState(plan: MeshRoutePlan, state: RouteState): void {
    setRouteState(this.entry(registerRoute(this.mesh.routes, plan)), state);
  }

  /**
   * Lets a controller decide over the present route and its alternates. A new route is proposed to the peer, and taken
   * when it follows; new keys are taken by both ends. Nothing is decided at the end that is not the deciding one
   * (rationale `peer-decides`), nor while a decision is under way or too fresh (`held`). Throws what the engine throws.
   */
  applyQace(metrics: QaceMetrics, engine: QaceEngine): QaceDecision {
    const { words } = this.slot;
    const why = whyHeld(this.mesh, this.slot);
    const indices: number[] = [words[W.route]!];
    for (let i = 0; i < words[W.alternates]!; i++) indices.push(words[W.alternate + i]!);
    const out: QaceDecision = {
      action: 'maintain',
      score: 0,
      rationale: why ?? '',
      order: new Uint8Array(indices.length),
      count: indices.length,
      generations: 1,
      staleGenerations: 0,
      confidence: 1,
    };
    for (let i = 0; i < indices.length; i++) out.order[i] = i;
    if (why !== null) return out;
    const routes = indices.map((index) => this.entry(index));
    const decision = engine.evaluate({ telemetryEpoch: words[W.decision]!, metrics, routes }, out);
    const first = decision.order[0]!;
    if (decision.action === 'reroute' && first !== 0) propose(this.mesh, this.slot, indices[first]!);
    else if (decision.action === 'rekey') this.rekey();
    return decision;
  }

  /** The next keys for both directions, as soon as each end has reached the present ones. */
  rekey(): void {
    wantKeys(this.slot);
  }

  /**
   * Stores what both ends may know of the tunnel, sealed, in the place of what was stored before; the peer is told its
   * version. Calls back with null, or why it was not stored.
   */
  putTupleMetadata(store: TupleChainStore, random: Random, done: (why: MeshReject | null) => void): void {
    putTuple(this.mesh, this.slot, store, random, done);
  }

  /** What was stored last, by either end; or why it is refused. */
  fetchTupleMetadata(store: TupleChainStore, done: (found: TupleMetadata | MeshReject) => void): void {
    fetchTuple(this.mesh, this.slot, store, done);
  }

  /** Says farewell with the next poll; nothing is sealed or opened after that. */
  close(): void {
    this.slot.words[W.flags]! |= MeshFlag.closing;
  }

  /** Lets go of the slot: the keys are wiped. The tunnel is not to be used again. */
  dispose(): void {
    freeSlot(this.mesh, this.slot);
  }

  private isAlternate(index: number): boolean {
    const { words } = this.slot;
    for (let i = 0; i < words[W.alternates]!; i++) if (words[W.alternate + i] === index) return true;
    return false;
  }

  private entry(index: number): RouteEntry {
    return this.mesh.routes.entries[index]!;
  }
}

/**
 * A tunnel of the keys of a handshake, which are wiped. The initiator's seals nothing until it has opened a frame.
 * Refused if there is no slot, or no room for the route. Throws `keys_used` for keys that were taken.
 */
export function establishTunnel(mesh: Mesh, keys: MeshKeys): QstpTunnel | MeshReject {
  if (isZero(keys.secret)) throw new QstpError('keys_used', 'mesh: these keys were taken by another tunnel');
  const slot = takeSlot(mesh);
  if (slot === null) return refusal(refuse(mesh, Refusal.noTunnel));
  const index = addRoute(mesh.routes, keys.route);
  if (index === -1) return refusal(refuse(mesh, Refusal.routeRefused));
  const { words } = slot;
  holdRoute(mesh, index);
  words[W.route] = index;
  words[W.otherRoute] = -1;
  words[W.flags] =
    MeshFlag.taken |
    MeshFlag.txReached |
    (keys.initiator ? MeshFlag.initiator : MeshFlag.confirmed | MeshFlag.owesAck) |
    (keys.decider ? MeshFlag.decider : 0);
  wordsIn(words, W.tunnelId, 4, keys.tunnelId, 0);
  wordsIn(words, W.selfId, 8, keys.selfId, 0);
  wordsIn(words, W.peerId, 8, keys.peerId, 0);
  wordsIn(words, W.peerProfile, 8, keys.peerProfile, 0);
  const now = u64(Math.floor(mesh.clock.wall()));
  words[W.establishedLow] = now.low;
  words[W.establishedHigh] = now.high;
  startKeys(slot, mesh.scratch, keys.secret, keys.transcript);
  wipe(keys.secret);
  return new QstpTunnel(mesh, slot);
}

/** The slot of a tunnel by its id, or null: for what comes from the overlay. */
export function findTunnel(mesh: Mesh, tunnelId: Uint8Array): MeshSlot | null {
  if (tunnelId.length !== TUNNEL_ID_BYTES) return null;
  for (let i = 0; i < mesh.slots.length; i++) {
    const slot = mesh.slots[i]!;
    const taken = (slot.words[W.flags]! & MeshFlag.taken) !== 0;
    if (taken && wordsAre(slot.words, W.tunnelId, 4, tunnelId, 0)) return slot;
  }
  return null;
}

/**
 * {@link establishTunnel}, with the tunnel's metadata stored. Calls back when they are, or when it is known that they
 * are not: then with the tunnel and the reason.
 */
export function establishRuntimeTunnel(
  mesh: Mesh,
  keys: MeshKeys,
  store: TupleChainStore,
  random: Random,
  done: (tunnel: QstpTunnel | null, why: MeshReject | null) => void,
): void {
  const tunnel = establishTunnel(mesh, keys);
  if (!(tunnel instanceof QstpTunnel)) done(null, tunnel);
  else tunnel.putTupleMetadata(store, random, (why) => done(tunnel, why));
}
