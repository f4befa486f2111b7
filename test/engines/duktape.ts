// Duktape under a prelude that takes from it what Espruino lacks: an Espruino-class engine. It runs what a
// device of that class would, lowered to ES5. It is not Espruino.

import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { bundleScript } from './bundle.ts';
import type { KatFile, SelftestResult } from './selftest.ts';

/** Kinds of known answers that the suite checks: no sessions. Of `pq`, parameter set 2. */
export const DUKTAPE_KINDS: readonly string[] = ['hash', 'rcs', 'pq', 'qace', 'proto'];
const PATIENCE_MS = 600_000;
const HINT =
  'Duktape cannot be run: install it (Debian: apt-get install duktape), or run: node tools/engines.mjs';

function duk(file: string): Promise<{ status: number | null; stdout: string; stderr: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn('duk', [file], { stdio: ['ignore', 'pipe', 'pipe'], timeout: PATIENCE_MS });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (data: Buffer) => (stdout += data.toString('latin1')));
    child.stderr.on('data', (data: Buffer) => (stderr += data.toString('latin1')));
    child.on('error', () => reject(new Error(HINT)));
    child.on('close', (status) => resolve({ status, stdout, stderr }));
  });
}

/** Runs a script in ES5 after the prelude; returns what it prints. Rejects if it throws. */
export async function runEspruinoClass(script: string, root = '.'): Promise<string> {
  const prelude = await readFile(path.resolve(root, 'test/engines/espruino-class-prelude.js'), 'utf8');
  const folder = await mkdtemp(path.join(tmpdir(), 'qstp-duk-'));
  try {
    const file = path.join(folder, 'program.js');
    await writeFile(file, `${prelude}\n${script}\n`);
    const { status, stdout, stderr } = await duk(file);
    if (status !== 0)
      throw new Error(`Duktape ended with ${status ?? 'a signal'}: ${stdout}${stderr}`.trim());
    return stdout;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The suite of this class of engines as a script in ES5, the global `suite`. */
export function espruinoClassSuite(root = '.'): Promise<string> {
  return bundleScript('test/engines/espruino-class-suite.ts', { name: 'suite', root, es5: true });
}

export async function selftestOnDuktape(files: readonly KatFile[], root = '.'): Promise<SelftestResult> {
  const suite = await espruinoClassSuite(root);
  const total: SelftestResult = { passed: 0, failures: [] };
  for (const { kind, text } of files) {
    const call = `print(JSON.stringify(suite.run(${JSON.stringify(kind)}, ${JSON.stringify(text)})));`;
    const { passed, failures } = JSON.parse(
      await runEspruinoClass(`${suite}\n${call}`, root),
    ) as SelftestResult;
    total.passed += passed;
    total.failures.push(...failures);
  }
  return total;
}
