// The exact solver: the order of routes with the highest fitness, computed instead of searched for.
//
// The fitness is that of a string of genes, one route each, repeats allowed; docs/qace.md has the formula.
// What telemetry takes from it is the same for every string, so the best string has the routes by descending base.
// A repeated gene costs a fixed amount; where that is less than the next route's base would lose, the string repeats
// its best route instead. This changes the optimum's value, but never its first route.

import { QstpError } from '../error.ts';
import { beginDecision, checkMetrics, decideSimple, LOSS_STEP_BPS } from './simple.ts';
import type { QaceDecision, QaceMetrics, QaceRequest, QaceRoute } from './simple.ts';

/** Whole numbers from 0. */
export interface QaceWeights {
  readonly latency: number;
  readonly loss: number;
  readonly threat: number;
  readonly jitter: number;
  readonly congestion: number;
  readonly hopPenalty: number;
  readonly qosGain: number;
  readonly freshness: number;
  readonly stability: number;
}

/** What a decision by fitness depends on besides the request. */
export interface FitnessConfig {
  readonly weights: QaceWeights;
  /** Taken from the fitness for every repeated gene. */
  readonly duplicatePenalty: number;
  /** Threat score from which on a decision is about a threat. */
  readonly threatRerouteScore: number;
  /** Loss from which on a path that stays gets new keys, ten-thousandths. */
  readonly lossRekeyThreshold: number;
}

export const QACE_WEIGHTS: QaceWeights = {
  latency: 11,
  loss: 7,
  threat: 19,
  jitter: 5,
  congestion: 3,
  hopPenalty: 13,
  qosGain: 17,
  freshness: 2,
  stability: 4,
};

export const FITNESS_DEFAULTS: FitnessConfig = {
  weights: QACE_WEIGHTS,
  duplicatePenalty: 900,
  threatRerouteScore: 70,
  lossRekeyThreshold: 8000,
};

const SAFE_MAX = 9007199254740991;
const U32_MAX = 4294967295;

function whole(value: number, least: number, most: number, name: string): void {
  if (value >= least && value <= most && Math.floor(value) === value) return;
  throw new QstpError('invalid_input', 'qace: ' + name + ' takes a whole number, not ' + value);
}

/** How much a slot counts: three, two, then one time the weight of stability. */
function slotFactor(slot: number, stability: number): number {
  return (slot === 0 ? 3 : slot === 1 ? 2 : 1) * stability;
}

/** What telemetry takes from slot 0; slot i takes i + 1 times as much. */
export function metricPenalty(m: QaceMetrics, w: QaceWeights): number {
  return (
    w.latency * m.latencyMs +
    w.loss * Math.floor(m.lossBps / LOSS_STEP_BPS) +
    w.threat * m.threatScore +
    w.jitter * m.jitterMs +
    w.congestion * m.bandwidthMbps
  );
}

/**
 * What a route is worth: quality of service, hops, freshness; and what was measured on it, if it has metrics of its
 * own. Their bandwidth does not count: more of it is no fault of a route.
 */
export function routeBase(r: QaceRoute, w: QaceWeights): number {
  const own = r.metrics;
  whole(r.hopCount, 0, U32_MAX, 'hopCount');
  whole(r.qosBias, -SAFE_MAX, SAFE_MAX, 'qosBias');
  whole(r.freshness, -SAFE_MAX, SAFE_MAX, 'freshness');
  let base = w.qosGain * r.qosBias - w.hopPenalty * r.hopCount + w.freshness * r.freshness;
  // Terms beyond 2^53 could cancel out to a base that looks exact.
  whole(w.qosGain * r.qosBias, -SAFE_MAX, SAFE_MAX, 'weighted qosBias');
  whole(w.freshness * r.freshness, -SAFE_MAX, SAFE_MAX, 'weighted freshness');
  if (own !== undefined) {
    checkMetrics(own);
    base -= metricPenalty(own, w) - w.congestion * own.bandwidthMbps;
  }
  return base;
}

/**
 * The bases of a request's routes into `bases`; returns the penalty of slot 0. Throws if a fitness over them could
 * be beyond 2^53, where sums are not exact.
 */
