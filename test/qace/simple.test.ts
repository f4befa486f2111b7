import test from 'ava';
import {
  createQaceDecision,
  createSimpleQace,
  decideSimple,
  decideViable,
  simpleScore,
} from '../../src/qace/simple.ts';
import type { QaceDecision, QaceMetrics, QaceRequest, QaceRoute } from '../../src/qace/simple.ts';
import { CASES, draws } from '../random.ts';
import { randomMetrics, request, route, TWO } from './requests.ts';

const U32_MAX = 4294967295;

function decide(r: QaceRequest, by = decideSimple): QaceDecision {
  return by(r, createQaceDecision(r.routes.length));
}

const order = (d: QaceDecision): number[] => Array.from(d.order.subarray(0, d.count));

for (const [some, alternates, action, score] of [
  [{}, 1, 'maintain', 120000],
  [{ threatScore: 79 }, 1, 'maintain', 118420],
  [{ threatScore: 80 }, 1, 'reroute', 118400],
  [{ threatScore: 80 }, 0, 'maintain', 118400],
  [{ threatScore: 255, lossBps: 5000 }, 0, 'rekey', 114810],
  [{ lossBps: 499 }, 1, 'maintain', 120000],
  [{ lossBps: 500 }, 1, 'maintain', 119991],
  [{ lossBps: 4999 }, 1, 'maintain', 119919],
  [{ lossBps: 5000 }, 1, 'rekey', 119910],
  [{ latencyMs: 10000 }, 1, 'maintain', 0],
  [{ latencyMs: 10001 }, 1, 'maintain', 0],
  [{ latencyMs: U32_MAX }, 1, 'maintain', 0],
  [{ jitterMs: U32_MAX }, 1, 'maintain', 120000 - 8 * U32_MAX],
  [{ latencyMs: 17, lossBps: 1234, threatScore: 42, jitterMs: 9, chaosLevel: 7 }, 1, 'maintain', 118761],
  [{ threatScore: 91, latencyMs: 3 }, 1, 'reroute', 118144],
  [{ lossBps: 9500, latencyMs: 5 }, 1, 'rekey', 119769],
] as const) {
  test(`SimpleQace: ${JSON.stringify(some)}, ${alternates} alternates: ${action}, ${score}`, (t) => {
    const d = decide(request(TWO.slice(0, 1 + alternates), some));
    t.is(d.action, action);
    t.is(d.score, score);
    t.deepEqual(order(d), action === 'reroute' ? [1, 0] : [0, 1].slice(0, 1 + alternates));
    t.deepEqual([d.generations, d.staleGenerations, d.confidence], [1, 0, 1]);
  });
}

test('simple_qace_triggers_reroute_on_threat', (t) => {
  const d = decide(request(TWO, { threatScore: 95 }));
  t.is(d.action, 'reroute');
  t.is(d.order[0], 1);
  t.is(d.rationale, 'threat-score-reroute');
});

test('SimpleQace keeps its latest score', (t) => {
  const qace = createSimpleQace();
  const out = createQaceDecision(2);
  t.is(qace.lastScore(), null);
  t.is(qace.evaluate(request(TWO, { latencyMs: 1 }), out), out);
  t.is(qace.lastScore(), 119988);
  t.throws(() => qace.evaluate(request([route(1, 1, 1, { viable: false })]), out));
  t.is(qace.lastScore(), 119988);
});

test('a decision fills the same object again, whatever was in it', (t) => {
  const out = createQaceDecision(4);
  decideSimple(request([...TWO, ...TWO], { threatScore: 90 }), out);
  t.deepEqual(order(out), [1, 0, 2, 3]);
  decideSimple(request(TWO), out);
  t.deepEqual([out.action, out.rationale, order(out)], ['maintain', 'heuristic-stable', [0, 1]]);
});

// ---- Inputs ----------------------------------------------------------------------------------------------

const FIELDS: readonly [field: keyof QaceMetrics, most: number][] = [
  ['latencyMs', U32_MAX],
  ['lossBps', U32_MAX],
  ['threatScore', 255],
  ['routeChanges', 255],
  ['jitterMs', U32_MAX],
  ['bandwidthMbps', U32_MAX],
  ['chaosLevel', 255],
];

test('metrics take what their types hold, and nothing else', (t) => {
  for (const [field, most] of FIELDS) {
    for (const good of [0, 1, most]) t.notThrows(() => decide(request(TWO, { [field]: good })));
    for (const bad of [NaN, Infinity, -Infinity, -1, 0.5, most + 1]) {
      const error = { code: 'invalid_input', message: new RegExp(`${field} takes a whole number`) };
      t.throws(() => decide(request(TWO, { [field]: bad })), error, `${field} ${bad}`);
      t.throws(() => decide(request(TWO, { [field]: bad }), decideViable), error);
    }
  }
});

