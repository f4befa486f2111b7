// Known answers on other engines: the same runner, started where the engine is.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { bundleScript, PRELOAD } from './bundle.ts';
import { runDeno } from './deno.ts';
import { startXs } from './xs.ts';

export interface KatFile {
  readonly kind: string;
  readonly text: string;
}

export interface SelftestResult {
  passed: number;
  failures: string[];
  /** Of the native provider: the engine, and what it leaves to the other provider. */
  engine?: string | undefined;
  left?: string[];
}

export interface EngineOptions {
  /** The project's folder. */
  root?: string;
}

/** Longest time for one file on a machine that has other things to do, milliseconds. */
const FILE_MS = 300_000;

function add(total: SelftestResult, part: SelftestResult): void {
  total.passed += part.passed;
  total.failures.push(...part.failures);
}

/**
 * On the XS worker, over the device kernels. With `preload`, every module-level object is frozen first, as a
 * Moddable build does.
 */
export async function selftestOnXs(
  files: readonly KatFile[],
  options: EngineOptions & { preload?: boolean } = {},
): Promise<SelftestResult> {
  const script = await bundleScript('test/engines/device-suite.ts', { name: 'suite', ...options });
  const worker = await startXs({ timeout: FILE_MS, ...options });
  try {
    if (options.preload === true) await worker.evaluate(PRELOAD);
    await worker.evaluate(script);
    const total: SelftestResult = { passed: 0, failures: [] };
    for (const { kind, text } of files) {
      const call = `suite.run(${JSON.stringify(kind)}, ${JSON.stringify(text)})`;
      const { output } = await worker.evaluate(`print(JSON.stringify(${call}))`);
      add(total, JSON.parse(output.join('')) as SelftestResult);
    }
    return total;
  } finally {
    worker.close();
  }
}

export type DenoProvider = 'micro' | 'noble' | 'native';

/** The program Deno runs: nothing is read or fetched at run time, so it needs no permission. */
function denoProgram(
  files: readonly KatFile[],
  modules: Readonly<Record<'runner' | 'bundle' | 'noble' | 'qace' | 'mesh' | 'proto', string>>,
  provider: DenoProvider,
): string {
  const { runner, bundle, noble, qace, mesh, proto } = modules;
  const api = provider === 'noble' ? '{ ...parts, provider: noble }' : 'parts';
  return `import { checkNative, runKatText } from ${JSON.stringify(runner)};
import { denoNative, micro, parts } from ${JSON.stringify(bundle)};
import { noble } from ${JSON.stringify(noble)};
import * as qace from ${JSON.stringify(qace)};
import { mesh1 } from ${JSON.stringify(mesh)};
import * as proto from ${JSON.stringify(proto)};
const mesh = mesh1({ allowLegacy: true });
const total = { passed: 0, failures: [] };
const report = (name, failure) => {
  if (failure === null) total.passed++;
  else total.failures.push(name + ': ' + failure);
};
for (const { kind, text } of ${JSON.stringify(files)}) runKatText(kind, text, { ...${api}, qace, mesh, proto }, report);
if (${provider === 'native'}) {
  const provider = denoNative(micro);
  if (provider === null) throw new Error('this Deno has no ML-KEM and ML-DSA');
  const random = (out) => crypto.getRandomValues(out);
  total.engine = provider.engine;
  total.left = await new Promise((done) => checkNative(provider, noble, random, report, done));
}
console.log(JSON.stringify(total));
`;
}

/**
 * The built bundle of a profile on Deno, without any permission: over its kernels or over the package's noble; native
 * jobs against noble. Needs a build and `qstp build` before.
 */
export async function selftestOnDeno(
  files: readonly KatFile[],
  options: EngineOptions & { profile?: string; provider?: DenoProvider } = {},
): Promise<SelftestResult> {
  const dist = path.resolve(options.root ?? '.', 'dist');
  const runner = pathToFileURL(path.join(dist, 'selftest.js')).href;
  const noble = pathToFileURL(path.join(dist, 'noble.js')).href;
  const qace = pathToFileURL(path.join(dist, 'qace.js')).href;
  const mesh = pathToFileURL(path.join(dist, 'mesh.js')).href;
  const proto = pathToFileURL(path.join(dist, 'mesh-proto.js')).href;
  const bundle = pathToFileURL(path.join(dist, options.profile ?? 'deno-edge', 'qstp.min.js')).href;
  const folder = await mkdtemp(path.join(tmpdir(), 'qstp-deno-'));
  try {
    const program = path.join(folder, 'selftest.mjs');
    const modules = { runner, bundle, noble, qace, mesh, proto };
    await writeFile(program, denoProgram(files, modules, options.provider ?? 'micro'));
    const { exitCode, stdout, stderr } = await runDeno(program, options);
    if (exitCode !== 0) throw new Error(`Deno ended with exit code ${exitCode}\n${stderr}`);
    return JSON.parse(stdout) as SelftestResult;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
