// A node of the mesh: the slab its tunnels live in, the routes it knows, and what all of them share.
//
// A tunnel is one slot of the slab: `words` at the indices of MeshWord, and the AES-256-GCM states of both
// directions. Secrets are words too, low byte first, so that a slot has three views only.

import { getI32, wipe } from '../bytes.ts';
import { QstpError } from '../error.ts';
import { AES_GCM_WORDS } from '../crypto/micro/aes-gcm.ts';
import {
  ANNOUNCE_MS,
  DECISION_INTERVAL_MS,
  FRAMES_PER_KEY,
  FRAMES_PER_KEY_MAX,
  GRACE_MS,
  ROUTES,
} from './params.ts';
import { REFUSALS } from './reject.ts';
import { createRoutes } from './routes.ts';
import type { RouteTable } from './routes.ts';
import { createScratch } from './scratch.ts';
import type { Scratch } from './scratch.ts';

/** Indices into a slot's words. */
export const MeshWord = {
  /** Bits of {@link MeshFlag}. */
  flags: 0,
  txEpoch: 1,
  /** The number of the next frame under the present key. */
  txSequence: 2,
  rxEpoch: 3,
  /** The present route, by its index, and the decision that chose it. */
  route: 4,
  decision: 5,
  /** The route before, or the one proposed; -1: none. */
  otherRoute: 6,
  otherDecision: 7,
  /** The highest number of a decision so far. */
  lastDecision: 8,
  alternates: 9,
  /** ALTERNATES_MAX indices. */
  alternate: 10,
  /** Milliseconds of the node's counter. */
  decidedAt: 14,
  keyUntil: 15,
  routeUntil: 16,
  announceAt: 17,
  /** A decision that is refused. */
  refused: 18,
  /** Four replay windows: present key and route, present key and other route, key before and each. */
  windows: 19,
  tupleVersion: 31,
  sealed: 32,
  opened: 33,
  rejected: 34,
  establishedLow: 35,
  establishedHigh: 36,
  /** Secrets and names, in words. */
  tunnelId: 37,
  peerId: 41,
  peerProfile: 49,
  txBase: 57,
  /** Key and nonce base of the present epoch, and of the one before. */
  rxKey: 60,
  rxBefore: 71,
  /** The chains of the next epochs. */
  txNext: 82,
  rxNext: 90,
  tupleKey: 98,
  tuplePointer: 106,
  selfId: 110,
} as const;

export const MESH_SLOT_WORDS: number = MeshWord.selfId + 8;
/** Bytes of a tunnel in the slab. */
export const MESH_SLOT_BYTES: number = 4 * (MESH_SLOT_WORDS + 2 * AES_GCM_WORDS);

export const MeshFlag = {
  taken: 1,
  initiator: 2,
  /** This end decides on routes. */
  decider: 4,
  /** The peer has proved that it holds the keys. */
  confirmed: 8,
  /** The peer is to be told which key epoch this end has reached. */
  owesAck: 16,
  /** The next key is to be taken as soon as the peer has reached the present one. */
  rekeyWanted: 32,
  /** The peer has reached the present key epoch. */
  txReached: 64,
  /** The other route is one proposed; else it is the one before. */
  proposing: 128,
  /** There is a key before, good until keyUntil. */
  keyBefore: 256,
  /** The route before is good until routeUntil; without it, until the peer has left it. */
  routeTimed: 512,
  /** The peer is to be asked for its next key. */
  askRekey: 1024,
  refusing: 2048,
  owesTuple: 4096,
  closing: 8192,
  closed: 16384,
  /** The route is proposed over its own; the present one is next. */
  announced: 32768,
  /** The peer is to be told, by the route before too, that this end follows its decision. */
  following: 65536,
} as const;

export interface MeshClock {
  /** Milliseconds of a counter that no one sets, modulo 2^32. */
  monotonic(): number;
  /** Milliseconds since 1970; 0 if the time of day is not known. */
  wall(): number;
}

export interface MeshOptions {
  /** How many tunnels there can be. */
  readonly tunnels: number;
  readonly clock: MeshClock;
  /** How many routes can be registered; by default {@link ROUTES}. */
  readonly routes?: number;
  readonly framesPerKey?: number;
  readonly graceMs?: number;
  readonly decisionIntervalMs?: number;
  readonly announceMs?: number;
  /** A frame sent longer ago is refused; 0, and by default: none is. It takes clocks that know the time of day. */
  readonly maxAgeMs?: number;
}

/** Views of one slot. */
export interface MeshSlot {
  readonly words: Int32Array;
  readonly tx: Int32Array;
  readonly rx: Int32Array;
}

export interface Mesh {
  readonly clock: MeshClock;
  readonly framesPerKey: number;
  readonly graceMs: number;
  readonly decisionIntervalMs: number;
  readonly announceMs: number;
  readonly maxAgeMs: number;
  readonly routes: RouteTable;
  readonly scratch: Scratch;
  readonly slots: readonly MeshSlot[];
  /** How often each reason was given, by its number. */
  readonly refused: Int32Array;
}

