// The operations that are measured on the emulated microcontrollers, under the metric names of the benchmarks.

import { toHex } from '../../../src/bytes.ts';
import { inputsOf } from '../../../bench/inputs.ts';
import { bundleScript } from '../bundle.ts';
import { runM4 } from './m4.ts';
import {
  DEVICE_ARENA_BYTES,
  DEVICE_STACK_SLOTS,
  EngineFailure,
  type Call,
  type Options,
  type Run,
} from './program.ts';
import { runRp2040 } from './rp2040.ts';

export type MicroEngine = 'm4' | 'rp2040';

/** Name of the global that holds what a bundle exports. */
export const GLOBAL = 'program';

/** Those of bench/device.ts that are measured: one parameter set, and a single signature. */
export const OPERATIONS: readonly string[] = [
  'keccakF1600',
  'rcs256.seal64',
  'rcs256.seal1k',
  'aes256Gcm.seal64',
  'aes256Gcm.seal1k',
  'mlKem768.keygen',
  'mlKem768.encapsulate',
  'mlKem768.decapsulate',
  'mlDsa65.keygen',
  'mlDsa65.sign',
  'mlDsa65.verify',
  'handshake.client.s3.first',
  'handshake.client.s3.steady',
];

export function engine(name: MicroEngine): (source: string, options: Options) => Promise<Run> {
  return name === 'm4' ? runM4 : runRp2040;
}

const SLOT_BYTES = 16;
/** The most that a script may have on each board, built-ins not counted: bytes. */
const BOARD_BYTES: Record<MicroEngine, number> = { m4: 1_000_000, rp2040: 144_000 };

/**
 * An arena with a device's room beside the loaded script: its functions and tables, which lie in the arena
 * here, a product has in flash. On the rp2040 it is what the board has, which is less.
 */
export async function deviceArena(
  name: MicroEngine,
  source: string,
  root = '.',
  stackSlots = DEVICE_STACK_SLOTS,
): Promise<number> {
  const options = { expressions: ['undefined'], arenaBytes: BOARD_BYTES[name], root, stackSlots };
  const { builtins, load } = await engine(name)(source, options);
  return Math.min(BOARD_BYTES[name], load.slots + load.chunks - builtins + DEVICE_ARENA_BYTES);
}

export interface Measurement {
  operation: string;
  /** Instructions (m4) or cycles (rp2040) of one call, on the m4 the second of two. */
  count: number;
  /** Slots and chunks over the loaded script at the most, buffers of the caller included: bytes. */
  heap: number;
  /** Slots and chunks made during the call, unless a collection fell into it: bytes. */
  allocated: number;
  /** Depth of the C stack and of the machine's stack: bytes. */
  cStack: number;
  stack: number;
}

/**
 * Stack for loading a session: the bundle declares everything in one scope, which lies on the stack meanwhile. A
 * product loads module by module, when it is built. What is measured must do with the device's stack.
 */
const LOADING_STACK_SLOTS = 1024;

/** Real time for one operation: the rp2040 signs for minutes. */
const PATIENCE_MS = 900_000;

/** The kernels alone, or with the session that a handshake takes. */
function sourceOf(operation: string, root: string): Promise<string> {
  const entry = operation.startsWith('handshake.') ? 'device' : 'device-kernels';
  return bundleScript(`bench/${entry}.ts`, { name: GLOBAL, root, flat: true });
}

/** Measures operations, each in a machine of its own. Rejects with the engine's failure. */
export async function measure(
  name: MicroEngine,
  names: readonly string[] = OPERATIONS,
  root = '.',
): Promise<Measurement[]> {
  const results: Measurement[] = [];
  for (const operation of names) {
    const source = await sourceOf(operation, root);
    const inputs = JSON.stringify(inputsOf(operation).map(toHex));
    const prepare = `${GLOBAL}.prepare(${JSON.stringify(operation)}, ${inputs}, 1)`;
    const run = `${GLOBAL}.measured()`;
    const stackSlots = operation.startsWith('handshake.') ? LOADING_STACK_SLOTS : DEVICE_STACK_SLOTS;
    const { load, calls } = await engine(name)(source, {
      expressions: name === 'm4' ? [prepare, run, run] : [prepare, run],
      arenaBytes: await deviceArena(name, source, root, stackSlots),
      stackSlots,
      root,
      timeoutMs: PATIENCE_MS,
    });
    const deepest = Math.max(...calls.map((c) => c.stack ?? 0)) / SLOT_BYTES;
    if (deepest > DEVICE_STACK_SLOTS)
      throw new EngineFailure(name, `${operation} takes ${deepest} slots of stack`);
    const failed = calls.find((c) => c.thrown !== undefined);
    if (failed) throw new EngineFailure(name, `${operation} threw ${failed.thrown}`);
    const measured = calls.slice(1) as Call[];
    const last = measured.at(-1)!;
    const peak = Math.max(...measured.map((c) => c.peakSlots! + c.peakChunks!));
    results.push({
      operation,
      count: last.count!,
      heap: peak - load.slots - load.chunks,
      allocated: last.peakSlots! + last.peakChunks! - last.slots! - last.chunks!,
      cStack: last.cStack!,
      stack: last.stack!,
    });
  }
  return results;
}

/** The same as metrics: `m4.<operation>.instructions`, `m4.heap.<operation>.bytes`, `rp2040.<operation>.cycles`. */
export async function metrics(
  name: MicroEngine,
  names: readonly string[] = OPERATIONS,
  root = '.',
): Promise<Record<string, number>> {
  const out: Record<string, number> = {};
  for (const { operation, count, heap } of await measure(name, names, root)) {
    if (name === 'rp2040') {
      out[`rp2040.${operation}.cycles`] = count;
    } else {
      out[`m4.${operation}.instructions`] = count;
      out[`m4.heap.${operation}.bytes`] = heap;
    }
  }
  return out;
}
