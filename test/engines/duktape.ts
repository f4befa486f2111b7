// Duktape under a prelude that takes from it what Espruino lacks: an Espruino-class engine. It runs what a
// device of that class would, lowered to ES5. It is not Espruino.

import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
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

/** Duktape that goes on: evaluates one expression after another. */
export interface EspruinoClassWorker {
  /** The value of an expression, a string in ASCII. Rejects if it throws. */
  evaluate(expression: string): Promise<string>;
  close(): void;
}

/** Marks the lines of answers among what the interactive Duktape prints besides. */
const ANSWER = '@answer ';
const THROWN = '@thrown ';

/** Starts Duktape with a script in ES5 after the prelude; `folder` is for its program. */
export async function startEspruinoClass(script: string, folder: string): Promise<EspruinoClassWorker> {
  const prelude = await readFile('test/engines/espruino-class-prelude.js', 'utf8');
  const file = path.join(folder, 'program.js');
  await writeFile(file, `${prelude}\n${script}\n`);
  const child = spawn('duk', [file, '-i'], { stdio: ['pipe', 'pipe', 'pipe'], timeout: PATIENCE_MS });
  let [waiting, said] = [null as ((line: string | Error) => void) | null, ''];
  const settle = (line: string | Error): void => {
    const waiter = waiting;
    waiting = null;
    waiter?.(line);
  };
  child.stdin.on('error', () => undefined);
  child.stderr.on('data', (data: Buffer) => (said += data.toString('latin1')));
  createInterface({ input: child.stdout }).on('line', (line) => {
    const at = line.search(/@(answer|thrown) /);
    if (at < 0) said += `${line}\n`;
    else settle(line.slice(at));
  });
  child.on('error', () => settle(new Error(HINT)));
  child.on('close', (status) => settle(new Error(`Duktape ended with ${status ?? 'a signal'}: ${said}`)));
  return {
    evaluate(expression) {
      const guarded = `try { print('${ANSWER}' + (${expression})); } catch (e) { print('${THROWN}' + (e.stack || e)); }`;
      return new Promise((resolve, reject) => {
        waiting = (line) => {
          if (line instanceof Error) reject(line);
          else if (line.startsWith(ANSWER)) resolve(line.slice(ANSWER.length));
          else reject(new Error(line.slice(THROWN.length)));
        };
        child.stdin.write(`${guarded}\n`);
      });
    },
    close: () => void child.kill('SIGKILL'),
  };
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
