// Requests to controllers, from the known answers and at random.
import { createQaceMetrics } from '../../src/qace/simple.ts';
import type { QaceMetrics, QaceRequest, QaceRoute } from '../../src/qace/simple.ts';
import type { Draw } from '../random.ts';

export function metrics(some: Partial<QaceMetrics> = {}): QaceMetrics {
  return { ...createQaceMetrics(), ...some };
}

/** A viable route. */
export function route(
  hopCount: number,
  qosBias: number,
  freshness: number,
  more: Partial<QaceRoute> = {},
): QaceRoute {
  return { hopCount, qosBias, freshness, viable: true, ...more };
}

export function request(routes: readonly QaceRoute[], some: Partial<QaceMetrics> = {}): QaceRequest {
  return { telemetryEpoch: 0, metrics: metrics(some), routes };
}

/** Two routes, as in most known answers. */
export const TWO: readonly QaceRoute[] = [route(2, 4, 8), route(1, 5, 7)];

/** `n` routes; few different values, so that ties occur, or with `wide` also far ones, so that repeats pay off. */
export function randomRoutes(draw: Draw, n: number, wide: boolean): QaceRoute[] {
  const spread = wide ? 600 : 4;
  return Array.from({ length: n }, () =>
    route(draw.below(5), draw.below(spread) - (spread >> 1), draw.below(spread)),
  );
}

export function randomMetrics(draw: Draw): QaceMetrics {
  return metrics({
    latencyMs: draw.below(20000),
    lossBps: draw.below(16000),
    threatScore: draw.below(256),
    routeChanges: draw.below(256),
    jitterMs: draw.below(2000),
    bandwidthMbps: draw.below(1000),
    chaosLevel: draw.below(256),
  });
}

/** As {@link randomRoutes}, under random metrics. */
export function randomRequest(draw: Draw, n: number, wide: boolean): QaceRequest {
  return { telemetryEpoch: 0, metrics: randomMetrics(draw), routes: randomRoutes(draw, n, wide) };
}
