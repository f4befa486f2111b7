// Decisions on paths, for any engine.

import { decideExact, FITNESS_DEFAULTS } from '../src/qace/exact.ts';
import { choosePath, createPaths, PATH_DEFAULTS, pathAnswered, pathMissed } from '../src/qace/metrics.ts';
import { createQaceDecision, createQaceMetrics, createSimpleQace } from '../src/qace/simple.ts';
import type { QaceRequest, QaceRoute } from '../src/qace/simple.ts';
import type { Operation } from './kernels.ts';

const ROUTES = 8;
/** Of the path whose samples an evaluation follows. */
const TRIP_MS = 40;

/** Eight routes in no order, under a threat: nothing is left out. */
export function qaceRequest(): QaceRequest {
  const metrics = createQaceMetrics();
  const routes: QaceRoute[] = [];
  metrics.latencyMs = 20;
  metrics.lossBps = 3000;
  metrics.threatScore = 90;
  metrics.jitterMs = 4;
  for (let i = 0; i < ROUTES; i++) {
    routes.push({
      hopCount: (i * 5) % ROUTES,
      qosBias: 1 + ((i * 3) % 5),
      freshness: (i * 7) % 13,
      viable: true,
    });
  }
  return { telemetryEpoch: 0, metrics, routes };
}

export function qaceOperations(): Operation[] {
  return [
    {
      name: 'simpleQace',
      times: 1,
      prepare: () => {
        const qace = createSimpleQace();
        const request = qaceRequest();
        const out = createQaceDecision(ROUTES);
        return () => qace.evaluate(request, out);
      },
    },
    {
      name: 'exactQace8',
      times: 1,
      prepare: () => {
        const request = qaceRequest();
        const out = createQaceDecision(ROUTES);
        const bases = new Float64Array(ROUTES);
        return () => decideExact(request, FITNESS_DEFAULTS, bases, out);
      },
    },
    {
      name: 'choosePath2',
      times: 1,
      prepare: () => {
        const paths = createPaths(2, PATH_DEFAULTS);
        const out = createQaceDecision(2);
        for (let i = 0; i < 10; i++) {
          pathAnswered(paths, 0, TRIP_MS);
          pathAnswered(paths, 1, 2 * TRIP_MS);
        }
        pathMissed(paths, 1);
        // The first evaluation takes a path; those after it compare.
        choosePath(paths, out);
        return () => {
          pathAnswered(paths, 0, TRIP_MS);
          choosePath(paths, out);
        };
      },
    },
  ];
}
