// XS on the Cortex-M4 of QEMU's mps2-an386 board: counts instructions.

import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EngineFailure, runProgram, type Options, type Run, type RunOptions } from './program.ts';

/** Board memory that board-m4.c reads the program from. */
const PROGRAM_ADDRESS = 0x21000000;

/**
 * Runs a script and then each expression. `count` is instructions, a multiple of 40, the same in every run
 * but for the last step. Rejects with {@link EngineFailure} when the arena or the stack is too small.
 */
export function runM4(source: string, options: Options): Promise<Run> {
  return runProgram('m4', emulate, source, options);
}

async function emulate(image: Uint8Array, options: RunOptions): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'micro-'));
  try {
    const program = join(folder, 'program.bin');
    await writeFile(program, image);
    return await qemu(program, options);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function qemu(program: string, { built, timeoutMs, uncounted }: RunOptions): Promise<string> {
  const args = [
    ...['-M', 'mps2-an386', '-display', 'none', '-monitor', 'none', '-serial', 'none'],
    ...['-semihosting-config', 'enable=on,target=native'],
    ...(uncounted ? [] : ['-icount', 'shift=0']),
    ...['-kernel', join(built, 'm4/m4.elf')],
    ...['-device', `loader,file=${program},addr=0x${PROGRAM_ADDRESS.toString(16)},force-raw=on`],
  ];
  return new Promise((done, failed) => {
    const child = spawn('qemu-system-arm', args, { stdio: ['ignore', 'ignore', 'pipe'] });
    let output = '';
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      failed(new EngineFailure('m4', `not done after ${timeoutMs} ms: ${output.slice(-500)}`));
    }, timeoutMs);
    // The semihosting console is QEMU's standard error.
    child.stderr.on('data', (data: Buffer) => {
      output += data.toString('utf8');
    });
    child.on('error', (error) => {
      clearTimeout(timer);
      failed(error);
    });
    child.on('close', () => {
      clearTimeout(timer);
      done(output);
    });
  });
}
