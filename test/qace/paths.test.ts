import test from 'ava';
import { createPathChooser } from '../../src/qace/chooser.ts';
import {
  choosePath,
  createPaths,
  currentPath,
  holdPath,
  PATH_DEFAULTS,
  pathAnswered,
  pathCost,
  pathLost,
  pathMissed,
  pathThreat,
  pathUsed,
  pathViable,
  pathWords,
  readPath,
} from '../../src/qace/metrics.ts';
import type { Paths, PathSettings } from '../../src/qace/metrics.ts';
import { createQaceDecision, createQaceMetrics, decideViable } from '../../src/qace/simple.ts';
import type { QaceMetrics, QaceRoute } from '../../src/qace/simple.ts';
import { attemptFailed, attemptSucceeded, createEndpoints, nextAttempt } from '../../src/link/endpoints.ts';
import { CASES, draws } from '../random.ts';
import { route } from './requests.ts';

const create = (count: number, some: Partial<PathSettings> = {}): Paths =>
  createPaths(count, { ...PATH_DEFAULTS, ...some });

const read = (paths: Paths, path: number): QaceMetrics => readPath(paths, path, createQaceMetrics());

function choose(paths: Paths): { path: number; action: string; rationale: string; order: number[] } {
  const out = createQaceDecision(paths.count);
  const path = choosePath(paths, out);
  return {
    path,
    action: out.action,
    rationale: out.rationale,
    order: Array.from(out.order.subarray(0, out.count)),
  };
}

function repeat(times: number, body: (i: number) => void): void {
  for (let i = 0; i < times; i++) body(i);
}

/** Paths that answered ten times in `trips` milliseconds each, the first in use. */
function settled(trips: readonly number[], some: Partial<PathSettings> = {}): Paths {
  const paths = create(trips.length, some);
  repeat(10, () => trips.forEach((trip, path) => pathAnswered(paths, path, trip)));
  pathUsed(paths, 0);
  repeat(20, () => holdPath(paths, 0, false));
  return paths;
}

// ---- Figures ---------------------------------------------------------------------------------------------

test('a steady path shows its round trip, no jitter and no loss', (t) => {
  for (const trip of [0, 1, 7, 40, 1000, 1 << 24]) {
    const paths = create(1);
    repeat(100, () => pathAnswered(paths, 0, trip));
    t.deepEqual(read(paths, 0), {
      ...createQaceMetrics(),
      latencyMs: trip,
    });
  }
});

test('round trip and jitter follow RFC 6298, to a millisecond; loss a mean of gain 1/16', (t) => {
  const draw = draws(t);
  for (let i = 0; i < CASES; i++) {
    const paths = create(1);
    let [mean, deviation, loss] = [0, 0, 0];
    let first = true;
    repeat(200, () => {
      if (!first && draw.below(4) === 0) {
        pathMissed(paths, 0);
        loss += (10000 - loss) / 16;
        // Falls restart the mean: kept apart from this test.
        pathAnswered(paths, 0, 50);
        deviation += (Math.abs(50 - mean) - deviation) / 4;
        mean += (50 - mean) / 8;
        loss -= loss / 16;
        return;
      }
      const trip = draw.below(200);
      pathAnswered(paths, 0, trip);
      loss -= loss / 16;
      if (first) mean = trip;
      else {
        deviation += (Math.abs(trip - mean) - deviation) / 4;
        mean += (trip - mean) / 8;
      }
      first = false;
    });
    const m = read(paths, 0);
    t.true(Math.abs(m.latencyMs - mean) <= 2, `${m.latencyMs} ${mean}`);
    t.true(Math.abs(m.jitterMs - deviation) <= 3, `${m.jitterMs} ${deviation}`);
    t.true(Math.abs(m.lossBps - loss) <= 2, `${m.lossBps} ${loss}`);
  }
});

test('all lost is a loss of nearly all, and answers bring it back to nothing', (t) => {
  const paths = create(1);
  pathAnswered(paths, 0, 5);
  repeat(300, () => pathMissed(paths, 0));
  t.true(read(paths, 0).lossBps > 9990);
  repeat(300, () => pathAnswered(paths, 0, 5));
  t.is(read(paths, 0).lossBps, 0);
});