export function measureRoutes(request: QaceRequest, config: FitnessConfig, bases: Float64Array): number {
  const w = config.weights;
  const n = request.routes.length;
  if (n > bases.length) {
    throw new QstpError('invalid_input', 'qace: ' + n + ' routes, and room for ' + bases.length);
  }
  let largest = 0;
  for (let i = 0; i < n; i++) {
    const base = routeBase(request.routes[i]!, w);
    bases[i] = base;
    if (base > largest) largest = base;
    else if (-base > largest) largest = -base;
  }
  const penalty = metricPenalty(request.metrics, w);
  const most = largest * w.stability * (n + 3) + (penalty * n * (n + 1)) / 2 + n * config.duplicatePenalty;
  if (!(most <= SAFE_MAX)) {
    throw new QstpError('invalid_input', 'qace: the values are too large to be added exactly');
  }
  return penalty;
}

/** The fitness of the `n` genes at `genes[at]`; `seen` is scratch of n bytes. */
export function fitnessOf(
  genes: Uint8Array,
  at: number,
  n: number,
  bases: Float64Array,
  penalty: number,
  config: FitnessConfig,
  seen: Uint8Array,
): number {
  const stability = config.weights.stability;
  let total = (-penalty * n * (n + 1)) / 2;
  for (let i = 0; i < n; i++) seen[i] = 0;
  for (let i = 0; i < n; i++) {
    const gene = genes[at + i]!;
    total += bases[gene]! * slotFactor(i, stability);
    if (seen[gene] === 1) total -= config.duplicatePenalty;
    seen[gene] = 1;
  }
  return total;
}

/** Sorts `order` by descending base; equal ones keep their order, so that the present primary wins ties. */
function sortByBase(order: Uint8Array, n: number, bases: Float64Array): void {
  for (let i = 1; i < n; i++) {
    const route = order[i]!;
    const base = bases[route]!;
    let at = i;
    while (at > 0 && bases[order[at - 1]!]! < base) {
      order[at] = order[at - 1]!;
      at--;
    }
    order[at] = route;
  }
}

/** The highest fitness without the penalty: over all numbers of times that the best route is repeated. */
function bestSum(order: Uint8Array, n: number, bases: Float64Array, config: FitnessConfig): number {
  const stability = config.weights.stability;
  const top = bases[order[0]!]!;
  let best = 0;
  for (let repeats = 0; repeats < n; repeats++) {
    let sum = -repeats * config.duplicatePenalty;
    for (let i = 0; i < n; i++) {
      sum += (i <= repeats ? top : bases[order[i - repeats]!]!) * slotFactor(i, stability);
    }
    if (repeats === 0 || sum > best) best = sum;
  }
  return best;
}

/** Moves routes that are not viable behind the others, which keep their order, as they do. */
function viableFirst(order: Uint8Array, n: number, routes: readonly QaceRoute[]): void {
  let ahead = 0;
  for (let i = 0; i < n; i++) {
    const route = order[i]!;
    if (!routes[route]!.viable) continue;
    for (let at = i; at > ahead; at--) order[at] = order[at - 1]!;
    order[ahead++] = route;
  }
}

/** Ends a decision whose order and score are set: viability, action and rationale. */
export function concludeByFitness(
  request: QaceRequest,
  config: FitnessConfig,
  out: QaceDecision,
): QaceDecision {
  const m = request.metrics;
  const threat = m.threatScore >= config.threatRerouteScore;
  viableFirst(out.order, out.count, request.routes);
  if (out.order[0] !== 0) {
    out.action = 'reroute';
    out.rationale = threat ? 'ga-threat-reroute' : 'ga-optimization';
  } else if (m.lossBps >= config.lossRekeyThreshold) {
    out.action = 'rekey';
    out.rationale = 'ga-rekey';
  } else if (threat) {
    out.action = 'rekey';
    out.rationale = 'ga-threat-rekey';
  } else {
    out.action = 'maintain';
    out.rationale = 'ga-stable';
  }
  return out;
}

/**
 * Decides by the optimum fitness; a single route is left to SimpleQace. `bases` is scratch for as many numbers as
 * there are routes. Throws QstpError `invalid_input`.
 */
export function decideExact(
  request: QaceRequest,
  config: FitnessConfig,
  bases: Float64Array,
  out: QaceDecision,
): QaceDecision {
  if (request.routes.length === 1) return decideSimple(request, out);
  const n = beginDecision(request, out);
  const penalty = measureRoutes(request, config, bases);
  sortByBase(out.order, n, bases);
  out.score = bestSum(out.order, n, bases, config) - (penalty * n * (n + 1)) / 2;
  return concludeByFitness(request, config, out);
}
