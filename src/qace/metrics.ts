// What is known of each path, from keep-alives: samples in, smoothed figures out; which paths are viable; and the
// choice among them, with hysteresis. No clock: an evaluation is one step, and the caller makes one a keep-alive cycle.
// All state is in one Int32Array.

import { QstpError } from '../error.ts';
import {
  createQaceMetrics,
  LOSS_REKEY_BPS,
  QACE_ROUTES_MAX,
  SCORE_MAX,
  simpleScore,
  THREAT_REROUTE,
} from './simple.ts';
import type { QaceDecision, QaceMetrics } from './simple.ts';

export interface PathSettings {
  /** Answers missing in a row after which a path is not viable. */
  readonly missesDown: number;
  /** Answers in a row after which it is again; doubled each time it went down lately, at most 16 times. */
  readonly answersUp: number;
  /** What loss costs in a comparison: milliseconds that a lost message is late. */
  readonly lossCostMs: number;
  /** Another path is better if it costs this many points less, 12 for a millisecond, */
  readonly marginPoints: number;
  /** and less by this share of the present path's cost, in percent. */
  readonly marginPercent: number;
  /** It must be better in this many evaluations in a row, */
  readonly dwell: number;
  /** and the last move must be this many evaluations ago. */
  readonly hold: number;
  /** Points that using a path costs besides, by path: what is metered, or a detour. Absent: 0 for all. */
  readonly bias?: readonly number[] | undefined;
}

export const PATH_DEFAULTS: PathSettings = {
  missesDown: 3,
  answersUp: 3,
  lossCostMs: 1000,
  marginPoints: 240,
  marginPercent: 25,
  dwell: 4,
  hold: 8,
};

export interface Paths {
  readonly count: number;
  readonly settings: PathSettings;
  /** {@link pathWords} words. */
  readonly words: Int32Array;
  /** Scratch of comparisons. */
  readonly metrics: QaceMetrics;
}

// Words of all paths together.
const CURRENT = 0;
const CANDIDATE = 1;
const RUN = 2;
const SINCE = 3;
const SWITCHES = 4;
const HEAD = 5;

// Words of each path.
/** Mean of the round trip, eighths of a millisecond (RFC 6298: gain 1/8). */
const TRIP = 0;
/** Mean deviation from it, quarters of a millisecond (gain 1/4). */
const JITTER = 1;
/** Mean loss, sixteenths of a ten-thousandth (gain 1/16). */
const LOSS = 2;
const THREAT = 3;
const STATE = 4;
/** In a row. */
const MISSES = 5;
const ANSWERS = 6;
/** How often it went down lately. */
const FALLS = 7;
const EACH = 8;

const UNKNOWN = 0;
const UP = 1;
const DOWN = 2;

const TRIP_MAX_MS = 1 << 24;
const LOST = 160000;
const COUNT_MAX = 1 << 30;
/** So many answers in a row make good for one fall. */
const CALM = 64;
const FALLS_COUNTED = 4;

/** Words of the state of `count` paths. */
export function pathWords(count: number): number {
  return HEAD + EACH * count;
}

/** The state of `count` paths, none of which has answered yet, in `words`; without it, in an array of its own. */
export function createPaths(count: number, settings: PathSettings, words?: Int32Array): Paths {
  if (!(count >= 1 && count <= QACE_ROUTES_MAX && Math.floor(count) === count)) {
    throw new QstpError('invalid_input', 'paths: there are 1 to ' + QACE_ROUTES_MAX + ', not ' + count);
  }
  const state = words === undefined ? new Int32Array(pathWords(count)) : words;
  if (state.length < pathWords(count)) {
    throw new QstpError('invalid_input', 'paths: ' + count + ' take ' + pathWords(count) + ' words');
  }
  for (let i = 0; i < state.length; i++) state[i] = 0;
  state[CURRENT] = -1;
  state[CANDIDATE] = -1;
  return { count, settings, words: state, metrics: createQaceMetrics() };
}

function offset(paths: Paths, path: number): number {
  if (path >= 0 && path < paths.count && Math.floor(path) === path) return HEAD + EACH * path;
  throw new QstpError('invalid_input', 'paths: there is no path ' + path + ' of ' + paths.count);
}

/**
 * An authenticated answer came on a path after `tripMs` milliseconds. Negative times, which a clock set back gives,
 * count as 0, and those over 2^24 as 2^24; NaN throws `invalid_input`.
 */
