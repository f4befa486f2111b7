import { Command } from 'commander';
import { createGaQace } from '../../src/qace/ga.ts';
import { decideExact, FITNESS_DEFAULTS } from '../../src/qace/exact.ts';
import { decidedPathSet } from '../../src/qace/path-set.ts';
import { createQaceDecision, createQaceMetrics, createSimpleQace } from '../../src/qace/simple.ts';
import type { QaceDecision, QaceEngine, QaceMetrics, QaceRequest, QaceRoute } from '../../src/qace/simple.ts';
import { wholeNumber } from '../options.ts';
import { show, table } from '../ui.ts';

interface LabelledRoute extends QaceRoute {
  readonly label: string;
}

interface Scenario {
  readonly scenario: string;
  readonly request: QaceRequest & { readonly routes: readonly LabelledRoute[] };
}

/** A decision of the runbooks' controllers, told. */
interface Told {
  readonly action: string;
  readonly primary: string;
  readonly order: readonly string[];
  readonly score: number;
  readonly rationale: string;
  readonly generations: number;
  readonly staleGenerations: number;
  readonly confidence: number;
  /** Median, milliseconds. */
  readonly milliseconds: number;
  /** The first one, before any code is warm. */
  readonly firstMilliseconds: number;
}

/** A decision must not take longer, milliseconds. */
const TARGET_MS = 50;
const ROUNDS = 200;
const DEFAULT_SEED = 9;

function route(label: string, hopCount: number, qosBias: number, freshness: number): LabelledRoute {
  return { label, hopCount, qosBias, freshness, viable: true };
}

function scenario(
  name: string,
  telemetryEpoch: number,
  routes: readonly LabelledRoute[],
  metrics: Partial<QaceMetrics>,
): Scenario {
  return {
    scenario: name,
    request: { telemetryEpoch, routes, metrics: { ...createQaceMetrics(), ...metrics } },
  };
}

function failoverScenarios(): Scenario[] {
  const routes = [
    route('primary', 2, 5, 8),
    route('failsafe', 1, 3, 6),
    route('high-throughput', 3, 1, 5),
    route('fractal', 1, 5, 9),
  ];
  return [
    scenario('steady-state', 1, routes, { latencyMs: 3, lossBps: 1100, threatScore: 5 }),
    scenario('congested-mesh', 2, routes, {
      latencyMs: 15,
      lossBps: 12500,
      threatScore: 12,
      routeChanges: 1,
      jitterMs: 8,
      bandwidthMbps: 40,
    }),
    scenario('threat-injection', 3, routes, {
      latencyMs: 4,
      lossBps: 2400,
      threatScore: 92,
      routeChanges: 2,
      chaosLevel: 10,
    }),
  ];
}

function guardScenarios(): Scenario[] {
  const routes = [route('primary', 2, 4, 8), route('shielded', 1, 5, 7)];
  return [
    scenario('threat', 1, routes, { latencyMs: 3, threatScore: 91 }),
    scenario('loss', 2, routes, { latencyMs: 5, lossBps: 9500 }),
  ];
}

const ACTIONS = { maintain: 'Maintain', rekey: 'Rekey', reroute: 'Reroute' };

/** Decides, and measures how long it takes. */
function decide({ request }: Scenario, engine: QaceEngine): Told {
  const out: QaceDecision = createQaceDecision(request.routes.length);
  const times: number[] = [];
  for (let i = 0; i < ROUNDS; i++) {
    const start = performance.now();
    engine.evaluate(request, out);
    times.push(performance.now() - start);
  }
  const { primary, alternates } = decidedPathSet(request.routes, out);
  const firstMilliseconds = times[0]!;
  times.sort((a, b) => a - b);
  return {
    action: out.action === 'reroute' ? `Reroute(${primary.label})` : ACTIONS[out.action],
    primary: primary.label,
    order: [primary, ...alternates].map(({ label }) => label),
    score: out.score,
    rationale: out.rationale,
    generations: out.generations,
    staleGenerations: out.staleGenerations,
    confidence: out.confidence,
    milliseconds: times[times.length >> 1]!,
    firstMilliseconds,
  };
}

