// SimpleQace: the deterministic controller of adaptive routing, and what all controllers share. It decides into
// objects of the caller's and allocates nothing, unless it throws.

import { QstpError } from '../error.ts';

export type QaceAction = 'maintain' | 'rekey' | 'reroute';

/** Telemetry. Whole numbers: u32, unless a field says u8. */
export interface QaceMetrics {
  latencyMs: number;
  /** Lost messages, in ten-thousandths. */
  lossBps: number;
  /** u8. */
  threatScore: number;
  /** u8. No controller reads it. */
  routeChanges: number;
  jitterMs: number;
  bandwidthMbps: number;
  /** u8. */
  chaosLevel: number;
}

export interface QaceRoute {
  /** u32. */
  readonly hopCount: number;
  /** Any whole number; higher is better. */
  readonly qosBias: number;
  /** Any whole number; higher is better. */
  readonly freshness: number;
  readonly viable: boolean;
  /** What was measured on this route alone; without it, telemetry does not tell routes apart. */
  readonly metrics?: QaceMetrics | undefined;
}

export interface QaceRequest {
  /** The route epoch of the telemetry. No controller reads it. */
  readonly telemetryEpoch: number;
  readonly metrics: QaceMetrics;
  /** The primary, then the alternates in their order. */
  readonly routes: readonly QaceRoute[];
}

export interface QaceDecision {
  action: QaceAction;
  /** Higher is better; scores of different controllers do not compare. */
  score: number;
  /** Why, as a stable text. */
  rationale: string;
  /** Indices of the request's routes in their new order, the primary first: `count` of them. */
  readonly order: Uint8Array;
  count: number;
  /** Convergence: 1, 0 and 1 for a controller that computes its answer. */
  generations: number;
  staleGenerations: number;
  confidence: number;
}

/** A controller. `evaluate` fills `out` and returns it; throws QstpError `invalid_input`. */
export interface QaceEngine {
  evaluate(request: QaceRequest, out: QaceDecision): QaceDecision;
}

export interface SimpleQace extends QaceEngine {
  /** The latest score, or null before the first decision. */
  lastScore(): number | null;
}

export const THREAT_REROUTE = 80;
export const LOSS_REKEY_BPS = 5000;
/** Best score there is. */
export const SCORE_MAX = 120000;
/** Longer latencies count as this one, milliseconds. */
export const LATENCY_CAP_MS = 10000;
/** Loss counts in steps of this. */
export const LOSS_STEP_BPS = 500;
/** `order` holds indices of a byte. */
export const QACE_ROUTES_MAX = 255;

const U8_MAX = 255;
const U32_MAX = 4294967295;

export function createQaceMetrics(): QaceMetrics {
  return {
    latencyMs: 0,
    lossBps: 0,
    threatScore: 0,
    routeChanges: 0,
    jitterMs: 0,
    bandwidthMbps: 0,
    chaosLevel: 0,
  };
}

/** A decision to be filled, with room for `routes` routes, at most {@link QACE_ROUTES_MAX}. */
export function createQaceDecision(routes: number): QaceDecision {
  return {
    action: 'maintain',
    score: 0,
    rationale: '',
    order: new Uint8Array(routes),
    count: 0,
    generations: 1,
    staleGenerations: 0,
    confidence: 1,
  };
}

function invalid(message: string): QstpError {
  return new QstpError('invalid_input', message);
}

function need(value: number, max: number, name: string): void {
  if (value >= 0 && value <= max && Math.floor(value) === value) return;
  throw invalid('qace metrics: ' + name + ' takes a whole number from 0 to ' + max + ', not ' + value);
}

/** Refuses what the fields' types cannot hold: NaN, infinities, negative numbers, fractions, too large ones. */
export function checkMetrics(m: QaceMetrics): void {
  need(m.latencyMs, U32_MAX, 'latencyMs');
  need(m.lossBps, U32_MAX, 'lossBps');
  need(m.threatScore, U8_MAX, 'threatScore');
  need(m.routeChanges, U8_MAX, 'routeChanges');
  need(m.jitterMs, U32_MAX, 'jitterMs');
  need(m.bandwidthMbps, U32_MAX, 'bandwidthMbps');
  need(m.chaosLevel, U8_MAX, 'chaosLevel');
}

/**
 * Checks metrics, room and viability, and sets up `out` with the routes as they stand. Returns how many there are.
 * Throws if no route is viable.
 */
export function beginDecision(request: QaceRequest, out: QaceDecision): number {
  const routes = request.routes;
  const order = out.order;
  const n = routes.length;
  let viable = false;
  if (n > order.length) {
    throw invalid('qace path set has ' + n + ' routes, and the decision has room for ' + order.length);
  }
  for (let i = 0; i < n; i++) {
    order[i] = i;
    if (routes[i]!.viable) viable = true;
  }
  if (!viable) throw invalid('qace path set empty');
  checkMetrics(request.metrics);
  out.count = n;
  out.generations = 1;
  out.staleGenerations = 0;
  out.confidence = 1;
  return n;
}

/** The health of a path: at most {@link SCORE_MAX}, without a lower bound. */
export function simpleScore(m: QaceMetrics): number {
  const latency = m.latencyMs < LATENCY_CAP_MS ? m.latencyMs : LATENCY_CAP_MS;
  return (
    SCORE_MAX -
    12 * latency -
    9 * Math.floor(m.lossBps / LOSS_STEP_BPS) -
    20 * m.threatScore -
    8 * m.jitterMs -
    15 * m.chaosLevel
  );
}

/** Puts the route at `index` first; the others keep their order. */
function promote(out: QaceDecision, index: number, rationale: string): void {
  const order = out.order;
  for (let i = index; i > 0; i--) order[i] = i - 1;
  order[0] = index;
  out.action = 'reroute';
  out.rationale = rationale;
}

/** What is done when no route is promoted. */
function remain(m: QaceMetrics, out: QaceDecision): void {
  const lossy = m.lossBps >= LOSS_REKEY_BPS;
  out.action = lossy ? 'rekey' : 'maintain';
  out.rationale = lossy ? 'high-loss-rekey' : 'heuristic-stable';
}

/** The original's decision, exactly: the first alternate is promoted even if it is not viable. */
export function decideSimple(request: QaceRequest, out: QaceDecision): QaceDecision {
  const n = beginDecision(request, out);
  const m = request.metrics;
  out.score = simpleScore(m);
  if (m.threatScore >= THREAT_REROUTE && n > 1) promote(out, 1, 'threat-score-reroute');
  else remain(m, out);
  return out;
}

/**
 * {@link decideSimple}, except that only a viable alternate is promoted, the first one, and that a primary which
 * is not viable is left for it.
 */
export function decideViable(request: QaceRequest, out: QaceDecision): QaceDecision {
  const n = beginDecision(request, out);
  const m = request.metrics;
  const routes = request.routes;
  let next = 1;
  while (next < n && !routes[next]!.viable) next++;
  out.score = simpleScore(m);
  if (next < n && m.threatScore >= THREAT_REROUTE) promote(out, next, 'threat-score-reroute');
  else if (!routes[0]!.viable) promote(out, next, 'primary-not-viable');
  else remain(m, out);
  return out;
}

/** `promotes`: `any` alternate, as the original does and by default, or only a `viable` one. */
export function createSimpleQace(promotes?: 'any' | 'viable'): SimpleQace {
  const decide = promotes === 'viable' ? decideViable : decideSimple;
  let last: number | null = null;
  return {
    evaluate(request, out) {
      decide(request, out);
      last = out.score;
      return out;
    },
    lastScore() {
      return last;
    },
  };
}