export function pathAnswered(paths: Paths, path: number, tripMs: number): void {
  const w = paths.words;
  const at = offset(paths, path);
  if (!(tripMs < 0 || tripMs >= 0))
    throw new QstpError('invalid_input', 'paths: a round trip is not a number');
  const trip = tripMs < 0 ? 0 : tripMs > TRIP_MAX_MS ? TRIP_MAX_MS : Math.floor(tripMs);
  const state = w[at + STATE]!;
  const answers = w[at + ANSWERS]! + 1;
  w[at + MISSES] = 0;
  w[at + ANSWERS] = answers < COUNT_MAX ? answers : CALM;
  w[at + LOSS] = w[at + LOSS]! + ((0 - w[at + LOSS]!) >> 4);
  if (state === UNKNOWN || (state === DOWN && answers === 1)) {
    // The first, or the first after a fall: what was before tells nothing.
    w[at + TRIP] = trip << 3;
    w[at + JITTER] = 0;
    if (state === UNKNOWN) w[at + STATE] = UP;
  } else {
    const off = trip - (w[at + TRIP]! >> 3);
    w[at + TRIP] = w[at + TRIP]! + off;
    w[at + JITTER] = w[at + JITTER]! + (off < 0 ? -off : off) - (w[at + JITTER]! >> 2);
  }
  if (state === DOWN) {
    const falls = w[at + FALLS]! - 1;
    const doublings = falls < FALLS_COUNTED ? falls : FALLS_COUNTED;
    if (answers >= paths.settings.answersUp << doublings) w[at + STATE] = UP;
  } else if (answers % CALM === 0 && w[at + FALLS]! > 0) {
    w[at + FALLS] = w[at + FALLS]! - 1;
  }
}

function fall(w: Int32Array, at: number): void {
  if (w[at + STATE] !== UP) return;
  w[at + STATE] = DOWN;
  if (w[at + FALLS]! < 255) w[at + FALLS] = w[at + FALLS]! + 1;
}

/** An answer that was due did not come. */
export function pathMissed(paths: Paths, path: number): void {
  const w = paths.words;
  const at = offset(paths, path);
  w[at + ANSWERS] = 0;
  if (w[at + MISSES]! < COUNT_MAX) w[at + MISSES] = w[at + MISSES]! + 1;
  w[at + LOSS] = w[at + LOSS]! + ((LOST - w[at + LOSS]!) >> 4);
  if (w[at + MISSES]! >= paths.settings.missesDown) fall(w, at);
}

/** The path is gone for certain: its connection was refused or broke. Not viable at once. */
export function pathLost(paths: Paths, path: number): void {
  pathMissed(paths, path);
  fall(paths.words, offset(paths, path));
}

/** How threatened a path is: 0 to 255; from 80 on it is left. What is out of range is cut off; NaN throws. */
export function pathThreat(paths: Paths, path: number, score: number): void {
  const at = offset(paths, path);
  if (!(score < 0 || score >= 0))
    throw new QstpError('invalid_input', 'paths: a threat score is not a number');
  paths.words[at + THREAT] = score < 0 ? 0 : score > 255 ? 255 : Math.floor(score);
}

/** The driver uses `path` for reasons of its own; -1: none. */
export function pathUsed(paths: Paths, path: number): void {
  if (path !== -1) offset(paths, path);
  if (paths.words[CURRENT] !== path) move(paths.words, path);
}

/** The path in use, or -1. */
export function currentPath(paths: Paths): number {
  return paths.words[CURRENT]!;
}

/** True if a path has answered and is not down: what never answered is not viable. */
export function pathViable(paths: Paths, path: number): boolean {
  return paths.words[offset(paths, path) + STATE] === UP;
}

/** The smoothed figures of a path. Bandwidth and chaos are not measured: 0. */
export function readPath(paths: Paths, path: number, out: QaceMetrics): QaceMetrics {
  const w = paths.words;
  const at = offset(paths, path);
  out.latencyMs = (w[at + TRIP]! + 4) >> 3;
  out.lossBps = (w[at + LOSS]! + 8) >> 4;
  out.threatScore = w[at + THREAT]!;
  out.routeChanges = w[SWITCHES]!;
  out.jitterMs = (w[at + JITTER]! + 2) >> 2;
  out.bandwidthMbps = 0;
  out.chaosLevel = 0;
  return out;
}

/**
 * What using a path costs, in points of SimpleQace's score. Its score takes 9 points for 5 % of loss, less than for
 * one millisecond; so what a lost message is late counts as latency.
 */
export function pathCost(paths: Paths, path: number): number {
  const m = readPath(paths, path, paths.metrics);
  const bias = paths.settings.bias;
  m.latencyMs += Math.floor((m.lossBps * paths.settings.lossCostMs) / 10000);
  const extra = bias === undefined ? undefined : bias[path];
  return SCORE_MAX - simpleScore(m) + (extra === undefined ? 0 : extra);
}

function move(w: Int32Array, path: number): void {
  if (w[CURRENT] !== -1 && w[SWITCHES]! < 255) w[SWITCHES] = w[SWITCHES]! + 1;
  w[CURRENT] = path;
  w[CANDIDATE] = -1;
  w[RUN] = 0;
  w[SINCE] = 0;
}

/**
 * Hysteresis, one call an evaluation: the path to use if a controller proposes `proposed`. Urgent moves are made at
 * once, others when proposed `dwell` times in a row and not within `hold` evaluations after the last move.
 */