test('samples out of range are cut off; NaN, and paths that do not exist, are refused', (t) => {
  const paths = create(2);
  const invalid = { code: 'invalid_input' };
  for (const [given, shown] of [
    [-5, 0],
    [-Infinity, 0],
    [2.9, 2],
    [Infinity, 1 << 24],
    [1e300, 1 << 24],
  ] as const) {
    const one = create(1);
    pathAnswered(one, 0, given);
    t.is(read(one, 0).latencyMs, shown);
  }
  for (const [given, shown] of [
    [-1, 0],
    [79.9, 79],
    [300, 255],
    [Infinity, 255],
  ] as const) {
    pathThreat(paths, 0, given);
    t.is(read(paths, 0).threatScore, shown);
  }
  t.throws(() => pathAnswered(paths, 0, NaN), invalid);
  t.throws(() => pathThreat(paths, 0, NaN), invalid);
  t.false(pathViable(paths, 0));
  for (const path of [-1, 2, 0.5, NaN]) {
    for (const use of [
      () => pathAnswered(paths, path, 1),
      () => pathMissed(paths, path),
      () => pathLost(paths, path),
      () => pathThreat(paths, path, 1),
      () => pathViable(paths, path),
      () => pathCost(paths, path),
      () => holdPath(paths, path, true),
      () => read(paths, path),
    ]) {
      t.throws(use, invalid, `${path}`);
    }
    if (path !== -1) t.throws(() => pathUsed(paths, path), invalid);
  }
  for (const count of [0, -1, 256, 1.5, NaN]) t.throws(() => create(count), invalid);
  t.throws(() => createPaths(2, PATH_DEFAULTS, new Int32Array(pathWords(2) - 1)), invalid);
  t.throws(() => choosePath(paths, createQaceDecision(1)), invalid);
});

test('all state is in the words given', (t) => {
  const words = new Int32Array(pathWords(2)).fill(77);
  const paths = createPaths(2, PATH_DEFAULTS, words);
  t.is(choose(paths).path, -1);
  repeat(5, () => pathAnswered(paths, 1, 30));
  t.is(choose(paths).path, 1);
  const copy = createPaths(2, PATH_DEFAULTS);
  copy.words.set(words);
  t.deepEqual([currentPath(copy), read(copy, 1)], [1, read(paths, 1)]);
});

// ---- Viability -------------------------------------------------------------------------------------------

test('a path that never answered is not viable; its first answer makes it so', (t) => {
  const paths = create(3);
  t.deepEqual(choose(paths), {
    path: -1,
    action: 'maintain',
    rationale: 'no-viable-path',
    order: [0, 1, 2],
  });
  repeat(9, () => pathMissed(paths, 1));
  t.is(choose(paths).path, -1);
  pathAnswered(paths, 2, 900);
  t.deepEqual(choose(paths), {
    path: 2,
    action: 'reroute',
    rationale: 'primary-not-viable',
    order: [2, 0, 1],
  });
  t.is(choose(paths).action, 'maintain');
});

test('three misses in a row take a path down, and another is taken at once', (t) => {
  const paths = settled([20, 500]);
  repeat(2, () => pathMissed(paths, 0));
  t.is(choose(paths).path, 0);
  pathAnswered(paths, 0, 20);
  repeat(2, () => pathMissed(paths, 0));
  t.true(pathViable(paths, 0));
  pathMissed(paths, 0);
  t.false(pathViable(paths, 0));
  t.deepEqual(choose(paths), {
    path: 1,
    action: 'reroute',
    rationale: 'primary-not-viable',
    order: [1, 0],
  });
  t.is(read(paths, 1).routeChanges, 1);
});

test('a connection that broke takes its path down at once', (t) => {
  const paths = settled([20, 500]);
  pathLost(paths, 0);
  t.is(choose(paths).path, 1);
});

test('a path comes back after three answers in a row, and needs more each time it fell lately', (t) => {
  const paths = create(1);
  pathAnswered(paths, 0, 20);
  const needed: number[] = [];
  repeat(7, () => {
    pathLost(paths, 0);
    repeat(2, () => pathAnswered(paths, 0, 20));
    t.false(pathViable(paths, 0));
    pathMissed(paths, 0);
    let answers = 0;
    while (!pathViable(paths, 0)) {
      pathAnswered(paths, 0, 20);
      answers++;
    }
    needed.push(answers);
  });
  t.deepEqual(needed, [3, 6, 12, 24, 48, 48, 48]);
  // 64 quiet answers make good for one fall.
  repeat(64 * 8, () => pathAnswered(paths, 0, 20));
  pathLost(paths, 0);
  repeat(3, () => pathAnswered(paths, 0, 20));
  t.true(pathViable(paths, 0));
});

test('after a fall, the round trip starts anew', (t) => {
  const paths = create(1);
  repeat(50, () => pathAnswered(paths, 0, 5000));
  repeat(3, () => pathMissed(paths, 0));
  pathAnswered(paths, 0, 20);
  t.is(read(paths, 0).latencyMs, 20);
});