test('no route, no viable route, and too many routes are refused', (t) => {
  const empty = { code: 'invalid_input', message: 'qace path set empty' };
  const down = route(1, 1, 1, { viable: false });
  for (const by of [decideSimple, decideViable]) {
    t.throws(() => decide(request([]), by), empty);
    t.throws(() => decide(request([down, down]), by), empty);
    t.throws(() => by(request(TWO), createQaceDecision(1)), {
      code: 'invalid_input',
      message: /2 routes, and the decision has room for 1/,
    });
  }
});

// ---- Properties ------------------------------------------------------------------------------------------

test('the score falls by the weight of each step of each metric', (t) => {
  const draw = draws(t);
  for (let i = 0; i < CASES; i++) {
    const m = { ...randomMetrics(draw), latencyMs: draw.below(9000), threatScore: draw.below(200) };
    m.chaosLevel = draw.below(200);
    const step = 1 + draw.below(50);
    for (const [field, unit, weight] of [
      ['latencyMs', 1, 12],
      ['lossBps', 500, 9],
      ['threatScore', 1, 20],
      ['jitterMs', 1, 8],
      ['chaosLevel', 1, 15],
      ['routeChanges', 1, 0],
      ['bandwidthMbps', 1, 0],
    ] as const) {
      const worse = { ...m, [field]: m[field] + step * unit };
      t.is(simpleScore(m) - simpleScore(worse), weight * step, field);
    }
  }
});

test('the decision does not depend on what the routes are, and every order is a permutation', (t) => {
  const draw = draws(t);
  for (let i = 0; i < CASES; i++) {
    const n = 1 + draw.below(8);
    const some = randomMetrics(draw);
    const random = Array.from({ length: n }, () => route(draw.below(9), draw.below(9), draw.below(9)));
    const one = decide({ telemetryEpoch: 0, metrics: some, routes: random });
    const same = decide({ telemetryEpoch: 5, metrics: some, routes: random.map(() => route(1, 1, 1)) });
    t.deepEqual(one, same);
    t.deepEqual(
      order(one).sort((a, b) => a - b),
      random.map((_, at) => at),
    );
    t.is(one.action === 'reroute', order(one)[0] !== 0);
  }
});

// ---- What the original does not do -----------------------------------------------------------------------

const DOWN: Partial<QaceRoute> = { viable: false };

test('the original promotes a route that is not viable; with `viable`, the first viable one is', (t) => {
  const routes = [route(1, 1, 1), route(1, 1, 1, DOWN), route(1, 1, 1), route(1, 1, 1)];
  const threat = request(routes, { threatScore: 90 });
  t.deepEqual(order(decide(threat)), [1, 0, 2, 3]);
  t.deepEqual(order(decide(threat, decideViable)), [2, 0, 1, 3]);
  t.is(createSimpleQace('viable').evaluate(threat, createQaceDecision(4)).order[0], 2);
  t.is(createSimpleQace('any').evaluate(threat, createQaceDecision(4)).order[0], 1);
});

test('the original stays on a primary that is not viable; with `viable`, it is left', (t) => {
  const calm = request([route(1, 1, 1, DOWN), route(1, 1, 1, DOWN), route(1, 1, 1)]);
  t.is(decide(calm).action, 'maintain');
  const d = decide(calm, decideViable);
  t.deepEqual([d.action, d.rationale, order(d)], ['reroute', 'primary-not-viable', [2, 0, 1]]);
});

test('without a viable alternate, `viable` does what is done without alternates', (t) => {
  const draw = draws(t);
  for (let i = 0; i < CASES; i++) {
    const some = randomMetrics(draw);
    const alone = decide({ telemetryEpoch: 0, metrics: some, routes: [route(1, 1, 1)] });
    const routes = [route(1, 1, 1), route(1, 1, 1, DOWN)];
    const d = decide({ telemetryEpoch: 0, metrics: some, routes }, decideViable);
    t.deepEqual([d.action, d.rationale, d.score], [alone.action, alone.rationale, alone.score]);
  }
});

test('with all routes viable, both decide alike', (t) => {
  const draw = draws(t);
  for (let i = 0; i < CASES; i++) {
    const r: QaceRequest = {
      telemetryEpoch: 0,
      metrics: randomMetrics(draw),
      routes: Array.from({ length: 1 + draw.below(6) }, () => route(1, 1, 1)),
    };
    t.deepEqual(decide(r, decideViable), decide(r));
  }
});
