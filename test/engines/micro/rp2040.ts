// XS on an RP2040 (Cortex-M0+, 264 kB of RAM) emulated by the npm package rp2040js: counts cycles.

import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { EngineFailure, runProgram, type Options, type Run, type RunOptions } from './program.ts';

/** What is used of rp2040js. */
interface Chip {
  flash: Uint8Array;
  core: { VTOR: number; cycles: number; reset(): void; executeInstruction(): number };
  peripherals: Record<number, Peripheral>;
  logger: unknown;
}
interface Peripheral {
  readUint32(offset: number): number;
  writeUint32(offset: number, value: number): void;
  writeUint32Atomic(offset: number, value: number, kind: number): void;
}
interface Package {
  RP2040: new () => Chip;
  ConsoleLogger: new (level: number, throwOnError: boolean) => unknown;
  LogLevel: { Error: number };
}

const FLASH_START = 0x10000000;
/** Where board-rp2040.c finds the program, from the start of the flash. */
const PROGRAM_OFFSET = 0x100000;
/** Page of the made-up peripheral of board-rp2040.c, as the package numbers pages. */
const MONITOR = 0x40080;
/** Instructions between two looks at the clock. */
const SLICE = 2_000_000;

/**
 * Runs a script and then each expression. `count` is cycles of the core with every access to flash a hit in
 * its cache. Rejects with an EngineFailure when the arena or the stack is too small.
 */
export function runRp2040(source: string, options: Options): Promise<Run> {
  return runProgram('rp2040', emulate, source, options);
}

/** The package is installed with the test engines, not in the project itself. */
function loadPackage(built: string): Package {
  return createRequire(join(built, '../../../test/engines/package.json'))('rp2040js') as Package;
}

async function emulate(image: Uint8Array, { built, timeoutMs }: RunOptions): Promise<string> {
  const { RP2040, ConsoleLogger, LogLevel } = loadPackage(built);
  const chip = new RP2040();
  // An access outside memory is an error of ours: let it throw.
  chip.logger = new ConsoleLogger(LogLevel.Error, true);
  chip.flash.set(await readFile(join(built, 'rp2040/rp2040.bin')));
  chip.flash.set(image, PROGRAM_OFFSET);

  let output = '';
  let ended = false;
  let highHalf = 0;
  chip.peripherals[MONITOR] = {
    readUint32(offset) {
      if (offset === 8) return highHalf;
      highHalf = Math.floor(chip.core.cycles / 2 ** 32);
      return chip.core.cycles >>> 0;
    },
    writeUint32(offset, value) {
      if (offset === 0) output += String.fromCharCode(value);
      else ended = true;
    },
    writeUint32Atomic(offset, value) {
      this.writeUint32(offset, value);
    },
  };
  chip.core.VTOR = FLASH_START;
  // Sets stack pointer and program counter from the vector table, as the boot ROM would.
  chip.core.reset();

  const until = Date.now() + timeoutMs;
  while (!ended) {
    for (let i = 0; i < SLICE && !ended; i++) chip.core.executeInstruction();
    if (Date.now() > until) {
      throw new EngineFailure('rp2040', `not done after ${timeoutMs} ms: ${output.slice(-500)}`);
    }
  }
  return Buffer.from(output, 'latin1').toString('utf8');
}