test('with nothing viable, the path that answers is kept or taken', (t) => {
  const paths = settled([20, 20]);
  pathLost(paths, 0);
  pathLost(paths, 1);
  t.is(choose(paths).path, -1);
  pathAnswered(paths, 1, 20);
  t.like(choose(paths), { path: 1, action: 'reroute', rationale: 'no-viable-path' });
  pathAnswered(paths, 0, 20);
  t.like(choose(paths), { path: 1, action: 'maintain' });
});

test('if any path is viable, a viable path is chosen, whatever happens', (t) => {
  const draw = draws(t);
  for (let i = 0; i < CASES; i++) {
    const paths = create(1 + draw.below(5));
    repeat(300, () => {
      const path = draw.below(paths.count);
      const event = draw.below(20);
      if (event < 12) pathAnswered(paths, path, draw.below(500));
      else if (event < 17) pathMissed(paths, path);
      else if (event < 18) pathLost(paths, path);
      else if (event < 19) pathThreat(paths, path, draw.below(256));
      else pathUsed(paths, path);
      const any = Array.from({ length: paths.count }, (_, at) => at).some((at) => pathViable(paths, at));
      const d = choose(paths);
      t.is(d.path === -1 ? false : pathViable(paths, d.path), any);
      t.deepEqual(
        d.order.slice().sort((a, b) => a - b),
        Array.from({ length: paths.count }, (_, at) => at),
      );
      if (d.path !== -1) t.deepEqual([d.order[0], currentPath(paths)], [d.path, d.path]);
    });
  }
});

// ---- Hysteresis ------------------------------------------------------------------------------------------

test('a path a little better is not worth a move; one clearly better is, after a while', (t) => {
  const near = settled([50, 40]);
  repeat(1000, () => t.is(choose(near).path, 0));
  const far = settled([200, 40]);
  const rationales: string[] = [];
  repeat(4, () => rationales.push(choose(far).rationale));
  t.deepEqual(rationales, ['heuristic-stable', 'heuristic-stable', 'heuristic-stable', 'path-better']);
  t.is(currentPath(far), 1);
  repeat(1000, () => t.is(choose(far).path, 1));
});

test('two paths that take turns in being better: no move if faster than the dwell', (t) => {
  const paths = settled([100, 100]);
  repeat(2000, (i) => {
    // Past the smoothing: turns of three evaluations.
    const turn = Math.floor(i / 3) % 2;
    repeat(60, () => {
      pathAnswered(paths, 0, turn === 0 ? 400 : 100);
      pathAnswered(paths, 1, turn === 0 ? 100 : 400);
    });
    choose(paths);
  });
  t.is(read(paths, 0).routeChanges, 0);
});

test('and if slower, never more often than the hold allows', (t) => {
  const draw = draws(t);
  for (let i = 0; i < CASES; i++) {
    const hold = 1 + draw.below(20);
    const paths = settled([100, 100, 100], { hold, dwell: 1 + draw.below(6) });
    let last = -Infinity;
    let before = 0;
    repeat(300, (at) => {
      for (let path = 0; path < 3; path++)
        repeat(20, () => pathAnswered(paths, path, 20 + 100 * draw.below(9)));
      const { path, rationale } = choose(paths);
      if (path === before) return;
      t.is(rationale, 'path-better');
      t.true(at - last >= hold, `${at - last} of ${hold}`);
      last = at;
      before = path;
    });
  }
});

test('noise does not move a tunnel; degradation does, once; recovery with a bias brings it back, once', (t) => {
  const draw = draws(t);
  for (let i = 0; i < CASES; i++) {
    // The second path costs 100 ms more than its round trip, as one that is paid for by volume may.
    const paths = settled([40, 60], { bias: [0, 1200] });
    const moves: number[] = [];
    let lost = 0;
    /** Losses are at least `apart` cycles apart. */
    const cycle = (at: number, lossPercent: number, apart: number): void => {
      if (draw.below(100) < lossPercent && at - lost >= apart) {
        pathMissed(paths, 0);
        lost = at;
      } else pathAnswered(paths, 0, 30 + draw.below(20));
      pathAnswered(paths, 1, 45 + draw.below(30));
      const before = currentPath(paths);
      if (choose(paths).path !== before) moves.push(at);
    };
    for (let at = 0; at < 500; at++) cycle(at, 5, 10);
    t.deepEqual(moves, [], 'noise');
    for (let at = 500; at < 1000; at++) cycle(at, 60, 1);
    t.true(moves.length === 1 && moves[0]! < 560, `degraded: ${moves}`);
    for (let at = 1000; at < 2500; at++) cycle(at, 0, 1);
    t.true(moves.length === 2 && moves[1]! > 1000, `recovered: ${moves}`);
  }
});

