// A primary path and its alternates, as a decision is passed on and logged.

import type { QaceDecision, QaceRoute } from './simple.ts';

export interface PathSet<R extends QaceRoute> {
  readonly primary: R;
  readonly alternates: readonly R[];
}

/** How many paths there are. */
export function pathSetLength(paths: PathSet<QaceRoute>): number {
  return 1 + paths.alternates.length;
}

/** True if no path is viable. */
export function isPathSetEmpty(paths: PathSet<QaceRoute>): boolean {
  return !flattenPathSet(paths).some((route) => route.viable);
}

/** All paths, the primary first: the routes of a request. */
export function flattenPathSet<R extends QaceRoute>(paths: PathSet<R>): R[] {
  return [paths.primary].concat(paths.alternates);
}

/** The paths in the order decided; `routes` are those of the request. */
export function decidedPathSet<R extends QaceRoute>(
  routes: readonly R[],
  decision: QaceDecision,
): PathSet<R> {
  const ordered: R[] = [];
  for (let i = 0; i < decision.count; i++) ordered.push(routes[decision.order[i]!]!);
  return { primary: ordered[0]!, alternates: ordered.slice(1) };
}

/** Freshness of a route that was announced just now. */
export const FRESHNESS_MAX = 10;

/**
 * Freshness of a route announced `ageMs` ago: {@link FRESHNESS_MAX}, one less for each `stepMs`, at least 0. A time of
 * day in its place, as the original takes it, outweighs hops and quality of service altogether.
 */
export function freshnessOfAge(ageMs: number, stepMs: number): number {
  const steps = Math.floor(ageMs / stepMs);
  return steps > 0 ? (steps < FRESHNESS_MAX ? FRESHNESS_MAX - steps : 0) : FRESHNESS_MAX;
}
