import test from 'ava';
import { decideExact, FITNESS_DEFAULTS, fitnessOf, measureRoutes, routeBase } from '../../src/qace/exact.ts';
import { createGaQace, QACE_GA_DEFAULTS } from '../../src/qace/ga.ts';
import type { QaceGaConfig } from '../../src/qace/ga.ts';
import { freshnessOfAge } from '../../src/qace/path-set.ts';
import { createQaceDecision } from '../../src/qace/simple.ts';
import type { QaceDecision, QaceRequest, QaceRoute } from '../../src/qace/simple.ts';
import { CASES, draws } from '../random.ts';
import { metrics, randomMetrics, randomRequest, randomRoutes, request, route } from './requests.ts';

function exact(r: QaceRequest): QaceDecision {
  const n = r.routes.length;
  return decideExact(r, FITNESS_DEFAULTS, new Float64Array(n), createQaceDecision(n));
}

function ga(r: QaceRequest, config: Partial<QaceGaConfig> = {}): QaceDecision {
  return createGaQace(config).evaluate(r, createQaceDecision(r.routes.length));
}

const evolved = (r: QaceRequest, config: Partial<QaceGaConfig> = {}): QaceDecision =>
  ga(r, { exactRoutes: 0, ...config });

const order = (d: QaceDecision): number[] => Array.from(d.order.subarray(0, d.count));

/** The best fitness over all strings of genes. */
function exhaustive(r: QaceRequest): number {
  const n = r.routes.length;
  const bases = new Float64Array(n);
  const penalty = measureRoutes(r, FITNESS_DEFAULTS, bases);
  const [genes, seen] = [new Uint8Array(n), new Uint8Array(n)];
  let best = -Infinity;
  for (let code = 0; code < n ** n; code++) {
    for (let i = 0, rest = code; i < n; i++, rest = Math.floor(rest / n)) genes[i] = rest % n;
    best = Math.max(best, fitnessOf(genes, 0, n, bases, penalty, FITNESS_DEFAULTS, seen));
  }
  return best;
}

function isPermutation(d: QaceDecision, n: number): boolean {
  return order(d)
    .sort((a, b) => a - b)
    .every((route_, i) => route_ === i && d.count === n);
}

// ---- The exact solver ------------------------------------------------------------------------------------

test('the exact solver finds what trying every string of genes finds', (t) => {
  const draw = draws(t);
  let repeats = 0;
  for (let i = 0; i < CASES; i++) {
    const n = 2 + draw.below(4);
    const r = randomRequest(draw, n, i % 2 === 0);
    const d = exact(r);
    t.is(d.score, exhaustive(r));
    t.true(isPermutation(d, n));
    const bases = r.routes.map((one) => routeBase(one, FITNESS_DEFAULTS.weights));
    t.is(bases[d.order[0]!], Math.max(...bases));
    const plain = fitnessOf(
      d.order,
      0,
      n,
      Float64Array.from(bases),
      measureRoutes(r, FITNESS_DEFAULTS, new Float64Array(n)),
      FITNESS_DEFAULTS,
      new Uint8Array(n),
    );
    if (plain < d.score) repeats++;
  }
  // Where the gap is wide, a repeated gene is cheaper than the next route: both kinds must have been tried.
  t.true(repeats > CASES / 10 && repeats < CASES, `${repeats}`);
});

test('routes of equal worth keep their order, so that the primary stays', (t) => {
  const twin = route(1, 3, 5);
  t.deepEqual(order(exact(request([twin, twin, route(9, 1, 1), twin]))), [0, 1, 3, 2]);
  t.is(exact(request([twin, twin])).action, 'maintain');
});

test('a permutation of the alternates permutes the order, and changes nothing else', (t) => {
  const draw = draws(t);
  for (let i = 0; i < CASES; i++) {
    const n = 2 + draw.below(7);
    // All different, by freshness.
    const routes = randomRoutes(draw, n, true).map((one, at) => route(one.hopCount, 2 * at, 1000 * at * at));
    const shuffled = routes.slice(1).reverse();
    const some = randomMetrics(draw);
    const a = exact({ telemetryEpoch: 0, metrics: some, routes });
    const b = exact({ telemetryEpoch: 0, metrics: some, routes: [routes[0]!, ...shuffled] });
    const named = (d: QaceDecision, of: readonly QaceRoute[]): QaceRoute[] => order(d).map((at) => of[at]!);
    t.deepEqual(named(a, routes), named(b, [routes[0]!, ...shuffled]));
    t.deepEqual([a.action, a.score, a.rationale], [b.action, b.score, b.rationale]);
  }
});

