// Handshakes that wait for their confirmation: a bounded number, two a peer, each for a time.

import { equal } from '../bytes.ts';
import { isPast } from './node.ts';
import { HALF_OPEN_MS } from './params.ts';
import type { MeshPeerId, QstpFrame } from './types.ts';
import { copyU64, u64Less } from './u64.ts';
import type { U64 } from './u64.ts';

const A_PEER = 2;

export interface HalfOpen {
  readonly peerId: MeshPeerId;
  /** The first message, hashed: the same again gets the same answer. */
  readonly first: Uint8Array;
  readonly tunnelId: Uint8Array;
  /** The answer. */
  readonly frame: QstpFrame;
  readonly since: number;
  /** Wipes its secrets. */
  forget(): void;
}

export interface HalfOpenTable<T extends HalfOpen> {
  readonly room: number;
  entries: T[];
}

export function createHalfOpen<T extends HalfOpen>(room: number): HalfOpenTable<T> {
  return { room, entries: [] };
}

/** Takes an entry out, and wipes it. */
export function removeHalfOpen<T extends HalfOpen>(table: HalfOpenTable<T>, entry: T): void {
  entry.forget();
  table.entries = table.entries.filter((other) => other !== entry);
}

/** Forgets what has waited for too long. */
export function purgeHalfOpen<T extends HalfOpen>(table: HalfOpenTable<T>, now: number): void {
  for (const entry of table.entries) {
    if (isPast(now, (entry.since + HALF_OPEN_MS) | 0)) removeHalfOpen(table, entry);
  }
}

function ofPeer<T extends HalfOpen>(table: HalfOpenTable<T>, peerId: MeshPeerId): T[] {
  return table.entries.filter((entry) => equal(entry.peerId, peerId));
}

/** True if a handshake of this peer would be taken: others' places are never given to it. */
export function hasRoom<T extends HalfOpen>(table: HalfOpenTable<T>, peerId: MeshPeerId): boolean {
  return table.entries.length < table.room || ofPeer(table, peerId).length > 0;
}

/** Takes an entry in, in the place of its peer's oldest if need be. */
export function addHalfOpen<T extends HalfOpen>(table: HalfOpenTable<T>, entry: T): void {
  const own = ofPeer(table, entry.peerId);
  if (own.length >= A_PEER || table.entries.length >= table.room) removeHalfOpen(table, own[0]!);
  table.entries.push(entry);
}

export function findByFirst<T extends HalfOpen>(table: HalfOpenTable<T>, first: Uint8Array): T | null {
  for (const entry of table.entries) if (equal(entry.first, first)) return entry;
  return null;
}

export function findByTunnel<T extends HalfOpen>(table: HalfOpenTable<T>, tunnelId: Uint8Array): T | null {
  for (const entry of table.entries) if (equal(entry.tunnelId, tunnelId)) return entry;
  return null;
}

// ---- Which handshakes are over --------------------------------------------------------------------------------------

/** The stamp of each peer's last complete handshake, for as many peers as there is room for. */
export interface StampTable {
  readonly room: number;
  readonly entries: { readonly peerId: MeshPeerId; readonly stamp: U64 }[];
}

/** True if the peer completed a handshake with this stamp or a later one. A stamp of 0 says nothing. */
export function isStale(table: StampTable, peerId: MeshPeerId, stamp: Readonly<U64>): boolean {
  if (stamp.low === 0 && stamp.high === 0) return false;
  for (const entry of table.entries) {
    if (equal(entry.peerId, peerId)) return !u64Less(entry.stamp, stamp);
  }
  return false;
}

/** A handshake is complete. If there is no room, the peer whose last was the longest ago is forgotten. */
export function noteStamp(table: StampTable, peerId: MeshPeerId, stamp: Readonly<U64>): void {
  const { entries } = table;
  for (let i = 0; i < entries.length; i++) {
    const entry = entries[i]!;
    if (!equal(entry.peerId, peerId)) continue;
    entries.splice(i, 1);
    if (u64Less(entry.stamp, stamp)) copyU64(entry.stamp, stamp);
    entries.push(entry);
    return;
  }
  if (entries.length >= table.room) entries.shift();
  entries.push({ peerId: peerId.slice(), stamp: { low: stamp.low, high: stamp.high } });
}
