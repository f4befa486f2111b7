// An end that answers handshakes, whichever way their keys are agreed on.

import { equal } from '../bytes.ts';
import type { Random } from '../crypto/provider.ts';
import { createHalfOpen, purgeHalfOpen } from './half-open.ts';
import type { HalfOpen, HalfOpenTable, StampTable } from './half-open.ts';
import type { Mesh } from './node.ts';
import { HALF_OPEN, STAMPS } from './params.ts';
import { Refusal, refusal } from './reject.ts';
import type { MeshReject } from './reject.ts';
import type { MeshPeerId, MeshRoutePlan } from './types.ts';

export interface AnswerOptions {
  /** Of whose clock and counters use is made. */
  readonly mesh: Mesh;
  readonly random: Random;
  /** Whether the application takes a tunnel on this route with this peer; without it, all are taken. */
  acceptRoute?(route: MeshRoutePlan, peerId: MeshPeerId): boolean;
  /** Of this end's runtime profile, 32 bytes; without it, zeros. */
  readonly profileHash?: Uint8Array;
  /** What the peer's has to be; without it, any is taken. */
  readonly expectProfile?: Uint8Array;
  readonly data?: Uint8Array;
  /** Handshakes that wait for their confirmation: twice as many as there are peers, if none is to wait for others. */
  readonly halfOpen?: number;
  /** Peers whose last handshake is remembered. */
  readonly stamps?: number;
}

export interface Answering<O extends AnswerOptions, T extends HalfOpen> {
  readonly options: O;
  readonly waiting: HalfOpenTable<T>;
  readonly stamps: StampTable;
}

export function createAnswering<O extends AnswerOptions, T extends HalfOpen>(options: O): Answering<O, T> {
  return {
    options,
    waiting: createHalfOpen<T>(options.halfOpen ?? HALF_OPEN),
    stamps: { room: options.stamps ?? STAMPS, entries: [] },
  };
}

/** The time; what has waited for too long by then is forgotten. */
export function timeAt<T extends HalfOpen>(end: Answering<AnswerOptions, T>): number {
  const now = end.options.mesh.clock.monotonic() | 0;
  purgeHalfOpen(end.waiting, now);
  return now;
}

/** A refusal, counted. */
export function refused(end: { readonly options: AnswerOptions }, number: number): MeshReject {
  const { mesh } = end.options;
  mesh.refused[number] = mesh.refused[number]! + 1;
  return refusal(number);
}

/** Why a peer that proved who it is does not get its tunnel, or 0. */
export function whyUnwanted(
  options: AnswerOptions,
  profile: Uint8Array,
  route: MeshRoutePlan,
  peerId: MeshPeerId,
): number {
  const { expectProfile, acceptRoute } = options;
  if (expectProfile !== undefined && !equal(expectProfile, profile)) return Refusal.profile;
  if (acceptRoute !== undefined && !acceptRoute(route, peerId)) return Refusal.routeRefused;
  return 0;
}
