// What `npm test` runs: lint, types, engines and a broker, builds, then all tests. Ends with the line `N passed, N failed`.
// Nothing is skipped: a step or an engine that cannot be had is a failure.

import { spawn } from 'node:child_process';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { build } from './build.mjs';
import { buildProfiles, sizeTable } from './bundles.mjs';
import { prepare, prepareBroker } from './engines.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** Longest time for all tests, milliseconds: deep runs take long on emulated microcontrollers. */
const LIMIT = (process.env.QSTP_DEEP === '1' ? 120 : 24) * 60_000;

/** Runs a development tool of node_modules; its output is ours. */
function tool(file, ...args) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [path.join(ROOT, 'node_modules', file), ...args], {
      cwd: ROOT,
      stdio: ['ignore', 'inherit', 'inherit'],
      timeout: LIMIT,
    });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (code === 0) resolve();
      else reject(new Error(`${file} ended with ${signal ?? `exit code ${code}`}`));
    });
  });
}

/** Compiled files whose source is gone: a deleted test must not run on. */
function sweep() {
  const compiled = path.join(ROOT, 'build');
  if (!existsSync(compiled)) return;
  for (const name of readdirSync(compiled, { recursive: true })) {
    if (!name.endsWith('.js')) continue;
    const stem = name.slice(0, -3);
    if (existsSync(path.join(ROOT, `${stem}.ts`))) continue;
    for (const suffix of ['.js', '.js.map', '.d.ts'])
      rmSync(path.join(compiled, stem + suffix), { force: true });
  }
}

/** Runs all tests; prints failures in full, and passing tests as they come. */
function ava() {
  return new Promise((resolve, reject) => {
    const child = spawn(
      process.execPath,
      [path.join(ROOT, 'node_modules/ava/entrypoints/cli.mjs'), '--tap'],
      {
        cwd: ROOT,
        stdio: ['ignore', 'pipe', 'inherit'],
        timeout: LIMIT,
      },
    );
    let [passed, failed] = [0, 0];
    let inFailure = false;
    const terminal = process.stdout.isTTY;
    const lines = createInterface({ input: child.stdout });
    lines.on('line', (line) => {
      const result = /^(not )?ok \d+/.exec(line);
      if (result !== null) {
        inFailure = result[1] !== undefined;
        if (inFailure) failed++;
        else passed++;
        if (terminal) process.stdout.write(`\r\x1b[K${passed} passed, ${failed} failed so far`);
        if (inFailure) console.log(`${terminal ? '\n' : ''}${line}`);
        else if (!terminal) console.log(line);
      } else if (line.startsWith('#')) {
        inFailure = false;
      } else if (inFailure) {
        console.log(line);
      }
    });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (terminal) process.stdout.write('\n');
      resolve({ passed, failed, code, signal });
    });
  });
}

const STEPS = [
  ['lint', () => tool('eslint/bin/eslint.js', '.')],
  ['format', () => tool('prettier/bin/prettier.cjs', '--check', '--log-level', 'warn', '.')],
  [
    'types',
    async () => {
      sweep();
      await tool('typescript/bin/tsc', '-p', '.');
    },
  ],
  ['engines', prepare],
  ['broker', prepareBroker],
  ['build', build],
  ['bundles', async () => console.log(sizeTable(await buildProfiles()))],
];

async function main() {
  for (const [name, step] of STEPS) {
    const start = Date.now();
    console.log(`${name} ...`);
    try {
      await step();
    } catch (error) {
      console.error(`${name} failed: ${error.message}`);
      return { passed: 0, failed: 1 };
    }
    console.log(`${name} done in ${((Date.now() - start) / 1000).toFixed(1)} s`);
  }
  const { passed, failed, code, signal } = await ava();
  if (failed === 0 && code !== 0) {
    console.error(`the test runner ended with ${signal ?? `exit code ${code}`}`);
    return { passed, failed: 1 };
  }
  if (passed + failed === 0) {
    console.error('no test ran');
    return { passed: 0, failed: 1 };
  }
  return { passed, failed };
}

const { passed, failed } = await main();
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
