// How long a gateway takes for a decision on eight routes.

import { decideExact, FITNESS_DEFAULTS } from '../src/qace/exact.ts';
import { createGaQace } from '../src/qace/ga.ts';
import { createQaceDecision, createSimpleQace } from '../src/qace/simple.ts';
import type { Figures } from './figures.ts';
import { median } from './node.ts';
import { qaceRequest } from './qace.ts';

const ROUNDS = 25;

/** Median microseconds of one call, over rounds of `times` calls each, the first left out. */
function microseconds(times: number, run: () => void): number {
  const rounds: number[] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    const start = performance.now();
    for (let i = 0; i < times; i++) run();
    if (round > 0) rounds.push(((performance.now() - start) * 1000) / times);
  }
  return median(rounds);
}

/** `node.qace.{simple,exact8,evolve8}.us`. */
export function benchQace(figures: Figures): void {
  const request = qaceRequest();
  const out = createQaceDecision(request.routes.length);
  const bases = new Float64Array(request.routes.length);
  const simple = createSimpleQace();
  const evolving = createGaQace({ exactRoutes: 0 });
  figures['node.qace.simple.us'] = microseconds(10_000, () => simple.evaluate(request, out));
  figures['node.qace.exact8.us'] = microseconds(1000, () =>
    decideExact(request, FITNESS_DEFAULTS, bases, out),
  );
  figures['node.qace.evolve8.us'] = microseconds(20, () => evolving.evaluate(request, out));
}