test('telemetry of the request shifts the score and drives the action, but not the order', (t) => {
  const draw = draws(t);
  for (let i = 0; i < CASES; i++) {
    const routes = randomRoutes(draw, 2 + draw.below(6), true);
    const calm = exact(request(routes));
    const some = randomMetrics(draw);
    const d = exact({ telemetryEpoch: 0, metrics: some, routes });
    t.deepEqual(order(d), order(calm));
    const n = routes.length;
    const step = (m: QaceRequest): number =>
      measureRoutes(m, FITNESS_DEFAULTS, new Float64Array(n)) * ((n * (n + 1)) / 2);
    t.is(calm.score - d.score, step({ telemetryEpoch: 0, metrics: some, routes }));
  }
});

for (const [some, primaryBest, action, rationale] of [
  [{}, true, 'maintain', 'ga-stable'],
  [{ threatScore: 69, lossBps: 7999 }, true, 'maintain', 'ga-stable'],
  [{ threatScore: 70 }, true, 'rekey', 'ga-threat-rekey'],
  [{ lossBps: 8000 }, true, 'rekey', 'ga-rekey'],
  [{ lossBps: 8000, threatScore: 200 }, true, 'rekey', 'ga-rekey'],
  [{}, false, 'reroute', 'ga-optimization'],
  [{ threatScore: 69, lossBps: 9000 }, false, 'reroute', 'ga-optimization'],
  [{ threatScore: 70 }, false, 'reroute', 'ga-threat-reroute'],
] as const) {
  test(`${JSON.stringify(some)}, primary ${primaryBest ? 'best' : 'not best'}: ${rationale}`, (t) => {
    const routes = primaryBest ? [route(1, 5, 9), route(3, 1, 1)] : [route(3, 1, 1), route(1, 5, 9)];
    for (const d of [exact(request(routes, some)), ga(request(routes, some)), evolved(request(routes, some))])
      t.deepEqual([d.action, d.rationale], [action, rationale]);
  });
}

test('one route is left to SimpleQace', (t) => {
  const r = request([route(1, 1, 1)], { lossBps: 5000, threatScore: 200 });
  for (const d of [exact(r), ga(r), evolved(r)]) {
    t.deepEqual([d.action, d.rationale, d.score], ['rekey', 'high-loss-rekey', 115910]);
  }
});

// ---- What the original does not do -----------------------------------------------------------------------

test('a route that is not viable never becomes primary, and none vanishes or doubles', (t) => {
  const draw = draws(t);
  for (let i = 0; i < CASES; i++) {
    const n = 2 + draw.below(7);
    const routes = randomRoutes(draw, n, i % 2 === 0).map((one) => ({ ...one, viable: draw.below(3) > 0 }));
    const r: QaceRequest = { telemetryEpoch: 0, metrics: randomMetrics(draw), routes };
    if (!routes.some((one) => one.viable)) {
      for (const by of [exact, ga, evolved]) t.throws(() => by(r), { message: 'qace path set empty' });
      continue;
    }
    for (const d of [exact(r), ga(r), evolved(r)]) {
      t.true(isPermutation(d, n));
      const viable = order(d).map((at) => routes[at]!.viable);
      t.deepEqual(
        viable,
        viable.slice().sort((a, b) => Number(b) - Number(a)),
      );
    }
  }
});