function inRange(
  value: number | undefined,
  least: number,
  most: number,
  usual: number,
  name: string,
): number {
  if (value === undefined) return usual;
  if (value >= least && value <= most && Math.floor(value) === value) return value;
  throw new QstpError(
    'invalid_input',
    `mesh: ${name} takes a whole number from ${least} to ${most}, not ${value}`,
  );
}

/** Throws `invalid_input` for options out of range. */
export function createMesh(options: MeshOptions): Mesh {
  const count = inRange(options.tunnels, 1, 65535, 1, 'tunnels');
  const routes = inRange(options.routes, 1, 255, ROUTES, 'routes');
  const graceMs = inRange(options.graceMs, 0, 3600000, GRACE_MS, 'graceMs');
  const slab = new ArrayBuffer(count * MESH_SLOT_BYTES);
  const slots: MeshSlot[] = [];
  for (let i = 0; i < count; i++) {
    const at = i * MESH_SLOT_BYTES;
    const txAt = at + 4 * MESH_SLOT_WORDS;
    slots.push({
      words: new Int32Array(slab, at, MESH_SLOT_WORDS),
      tx: new Int32Array(slab, txAt, AES_GCM_WORDS),
      rx: new Int32Array(slab, txAt + 4 * AES_GCM_WORDS, AES_GCM_WORDS),
    });
  }
  return {
    clock: options.clock,
    framesPerKey: inRange(options.framesPerKey, 1, FRAMES_PER_KEY_MAX, FRAMES_PER_KEY, 'framesPerKey'),
    graceMs,
    // The route before must have been left by then.
    decisionIntervalMs: inRange(
      options.decisionIntervalMs,
      graceMs,
      86400000,
      DECISION_INTERVAL_MS > graceMs ? DECISION_INTERVAL_MS : graceMs,
      'decisionIntervalMs',
    ),
    announceMs: inRange(options.announceMs, 1, 3600000, ANNOUNCE_MS, 'announceMs'),
    maxAgeMs: inRange(options.maxAgeMs, 0, 86400000, 0, 'maxAgeMs'),
    routes: createRoutes(routes),
    scratch: createScratch(),
    slots,
    refused: new Int32Array(REFUSALS),
  };
}

/** A slot of zeros, or null if all are taken. */
export function takeSlot(mesh: Mesh): MeshSlot | null {
  for (let i = 0; i < mesh.slots.length; i++) {
    const slot = mesh.slots[i]!;
    if ((slot.words[MeshWord.flags]! & MeshFlag.taken) === 0) return slot;
  }
  return null;
}

/** Lets go of a slot: its secrets are wiped. */
export function freeSlot(mesh: Mesh, slot: MeshSlot): void {
  const { words } = slot;
  if ((words[MeshWord.flags]! & MeshFlag.taken) !== 0) {
    dropRoute(mesh, words[MeshWord.route]!);
    if (words[MeshWord.otherRoute] !== -1) dropRoute(mesh, words[MeshWord.otherRoute]!);
    for (let i = 0; i < words[MeshWord.alternates]!; i++) dropRoute(mesh, words[MeshWord.alternate + i]!);
  }
  wipe(words);
  wipe(slot.tx);
  wipe(slot.rx);
}

/** A tunnel more, or less, names a route. */
export function holdRoute(mesh: Mesh, index: number): void {
  mesh.routes.entries[index]!.users++;
}

export function dropRoute(mesh: Mesh, index: number): void {
  mesh.routes.entries[index]!.users--;
}

/** Counts a refusal, and returns its number, negative. */
export function refuse(mesh: Mesh, number: number): number {
  mesh.refused[number] = mesh.refused[number]! + 1;
  return -number;
}

/** Writes `count` words as bytes, low byte first. */
export function wordsOut(words: Int32Array, from: number, count: number, out: Uint8Array, at: number): void {
  for (let i = 0; i < count; i++) {
    const word = words[from + i]!;
    out[at] = word;
    out[at + 1] = word >> 8;
    out[at + 2] = word >> 16;
    out[at + 3] = word >> 24;
    at += 4;
  }
}

/** Reads `count` words from bytes. */
export function wordsIn(words: Int32Array, to: number, count: number, from: Uint8Array, at: number): void {
  for (let i = 0; i < count; i++) words[to + i] = getI32(from, at + 4 * i);
}

/** True if `count` words are the bytes at `at`. */
export function wordsAre(
  words: Int32Array,
  from: number,
  count: number,
  bytes: Uint8Array,
  at: number,
): boolean {
  let difference = 0;
  for (let i = 0; i < count; i++) difference |= words[from + i]! ^ getI32(bytes, at + 4 * i);
  return difference === 0;
}

/** True once the node's counter has reached `at`. */
export function isPast(now: number, at: number): boolean {
  return ((now - at) | 0) >= 0;
}