test('SimpleQace swaps its two routes at every call under a lasting threat; paths do not', (t) => {
  // The original: the promoted route is the next request's primary, and the old one its first alternate.
  const out = createQaceDecision(2);
  let names = ['a', 'b'];
  const seen: string[] = [];
  repeat(6, () => {
    const request = {
      telemetryEpoch: 0,
      metrics: { ...createQaceMetrics(), threatScore: 90 },
      routes: [route(1, 1, 1), route(1, 1, 1)],
    };
    decideViable(request, out);
    names = Array.from(out.order, (at) => names[at]!);
    seen.push(names[0]!);
  });
  t.is(seen.join(''), 'bababa');
  // Ours: the threat is the path's own, and a path under threat as well is no refuge.
  const paths = settled([50, 50]);
  pathThreat(paths, 0, 90);
  t.like(choose(paths), { path: 1, action: 'reroute', rationale: 'threat-score-reroute' });
  repeat(100, () => t.is(choose(paths).path, 1));
  pathThreat(paths, 1, 85);
  repeat(100, () => t.like(choose(paths), { path: 1, action: 'maintain' }));
  t.is(read(paths, 0).routeChanges, 1);
});

test('heavy loss without another path asks for new keys, as SimpleQace does', (t) => {
  const paths = settled([50]);
  let cycles = 0;
  while (read(paths, 0).lossBps < 5000 && cycles++ < 100) {
    t.is(choose(paths).action, 'maintain');
    pathAnswered(paths, 0, 50);
    repeat(2, () => pathMissed(paths, 0));
  }
  t.like(choose(paths), { path: 0, action: 'rekey', rationale: 'high-loss-rekey' });
});

test('without a better path, it decides as SimpleQace over the paths in the order of their costs', (t) => {
  const draw = draws(t);
  let reroutes = 0;
  for (let i = 0; i < 4 * CASES; i++) {
    const n = 1 + draw.below(4);
    const paths = settled(
      Array.from({ length: n }, () => 10 + draw.below(300)),
      { marginPoints: 1e9 },
    );
    repeat(40, () => {
      const path = draw.below(n);
      if (draw.below(3) === 0) pathMissed(paths, path);
      else pathAnswered(paths, path, draw.below(300));
    });
    if (draw.below(3) === 0) pathThreat(paths, 0, draw.below(256));
    const others = Array.from({ length: n - 1 }, (_, at) => at + 1).sort(
      (a, b) => pathCost(paths, a) - pathCost(paths, b) || a - b,
    );
    const order = [0, ...others];
    const routes = order.map((at): QaceRoute => route(1, 1, 1, { viable: pathViable(paths, at) }));
    if (!routes.some((one) => one.viable)) continue;
    const out = createQaceDecision(n);
    decideViable({ telemetryEpoch: 0, metrics: read(paths, 0), routes }, out);
    const d = choose(paths);
    t.deepEqual([d.path, d.action, d.rationale], [order[out.order[0]!], out.action, out.rationale]);
    if (d.action === 'reroute') reroutes++;
  }
  t.true(reroutes > 0);
});

// ---- Endpoints of the link -------------------------------------------------------------------------------

test('endpoints in the order of their figures, and in their own order as long as there are none', (t) => {
  const paths = create(3);
  const chooser = createPathChooser(paths, createQaceDecision(3));
  const endpoints = createEndpoints({ count: 3, chooser }, 0);
  const next = (now: number): number => nextAttempt(endpoints, now).index;
  const fail = (index: number, now: number): void => {
    attemptFailed(endpoints, index, now, 0.5);
    pathLost(paths, index);
  };
  t.is(next(0), 0);
  fail(0, 0);
  t.is(next(0), 1);
  attemptSucceeded(endpoints, 1);
  pathUsed(paths, 1);
  pathAnswered(paths, 1, 300);
  // A probe of another path finds it up as well, and nearer.
  repeat(5, () => pathAnswered(paths, 2, 20));
  t.is(next(10), 1);
  fail(1, 10);
  t.is(next(10), 2);
  attemptSucceeded(endpoints, 2);
  fail(2, 20);
  // Nothing is known to answer: the list decides, by who may be tried soonest.
  t.is(choosePath(paths, createQaceDecision(3)), -1);
  t.is(next(20), nextAttempt(createEndpointsLike(endpoints), 20).index);
  // A path that answers but has to wait is not forced.
  pathAnswered(paths, 2, 20);
  const { index, waitMs } = nextAttempt(endpoints, 21);
  t.true(index !== 2 || waitMs <= 500);
});

/** The same endpoints without a chooser. */
function createEndpointsLike(endpoints: ReturnType<typeof createEndpoints>): typeof endpoints {
  return { ...endpoints, chooser: null };
}
