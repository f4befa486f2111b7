// Runs a module under the real Deno, with exactly the permissions given and without a network or a cache.

import { spawn } from 'node:child_process';
import { engineProgram } from './engines.ts';

export interface DenoOptions {
  /** The Deno program; by default the prepared one. */
  program?: string;
  /** The project's folder, to find the prepared one. */
  root?: string;
  /** Permission flags such as `--allow-read=dist`. None by default. */
  permissions?: readonly string[];
  args?: readonly string[];
  /** Longest time, milliseconds. */
  timeout?: number;
  cwd?: string;
}

export interface DenoResult {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `file` to its end. Rejects only if Deno cannot be started or takes too long. */
export function runDeno(file: string, options: DenoOptions = {}): Promise<DenoResult> {
  const program = options.program ?? engineProgram('deno', options.root);
  const timeout = options.timeout ?? 60_000;
  const flags = ['--no-prompt', '--no-remote', '--no-npm', '--no-config', '--no-lock', '--quiet'];
  return new Promise((resolve, reject) => {
    const child = spawn(
      program,
      ['run', ...flags, ...(options.permissions ?? []), file, ...(options.args ?? [])],
      {
        cwd: options.cwd,
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { ...process.env, DENO_NO_UPDATE_CHECK: '1', NO_COLOR: '1' },
      },
    );
    let stdout = '';
    let stderr = '';
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      child.kill('SIGKILL');
    }, timeout);
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    child.on('error', (error) => {
      clearTimeout(timer);
      reject(new Error(`Deno could not be started: ${error.message}`));
    });
    child.on('close', (exitCode) => {
      clearTimeout(timer);
      if (late) reject(new Error(`Deno took longer than ${timeout} ms\n${stderr}`));
      else resolve({ exitCode, stdout, stderr });
    });
  });
}
