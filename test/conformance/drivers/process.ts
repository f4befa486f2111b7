// Deno and Node: a process of the engine with the built bundle, real clocks and TCP to the gateway.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { engineProgram } from '../../engines/engines.ts';
import type { Command, DeviceEvent } from '../protocol.ts';
import type { Driver } from '../rig.ts';

/** Where the device's program may read: its bundle, its certificates. It may connect to this machine alone. */
function command(engine: 'deno' | 'node', bundle: string, folder: string): [string, string[]] {
  const agent = path.resolve('test/conformance/agents/process.mjs');
  const track = path.resolve('test/engines/track.js');
  const program = [agent, path.resolve(bundle), track];
  if (engine === 'node') return [process.execPath, program];
  const read = [path.dirname(path.resolve(bundle)), folder, track, agent].join(',');
  const flags = ['--no-prompt', '--no-remote', '--no-npm', '--no-config', '--no-lock', '--quiet'];
  return [
    engineProgram('deno'),
    ['run', ...flags, `--allow-read=${read}`, '--allow-net=127.0.0.1', ...program],
  ];
}

export class ProcessDriver implements Driver {
  told: (event: DeviceEvent) => void = () => undefined;
  private readonly program: [string, string[]];
  private child: ChildProcess | null = null;
  private wake: (() => void) | null = null;
  private news = false;
  private problem: Error | null = null;

  constructor(engine: 'deno' | 'node', bundle: string, folder: string) {
    this.program = command(engine, bundle, folder);
  }

  now(): number {
    return performance.now();
  }

  command(command: Command): void {
    this.child!.stdin!.write(`${JSON.stringify(command)}\n`);
  }

  /** Something happened, here or at the gateway. */
  notify(): void {
    this.news = true;
    this.wake?.();
  }

  async power(): Promise<void> {
    this.kill();
    const [program, args] = this.program;
    const child = spawn(program, args, {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, DENO_NO_UPDATE_CHECK: '1', NO_COLOR: '1' },
    });
    this.child = child;
    let errors = '';
    child.stderr.on('data', (data: Buffer) => (errors += String(data)));
    child.stdin.on('error', () => undefined);
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (this.child !== child) return;
      this.told(JSON.parse(line) as DeviceEvent);
      this.notify();
    });
    child.on('close', (code) => {
      if (this.child !== child) return;
      this.problem = new Error(`the device's process ended with ${String(code)}: ${errors}`);
      this.notify();
    });
  }

  async pump(ms: number): Promise<void> {
    if (!this.news) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms);
        this.wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.news = false;
    this.wake = null;
    if (this.problem !== null) throw this.problem;
  }

  private kill(): void {
    const { child } = this;
    this.child = null;
    child?.kill('SIGKILL');
  }

  async close(): Promise<void> {
    this.kill();
  }
}
