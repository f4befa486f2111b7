// The figures of this build, by the metric names of docs/performance.md.

import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import type { Figures } from './figures.ts';
import { overBudget } from './budgets.ts';
import type { Budgeted } from './budgets.ts';
import { benchDuktape } from './duktape.ts';
import { benchGateway, GATEWAY_BARS, isRate } from './gateway.ts';
import { benchHeap } from './heap.ts';
import { leanComputrons } from './lean.ts';
import { benchState } from './state.ts';
import { benchNoble, benchNode } from './node.ts';
import { benchMesh } from './node-mesh.ts';
import { benchQace } from './node-qace.ts';
import { benchWire } from './wire.ts';
import { bundleMetrics } from '../test/engines/micro/bundle.ts';
import { metrics, OPERATIONS } from '../test/engines/micro/operations.ts';
import { benchXs } from './xs.ts';

export type { Figures };

export interface BenchOptions {
  /** Engines to measure on. */
  engines: readonly string[];
  /** Profiles whose bundles are weighed; all that are built, if none are named. */
  profiles?: readonly string[];
  /** The project's folder. */
  root: string;
  /** The command's own file: profile rtu-gateway, if it is named, measures in processes of it. */
  program?: string;
  /** Told of what is being measured. */
  progress?: (text: string) => void;
}

export interface BenchResult {
  figures: Figures;
  /** What could not be measured, and why. Not in `figures`. */
  missing: string[];
  /** Figures over a budget of a profile. */
  over: string[];
}

export const BENCH_ENGINES: readonly string[] = ['xs', 'm4', 'rp2040', 'duktape', 'node'];
/** Those that are measured if none are named: the rp2040's emulator takes minutes. */
export const DEFAULT_ENGINES: readonly string[] = ['xs', 'duktape', 'node'];

/** The profile whose figures take minutes: they are measured if it is named. */
const GATEWAY = 'rtu-gateway';
/** The bundle whose steps on XS are counted. */
const LEAN = 'esp32-lean';

/** The profiles named, or all. */
function chosenProfiles(options: BenchOptions): string[] {
  const all = readdirSync(path.join(options.root, 'firmware-profiles'))
    .filter((file) => file.endsWith('.json') && file !== 'schema.json')
    .map((file) => file.slice(0, -5));
  const chosen = options.profiles ?? all;
  for (const name of chosen) {
    if (!all.includes(name)) throw new Error(`there is no profile "${name}"; there are ${all.join(', ')}`);
  }
  return [...chosen];
}

function profilesOf(options: BenchOptions): Budgeted[] {
  return chosenProfiles(options).map((name) => {
    const file = path.join(options.root, 'firmware-profiles', `${name}.json`);
    return JSON.parse(readFileSync(file, 'utf8')) as Budgeted;
  });
}

/** `size.<profile>.min.bytes` of the bundles in dist/. */
function benchSizes(figures: Figures, missing: string[], options: BenchOptions): void {
  for (const name of chosenProfiles(options)) {
    const metric = `size.${name}.min.bytes`;
    try {
      figures[metric] = statSync(path.join(options.root, 'dist', name, 'qstp.min.js')).size;
    } catch {
      missing.push(`${metric}: there is no bundle; run: qstp build --profile ${name}`);
    }
  }
}

/**
 * Measures. What fails is left out of the figures and named in `missing`; an engine or profile that does not
 * exist throws.
 */
export async function bench(options: BenchOptions): Promise<BenchResult> {
  const unknown = options.engines.find((engine) => !BENCH_ENGINES.includes(engine));
  if (unknown !== undefined) {
    throw new Error(`no bench for engine "${unknown}"; there are ${BENCH_ENGINES.join(', ')}`);
  }
  const figures: Figures = {};
  const missing: string[] = [];
  const measure = async (what: string, run: () => void | Promise<void>): Promise<void> => {
    options.progress?.(`measuring ${what}`);
    try {
      await run();
    } catch (error) {
      missing.push(`${what}: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
  if (options.engines.includes('xs')) {
    await measure('xs.*', () => benchXs(figures, options.root));
    await measure('xs.heap.*', () => benchHeap(figures, options.root));
    await measure('xs.state.*', () => benchState(figures, options.root));
    await measure('xs.lean.*', async () => {
      const code = readFileSync(path.join(options.root, 'dist', LEAN, 'qstp.min.js'), 'utf8');
      await leanComputrons(figures, code, options.root);
    });
  }
  for (const engine of ['m4', 'rp2040'] as const) {
    if (!options.engines.includes(engine)) continue;
    for (const operation of OPERATIONS) {
      await measure(`${engine}.${operation}`, async () => {
        Object.assign(figures, await metrics(engine, [operation], options.root));
      });
    }
  }
  if (options.engines.includes('m4')) {
    for (const { name } of profilesOf(options).filter(({ budgets }) => budgets['engineLeftBytes'])) {
      await measure(`m4.bundle.${name}.*`, async () => {
        Object.assign(figures, await bundleMetrics(name, options.root));
      });
    }
  }
  if (options.engines.includes('duktape')) {
    await measure('duktape.*.noble.ratio', () => benchDuktape(figures, options.root));
  }
  if (options.engines.includes('node')) {
    await measure('node.rcs.*', () => benchNode(figures));
    await measure('node.*.noble.ratio', () => benchNoble(figures));
    await measure('node.qace.*', () => benchQace(figures));
    await measure('node.mesh.*', () => benchMesh(figures));
    await measure('wire.*', () => benchWire(figures));
    if (options.profiles?.includes(GATEWAY) === true && options.program !== undefined) {
      await benchGateway(figures, { root: options.root, program: options.program }, measure);
    }
  }
  benchSizes(figures, missing, options);
  const over = profilesOf(options).flatMap((profile) => overBudget(figures, profile));
  return { figures, missing, over };
}

/** What a figure is beside its bar: nothing where it has none. */
function beside(metric: string, value: number): string {
  const bar = GATEWAY_BARS[metric];
  if (bar === undefined) return '';
  const met = isRate(metric) ? value >= bar : value <= bar;
  return `  bar ${isRate(metric) ? 'at least' : 'at most'} ${bar}${met ? '' : '  MISSED'}`;
}

/** The figures as a table for people. */
export function benchTable(figures: Figures): string {
  const entries = Object.entries(figures);
  const width = Math.max(0, ...entries.map(([metric]) => metric.length));
  const format = (value: number): string =>
    Number.isInteger(value) ? value.toLocaleString('en-US') : value.toFixed(2);
  const cells = entries.map(([metric, value]) => [metric, format(value)] as const);
  const digits = Math.max(0, ...cells.map(([, value]) => value.length));
  return cells
    .map(
      ([metric, value]) =>
        `${metric.padEnd(width)}  ${value.padStart(digits)}${beside(metric, figures[metric]!)}`,
    )
    .join('\n');
}