test("with metrics of the routes' own, the order follows them", (t) => {
  const [slow, fast] = [metrics({ latencyMs: 300 }), metrics({ latencyMs: 20 })];
  t.is(exact(request([route(1, 5, 9, { metrics: slow }), route(2, 5, 9, { metrics: fast })])).order[0], 1);
  t.is(exact(request([route(1, 5, 9, { metrics: fast }), route(2, 5, 9, { metrics: slow })])).order[0], 0);
  // More bandwidth is no fault of a route.
  const wide = metrics({ latencyMs: 20, bandwidthMbps: 1000 });
  t.is(exact(request([route(1, 5, 9, { metrics: wide }), route(2, 5, 9, { metrics: fast })])).order[0], 0);
  const bad = route(1, 5, 9, { metrics: metrics({ threatScore: 256 }) });
  t.throws(() => exact(request([bad, bad])), { code: 'invalid_input', message: /threatScore/ });
});

test('a time of day as freshness outweighs everything; an age does not', (t) => {
  const now = 1_750_000_000_000;
  const better = (freshness: (at: number) => number): number =>
    exact(request([route(1, 5, freshness(now - 60_000)), route(9, 1, freshness(now))])).order[0]!;
  t.is(
    better((at) => at),
    1,
  );
  t.is(
    better((at) => freshnessOfAge(now - at, 60_000)),
    0,
  );
  t.deepEqual(
    [0, 59_999, 60_000, 599_999, 600_000, 1e12, -5, NaN].map((age) => freshnessOfAge(age, 60_000)),
    [10, 10, 9, 1, 0, 0, 10, 10],
  );
});

// ---- Inputs ----------------------------------------------------------------------------------------------

test('routes take whole numbers only, and sums that are not exact are refused', (t) => {
  const good = route(1, 5, 1_750_000_000_000);
  t.notThrows(() => exact(request([good, good])));
  for (const bad of [NaN, Infinity, -Infinity, 0.5, 2 ** 53]) {
    for (const one of [route(bad, 1, 1), route(1, bad, 1), route(1, 1, bad)]) {
      for (const by of [exact, ga, evolved]) {
        t.throws(() => by(request([good, one])), { code: 'invalid_input' }, `${bad}`);
      }
    }
  }
  t.throws(() => exact(request([good, route(-1, 1, 1)])), { code: 'invalid_input' });
  t.throws(() => exact(request([good, route(1, 1, 2 ** 50)])), { message: /too large to be added exactly/ });
  // Terms that cancel out.
  const huge = 2 ** 52;
  t.throws(() => exact(request([good, route(0, -2 * huge + 2, 17 * (huge - 1))])), { code: 'invalid_input' });
  t.throws(
    () => decideExact(request([good, good]), FITNESS_DEFAULTS, new Float64Array(1), createQaceDecision(2)),
    {
      message: /room for 1/,
    },
  );
});

test('a configuration has the documented defaults and floors; what makes no sense is refused', (t) => {
  t.like(createGaQace().config, {
    populationSize: 48,
    maxGenerations: 64,
    maxStaleGenerations: 16,
    mutationProbability: 0.18,
    crossoverRate: 0.75,
    selectionRate: 0.6,
    replacementRate: 0.65,
    elitismRate: 0.04,
    tournamentSize: 7,
    duplicatePenalty: 900,
    threatRerouteScore: 70,
    lossRekeyThreshold: 8000,
    weights: {
      latency: 11,
      loss: 7,
      threat: 19,
      jitter: 5,
      congestion: 3,
      hopPenalty: 13,
      qosGain: 17,
      freshness: 2,
      stability: 4,
    },
  });
  const least = createGaQace({
    populationSize: 1,
    maxGenerations: 0,
    maxStaleGenerations: 3,
    tournamentSize: 1,
  });
  t.like(least.config, {
    populationSize: 8,
    maxGenerations: 4,
    maxStaleGenerations: 4,
    tournamentSize: 2,
  });
  const numbers = Object.entries(QACE_GA_DEFAULTS).filter(([, value]) => typeof value === 'number');
  t.is(numbers.length, 14);
  for (const [name] of numbers) {
    for (const bad of [NaN, -1, Infinity, 1e300]) {
      t.throws(() => createGaQace({ [name]: bad }), { code: 'invalid_input', message: new RegExp(name) });
    }
  }
  t.throws(() => createGaQace({ weights: { ...QACE_GA_DEFAULTS.weights, loss: -1 } }), {
    message: /weights.loss/,
  });
});

// ---- Evolution -------------------------------------------------------------------------------------------

