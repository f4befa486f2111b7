// Known answers of kind `qace`: decisions of the original, and the optimum by exhaustive search. SimpleQace must
// decide exactly so. GaQace must find the optimum, which the original's own search often misses, and its action must
// follow from its primary; of the original's search the file's figures are checked against each other.

import type { QaceDecision, QaceRequest, QaceRoute } from '../qace/simple.ts';
import type { QaceApi, Report } from './api.ts';
import { check } from './api.ts';
import { FormatError, has, integer, list, object, real, signed, text, texts, truth } from './fields.ts';
import type { Entry } from './fields.ts';

interface Case {
  readonly entry: Entry;
  readonly labels: readonly string[];
  readonly request: QaceRequest;
  readonly wanted: Entry;
}

function readCase(entry: Entry): Case {
  const m = object(entry, 'metrics');
  const labels: string[] = [];
  const routes = list(entry, 'routes').map((route): QaceRoute => {
    labels.push(text(route, 'label'));
    return {
      hopCount: integer(route, 'hop_count'),
      qosBias: signed(route, 'qos_bias'),
      freshness: signed(route, 'freshness'),
      viable: truth(route, 'viable'),
    };
  });
  const metrics = {
    latencyMs: integer(m, 'latency_ms'),
    lossBps: integer(m, 'loss_bps'),
    threatScore: integer(m, 'threat_score'),
    routeChanges: integer(m, 'route_changes'),
    jitterMs: integer(m, 'jitter_ms'),
    bandwidthMbps: integer(m, 'bandwidth_mbps'),
    chaosLevel: integer(m, 'chaos_level'),
  };
  return {
    entry,
    labels,
    request: { telemetryEpoch: 0, metrics, routes },
    wanted: object(entry, 'decision'),
  };
}

/** Null if equal. */
function differs(what: string, got: string | number, wanted: string | number): string | null {
  return got === wanted ? null : what + ' is ' + got + ' instead of ' + wanted;
}

function first(failures: readonly (string | null)[]): string | null {
  for (let i = 0; i < failures.length; i++) if (failures[i] !== null) return failures[i]!;
  return null;
}

function orderOf(decision: QaceDecision, labels: readonly string[]): string {
  let out = '';
  for (let i = 0; i < decision.count; i++) out += (i === 0 ? '' : ', ') + labels[decision.order[i]!]!;
  return out;
}

/** `invalid input: qace path set empty`, as the original prints its errors. */
function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return 'something that is not an error';
  const { code } = error as Error & { code?: unknown };
  return (typeof code === 'string' ? code.replace('_', ' ') + ': ' : '') + error.message;
}

function refusal(run: () => unknown, wanted: string): string | null {
  try {
    run();
  } catch (error) {
    return differs('the error', messageOf(error), wanted);
  }
  return 'it decided instead of failing with "' + wanted + '"';
}

function compareAction(got: QaceDecision, labels: readonly string[], wanted: Entry): string | null {
  return first([
    differs('the action', got.action, text(wanted, 'action')),
    differs('the rationale', got.rationale, text(wanted, 'rationale')),
    differs(
      'the new route',
      got.action === 'reroute' ? labels[got.order[0]!]! : '',
      text(wanted, 'reroute_to'),
    ),
  ]);
}

function checkSimple(api: QaceApi, report: Report, c: Case): void {
  const { labels, request, wanted } = c;
  const qace = api.createSimpleQace();
  const out = api.createQaceDecision(labels.length);
  check(report, c.entry.path + ' simple', () => {
    if (has(wanted, 'error')) return refusal(() => qace.evaluate(request, out), text(wanted, 'error'));
    const got = qace.evaluate(request, out);
    return first([
      compareAction(got, labels, wanted),
      differs('the score', got.score, signed(wanted, 'score')),
      differs('the last score', qace.lastScore()!, got.score),
      differs('the order', orderOf(got, labels), texts(wanted, 'order').join(', ')),
      differs('generations', got.generations, integer(wanted, 'generations')),
      differs('stale generations', got.staleGenerations, integer(wanted, 'stale')),
      differs('confidence', got.confidence, real(wanted, 'confidence')),
    ]);
  });
}

function isOrderOf(order: readonly string[], labels: readonly string[]): boolean {
  return order.slice().sort().join() === labels.slice().sort().join();
}

/** What the original's rules make of a primary: the request's own is route 0. */
function actionFor(primary: number, request: QaceRequest): readonly [action: string, rationale: string] {
  const threat = request.metrics.threatScore >= 70;
  if (primary !== 0) return ['reroute', threat ? 'ga-threat-reroute' : 'ga-optimization'];
  if (request.metrics.lossBps >= 8000) return ['rekey', 'ga-rekey'];
  return threat ? ['rekey', 'ga-threat-rekey'] : ['maintain', 'ga-stable'];
}

