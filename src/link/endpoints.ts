// Which of a client's servers to try, and when: in their order, each with pauses of its own that grow and are
// drawn at random (reconnect.ts), so that neither a server that is away nor a fleet that lost one is hammered.
// A path chooser (QACE) may prefer another order; it cannot shorten a pause.
//
// Times are milliseconds, modulo 2^32, and may jump: a wait that is longer than any pause is none.

import { WITH_FAILOVER, WITH_PATHS } from '../features.ts';
import { QstpError } from '../error.ts';
import { BACKOFF_MAX_MS, createBackoff } from './reconnect.ts';
import type { Backoff, BackoffOptions } from './reconnect.ts';

/** What a chooser sees of an endpoint. */
export interface PathState {
  /** Place in the configuration. */
  readonly index: number;
  /** Milliseconds until it may be tried. */
  readonly waitMs: number;
  /** Attempts that failed since one succeeded. */
  readonly failures: number;
  /** Figures of its last connection; -1 where there were none. */
  readonly rttMs: number;
  readonly jitterMs: number;
  readonly lossPermille: number;
}

/** Chooses among endpoints: its own order instead of the configured one. */
export interface PathChooser {
  /** The index of the endpoint to use next, or -1 for no opinion. Called with all endpoints, in order. */
  choose(paths: readonly PathState[], now: number): number;
  /** A keep-alive was answered on an endpoint after so many milliseconds. */
  answered?(index: number, tripMs: number): void;
  /** A connection that worked was cut: something is wrong, but the next one may come through. */
  missed?(index: number): void;
  /** An endpoint cannot be reached, or answers no more. */
  lost?(index: number): void;
  /** The link is connected through this endpoint. */
  used?(index: number): void;
}

export interface EndpointsOptions extends BackoffOptions {
  /** Number of endpoints, at least 1. The first is preferred. */
  readonly count: number;
  readonly chooser?: PathChooser | null;
}

export interface Attempt {
  /** Which endpoint. */
  readonly index: number;
  /** How long to wait before, milliseconds. */
  readonly waitMs: number;
}

interface Endpoint {
  readonly backoff: Backoff;
  notBefore: number;
  failures: number;
  rttMs: number;
  jitterMs: number;
  lossPermille: number;
}

/** Plain data: use the functions below. */
export interface Endpoints {
  readonly all: readonly Endpoint[];
  readonly chooser: PathChooser | null;
  readonly maxMs: number;
}

export function createEndpoints(options: EndpointsOptions, now: number): Endpoints {
  if (!(options.count >= 1)) throw new QstpError('invalid_input', 'at least one endpoint is needed');
  const all: Endpoint[] = [];
  for (let i = 0; i < options.count; i++) {
    all.push({
      backoff: createBackoff(options),
      notBefore: now >>> 0,
      failures: 0,
      rttMs: -1,
      jitterMs: -1,
      lossPermille: -1,
    });
  }
  return { all, chooser: options.chooser ?? null, maxMs: options.maxMs ?? BACKOFF_MAX_MS };
}

function waitOf(e: Endpoints, index: number, now: number): number {
  const wait = (e.all[index]!.notBefore - now) | 0;
  return wait > 0 && wait <= e.maxMs ? wait : 0;
}

function states(e: Endpoints, now: number): PathState[] {
  const out: PathState[] = [];
  for (let i = 0; i < e.all.length; i++) {
    const { failures, rttMs, jitterMs, lossPermille } = e.all[i]!;
    out.push({ index: i, waitMs: waitOf(e, i, now), failures, rttMs, jitterMs, lossPermille });
  }
  return out;
}

/** The chooser's endpoint, -1 if it has no opinion. */
export function preferred(e: Endpoints, now: number): number {
  const index = !WITH_PATHS || e.chooser === null ? -1 : e.chooser.choose(states(e, now), now);
  return e.all[index] === undefined ? -1 : index;
}

/**
 * The next attempt: the chooser's endpoint, else the first that may be tried now, else the one that may be tried
 * soonest. After the wait, attempt it; do not ask again.
 */
export function nextAttempt(e: Endpoints, now: number): Attempt {
  if (!WITH_FAILOVER) return { index: 0, waitMs: waitOf(e, 0, now) };
  const index = preferred(e, now);
  if (index !== -1) return { index, waitMs: waitOf(e, index, now) };
  let best = 0;
  for (let i = 1; i < e.all.length; i++) {
    if (waitOf(e, i, now) < waitOf(e, best, now)) best = i;
  }
  return { index: best, waitMs: waitOf(e, best, now) };
}

/** An attempt did not lead to a working connection, or the connection broke. `random` is a number in [0, 1). */
export function attemptFailed(e: Endpoints, index: number, now: number, random: number): void {
  const endpoint = e.all[index]!;
  endpoint.failures++;
  endpoint.notBefore = (now + endpoint.backoff.next(random)) >>> 0;
}

/** The connection works (`connected`, its first packet opened): its pauses begin short again. */
export function attemptSucceeded(e: Endpoints, index: number): void {
  const endpoint = e.all[index]!;
  endpoint.failures = 0;
  endpoint.backoff.succeeded();
}

/** Figures of a connection to an endpoint (keep-alive), for the chooser. */
export function noteMetrics(
  e: Endpoints,
  index: number,
  rttMs: number,
  jitterMs: number,
  lossPermille: number,
): void {
  const endpoint = e.all[index]!;
  endpoint.rttMs = rttMs;
  endpoint.jitterMs = jitterMs;
  endpoint.lossPermille = lossPermille;
}