test('up to exactRoutes routes, GaQace decides by the optimum', (t) => {
  const draw = draws(t);
  for (let i = 0; i < CASES; i++) {
    const n = 2 + draw.below(9);
    const r = randomRequest(draw, n, i % 2 === 0);
    t.deepEqual(ga(r, { rngSeed: draw.below(1 << 20) }), exact(r));
  }
});

test('evolution: the same seed decides the same, at every call; its fitness is never above the optimum', (t) => {
  const draw = draws(t);
  let different = 0;
  for (let i = 0; i < CASES; i++) {
    const n = 2 + draw.below(9);
    const r = randomRequest(draw, n, i % 2 === 0);
    const config = { rngSeed: draw.below(1 << 20), exactRoutes: 0 };
    const qace = createGaQace(config);
    const one = qace.evaluate(r, createQaceDecision(n));
    qace.evaluate(request(randomRoutes(draw, 11, true)), createQaceDecision(11));
    t.deepEqual(qace.evaluate(r, createQaceDecision(n)), one);
    t.deepEqual(createGaQace(config).evaluate(r, createQaceDecision(n)), one);
    t.true(one.score <= exact(r).score);
    t.true(isPermutation(one, n));
    t.true(one.generations >= 16 && one.generations <= 64 && one.staleGenerations <= 16);
    t.is(one.confidence, 1 - one.staleGenerations / one.generations);
    if (order(evolved(r, { rngSeed: config.rngSeed + 1 })).join() !== order(one).join()) different++;
  }
  t.true(different > 0, 'the seed matters');
});

/** Of 1,000 seeds, the original reached the optimum of these sets so often. */
for (const [name, routes, some, reached] of [
  ['two', [route(2, 5, 10), route(1, 3, 0)], {}, 1000],
  ['three', [route(4, 1, 1), route(1, 5, 2), route(2, 3, 3)], {}, 974],
  ['four', [route(2, 5, 8), route(1, 3, 6), route(3, 1, 5), route(1, 5, 9)], { threatScore: 5 }, 703],
  [
    'six',
    [route(3, 1, 4), route(2, 3, 7), route(1, 5, 6), route(4, 5, 9), route(2, 1, 12), route(1, 3, 3)],
    {},
    381,
  ],
] as const) {
  test(`evolution reaches the optimum of ${name} routes about as often as the original`, (t) => {
    const r = request(routes, some);
    const best = exact(r).score;
    const seeds = 400;
    let count = 0;
    for (let seed = 0; seed < seeds; seed++) if (evolved(r, { rngSeed: seed }).score === best) count++;
    const expected = reached / 1000;
    // Five standard deviations of either count.
    const slack = 5 * Math.sqrt(expected * (1 - expected) * (1 / seeds + 1 / 1000));
    t.true(Math.abs(count / seeds - expected) <= slack, `${count} of ${seeds}, slack ${slack}`);
  });
}

test('beyond exactRoutes routes, GaQace evolves', (t) => {
  const routes = Array.from({ length: 70 }, (_, i) => route(i % 7, i % 5, i % 11));
  const d = ga(request(routes));
  t.true(d.generations > 1 && isPermutation(d, 70));
  t.is(ga(request(routes.slice(0, 64))).generations, 1);
});

test('ga_qace_prefers_low_latency_route', (t) => {
  const routes = [route(4, 1, 1), route(1, 5, 2), route(2, 3, 3)];
  const some = { latencyMs: 7, lossBps: 8500, threatScore: 40, jitterMs: 5, bandwidthMbps: 30 };
  t.is(ga(request(routes, some), { rngSeed: 42 }).order[0], 1);
});

test('ga_qace_reports_convergence_under_chaos', (t) => {
  const routes = [route(2, 5, 10), route(1, 3, 0)];
  const some = { latencyMs: 12, lossBps: 15000, threatScore: 88, jitterMs: 9, chaosLevel: 12 };
  for (const d of [
    ga(request(routes, some), { rngSeed: 17 }),
    evolved(request(routes, some), { rngSeed: 17 }),
  ]) {
    t.true(d.generations >= 1 && d.confidence >= 0 && d.confidence <= 1);
  }
});