export function holdPath(paths: Paths, proposed: number, urgent: boolean): number {
  const w = paths.words;
  offset(paths, proposed);
  if (w[SINCE]! < COUNT_MAX) w[SINCE] = w[SINCE]! + 1;
  if (proposed === w[CURRENT]) {
    w[CANDIDATE] = -1;
    w[RUN] = 0;
  } else if (urgent || w[CURRENT] === -1) {
    move(w, proposed);
  } else {
    w[RUN] = proposed === w[CANDIDATE] ? w[RUN]! + 1 : 1;
    w[CANDIDATE] = proposed;
    if (w[RUN]! >= paths.settings.dwell && w[SINCE]! >= paths.settings.hold) move(w, proposed);
  }
  return w[CURRENT]!;
}

/** The viable path that costs least, except `but`; -1 if there is none. With `calm`, only those without a threat. */
function cheapest(paths: Paths, but: number, calm: boolean): number {
  let best = -1;
  let least = 0;
  for (let i = 0; i < paths.count; i++) {
    if (i === but || !pathViable(paths, i)) continue;
    if (calm && paths.words[HEAD + EACH * i + THREAT]! >= THREAT_REROUTE) continue;
    const cost = pathCost(paths, i);
    if (best !== -1 && cost >= least) continue;
    best = i;
    least = cost;
  }
  return best;
}

function isBetter(paths: Paths, other: number, current: number): boolean {
  const settings = paths.settings;
  const cost = pathCost(paths, current);
  const gain = cost - pathCost(paths, other);
  return gain >= settings.marginPoints && gain * 100 >= cost * settings.marginPercent;
}

/** A path that answers again but is not viable yet: the present one, or else the first. -1 if there is none. */
function answering(paths: Paths): number {
  const w = paths.words;
  const current = w[CURRENT]!;
  if (current !== -1 && w[HEAD + EACH * current + ANSWERS]! > 0) return current;
  for (let i = 0; i < paths.count; i++) if (w[HEAD + EACH * i + ANSWERS]! > 0) return i;
  return -1;
}

/** `chosen` first, then the others as they stand: the viable, then the rest. */
function orderPaths(paths: Paths, chosen: number, out: QaceDecision): void {
  let count = 0;
  if (chosen !== -1) out.order[count++] = chosen;
  for (let i = 0; i < paths.count; i++) if (i !== chosen && pathViable(paths, i)) out.order[count++] = i;
  for (let i = 0; i < paths.count; i++) if (i !== chosen && !pathViable(paths, i)) out.order[count++] = i;
  out.count = count;
}

/**
 * One evaluation: the index of the path to use, which is the present one from then on, or -1 if none is known to
 * answer, and then they are to be tried in their order. `out` becomes the decision, as SimpleQace would make it over
 * these paths, with two rationales more: `path-better`, and `no-viable-path` for -1 or a path that only just answers.
 * Allocates nothing.
 *
 * A path that is not in use is known only by the samples the caller takes of it.
 */
export function choosePath(paths: Paths, out: QaceDecision): number {
  const before = paths.words[CURRENT]!;
  if (out.order.length < paths.count) {
    throw new QstpError('invalid_input', 'paths: the decision has room for ' + out.order.length);
  }
  out.generations = 1;
  out.staleGenerations = 0;
  out.confidence = 1;
  const chosen = decide(paths, before, out);
  orderPaths(paths, chosen, out);
  out.score = chosen === -1 ? 0 : simpleScore(readPath(paths, chosen, paths.metrics));
  return chosen;
}

function decide(paths: Paths, before: number, out: QaceDecision): number {
  const stays = before !== -1 && pathViable(paths, before);
  const other = cheapest(paths, before, false);
  if (!stays && other === -1) {
    const chosen = answering(paths);
    out.action = chosen !== -1 && chosen !== before ? 'reroute' : 'maintain';
    out.rationale = 'no-viable-path';
    return chosen === -1 ? -1 : holdPath(paths, chosen, true);
  }
  const threat = before !== -1 && paths.words[HEAD + EACH * before + THREAT]! >= THREAT_REROUTE;
  if (threat || !stays) {
    // A path under threat as well is no refuge, unless there is no other.
    const calm = cheapest(paths, before, true);
    const refuge = calm === -1 && !stays ? other : calm;
    if (refuge !== -1) {
      out.action = 'reroute';
      out.rationale = threat ? 'threat-score-reroute' : 'primary-not-viable';
      return holdPath(paths, refuge, true);
    }
  }
  const better = other !== -1 && isBetter(paths, other, before);
  const chosen = holdPath(paths, better ? other : before, false);
  if (chosen !== before) {
    out.action = 'reroute';
    out.rationale = 'path-better';
  } else {
    const lossy = readPath(paths, before, paths.metrics).lossBps >= LOSS_REKEY_BPS;
    out.action = lossy ? 'rekey' : 'maintain';
    out.rationale = lossy ? 'high-loss-rekey' : 'heuristic-stable';
  }
  return chosen;
}