/** The exact solver as a controller. */
function exactQace(): QaceEngine {
  const bases = new Float64Array(8);
  return { evaluate: (request, out) => decideExact(request, FITNESS_DEFAULTS, bases, out) };
}

function time(milliseconds: number): string {
  return `${milliseconds.toFixed(4)} ms`;
}

/** Whether all decisions kept the target; if not, the exit code is 1. */
function verdict(all: readonly Told[]): { slowest: number; met: boolean; text: string } {
  const slowest = Math.max(...all.map(({ milliseconds }) => milliseconds));
  const first = Math.max(...all.map(({ firstMilliseconds }) => firstMilliseconds));
  const met = slowest < TARGET_MS;
  if (!met) process.exitCode = 1;
  const text =
    `slowest decision ${time(slowest)}, the first one ${time(first)}; ` +
    `target < ${TARGET_MS} ms: ${met ? 'met' : 'MISSED'}`;
  return { slowest, met, text };
}

interface FailoverOptions {
  seed: number;
  json?: boolean;
}

function gaFailover(options: FailoverOptions): void {
  const qace = createGaQace({ rngSeed: options.seed });
  const evolving = createGaQace({ rngSeed: options.seed, exactRoutes: 0 });
  const rows = failoverScenarios().map((one) => {
    const told = decide(one, qace);
    const optimum = decide(one, exactQace());
    const evolved = decide(one, evolving);
    return { scenario: one.scenario, ...told, optimum: optimum.score, evolved };
  });
  const { slowest, met, text } = verdict(rows.flatMap((row) => [row, row.evolved]));
  const data = { config: qace.config, rows, slowest, target: TARGET_MS, met };
  show(options.json === true, data, () =>
    [
      '== QACE GA Failover Runbook ==',
      table(
        ['scenario', 'action', 'primary', 'score', 'confidence', 'time', 'optimum'],
        rows.map((row) => [
          row.scenario,
          row.action,
          row.primary,
          String(row.score),
          row.confidence.toFixed(2),
          time(row.milliseconds),
          String(row.optimum),
        ]),
      ),
      '',
      `the same by evolution, seed ${options.seed}:`,
      table(
        ['scenario', 'action', 'primary', 'score', 'confidence', 'time', 'generations', 'stale'],
        rows.map(({ scenario: name, evolved }) => [
          name,
          evolved.action,
          evolved.primary,
          String(evolved.score),
          evolved.confidence.toFixed(2),
          time(evolved.milliseconds),
          String(evolved.generations),
          String(evolved.staleGenerations),
        ]),
      ),
      '',
      text,
    ].join('\n'),
  );
}

function deterministicGuard(options: { json?: boolean }): void {
  const rows = guardScenarios().map((one) => {
    const told = decide(one, createSimpleQace());
    const { primary, score } = decide(one, exactQace());
    return { scenario: one.scenario, ...told, optimum: { primary, score } };
  });
  const { slowest, met, text } = verdict(rows);
  show(options.json === true, { rows, slowest, target: TARGET_MS, met }, () =>
    [
      ...rows.map(
        ({ scenario: name, action, primary, score }) =>
          `${name} scenario => action=${action}, ` +
          (action.startsWith('Reroute') ? `new_primary=${primary}` : `score=${score}`),
      ),
      '',
      table(
        ['scenario', 'action', 'primary', 'score', 'rationale', 'time', 'exact optimum', 'its fitness'],
        rows.map((row) => [
          row.scenario,
          row.action,
          row.primary,
          String(row.score),
          row.rationale,
          time(row.milliseconds),
          row.optimum.primary,
          String(row.optimum.score),
        ]),
      ),
      '',
      text,
    ].join('\n'),
  );
}

export function qaceCommand(): Command {
  const qace = new Command('qace').description('adaptive routing: the runbooks');
  qace
    .command('ga-failover')
    .description('which path GaQace takes in three scenarios, how long it takes, and the optimum')
    .option('--seed <n>', 'of the evolution', wholeNumber('--seed', 0, 4294967295), DEFAULT_SEED)
    .option('--json', 'as JSON')
    .action(gaFailover);
  qace
    .command('deterministic-guard')
    .description('what SimpleQace, the controller of devices, does under a threat and under loss')
    .option('--json', 'as JSON')
    .action(deterministicGuard);
  return qace;
}