function checkGa(api: QaceApi, report: Report, c: Case): void {
  const { entry, labels, request, wanted } = c;
  const out = api.createQaceDecision(labels.length);
  const qace = api.createGaQace({ rngSeed: integer(entry, 'seed') });
  const name = entry.path + ' ga';
  if (has(wanted, 'error')) {
    check(report, name, () => refusal(() => qace.evaluate(request, out), text(wanted, 'error')));
    return;
  }
  const optimum = object(entry, 'exhaustive_optimum');
  const order = texts(optimum, 'order');
  const best = signed(optimum, 'score');
  check(report, name + ' fitness', () => {
    const got = qace.evaluate(request, out);
    return first([
      differs('the fitness', got.score, best),
      differs('the confidence', got.confidence, 1),
      has(optimum, 'genes') ? checkGenes(api, c, optimum) : null,
    ]);
  });
  check(report, name + ' primary', () => {
    if (!isOrderOf(order, labels)) return 'the order of the optimum is not one of the routes';
    return differs('the primary', labels[qace.evaluate(request, out).order[0]!]!, order[0]!);
  });
  check(report, name + ' action', () => {
    const got = qace.evaluate(request, out);
    const [action, rationale] = actionFor(got.order[0]!, request);
    return first([
      differs('the action', got.action, action),
      differs('the rationale', got.rationale, rationale),
    ]);
  });
  check(report, name + ' original', () => checkOriginal(api, c, best));
}

/** Genes the optimum was found with: their fitness, and the order they stand for. */
function checkGenes(api: QaceApi, { labels, request }: Case, optimum: Entry): string | null {
  const n = labels.length;
  const genes = optimum.value['genes'];
  if (!Array.isArray(genes) || genes.length !== n) throw new FormatError(optimum.path + '.genes is no list');
  const string = new Uint8Array(n);
  let order = '';
  for (let i = 0; i < 2 * n; i++) {
    const gene = i < n ? (genes[i] as number) : i - n;
    if (labels[gene] === undefined) return 'there is no gene ' + gene;
    if (i < n) string[i] = gene;
    const label = labels[gene];
    if ((', ' + order + ', ').indexOf(', ' + label + ', ') === -1)
      order += (order === '' ? '' : ', ') + label;
  }
  const bases = new Float64Array(n);
  const penalty = api.measureRoutes(request, api.FITNESS_DEFAULTS, bases);
  const fitness = api.fitnessOf(string, 0, n, bases, penalty, api.FITNESS_DEFAULTS, new Uint8Array(n));
  return first([
    differs('the fitness of the genes', fitness, signed(optimum, 'score')),
    differs('the order of the genes', order, texts(optimum, 'order').join(', ')),
  ]);
}

/** The decision of the original's search: never better than the optimum, and the same where it has its primary. */
function checkOriginal(api: QaceApi, { labels, request, wanted }: Case, best: number): string | null {
  const order = texts(wanted, 'order');
  const generations = integer(wanted, 'generations');
  const stale = integer(wanted, 'stale');
  const score = signed(wanted, 'score');
  const primary = labels.indexOf(order[0]!);
  const confidence = generations === 0 ? 1 : 1 - Math.min(stale, generations) / generations;
  if (score > best) return 'its fitness ' + score + ' is above the optimum ' + best;
  if (Math.abs(real(wanted, 'confidence') - confidence) > 1e-6)
    return 'its confidence is not that of its generations';
  if (!isOrderOf(order, labels)) return 'its order is not one of the routes';
  const [action, rationale] = actionFor(primary, request);
  return first([
    differs('its action', text(wanted, 'action'), action),
    differs('its rationale', text(wanted, 'rationale'), rationale),
    differs('its new route', text(wanted, 'reroute_to'), action === 'reroute' ? order[0]! : ''),
    // With the optimum's score it has the optimum's primary, unless two are worth the same.
    score === best ? differs('its base', baseAt(api, request, primary), topBase(api, request)) : null,
  ]);
}

function baseAt(api: QaceApi, request: QaceRequest, index: number): number {
  return api.routeBase(request.routes[index]!, api.FITNESS_DEFAULTS.weights);
}

function topBase(api: QaceApi, request: QaceRequest): number {
  let top = baseAt(api, request, 0);
  for (let i = 1; i < request.routes.length; i++) {
    const base = baseAt(api, request, i);
    if (base > top) top = base;
  }
  return top;
}

export function checkQace(file: Entry, api: QaceApi, report: Report): void {
  for (const entry of list(file, 'vectors')) {
    const engine = text(entry, 'engine');
    const c = readCase(entry);
    if (engine === 'simple') checkSimple(api, report, c);
    else if (engine === 'ga') checkGa(api, report, c);
    else throw new FormatError(entry.path + '.engine "' + engine + '" is not in this build');
  }
}
