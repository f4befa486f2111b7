// The operations that are measured on the emulated microcontrollers, under the metric names of the benchmarks.

import { bundleScript, GLOBAL } from './bundle.ts';
import { runM4 } from './m4.ts';
import { EngineFailure, type Call, type Options, type Run } from './program.ts';
import { runRp2040 } from './rp2040.ts';

export type MicroEngine = 'm4' | 'rp2040';

export interface Operation {
  /** Middle part of the metric's name. */
  name: string;
  /** Functions of device.ts: evaluated once before, and measured. */
  prepare: string;
  run: string;
}

export const OPERATIONS: readonly Operation[] = [
  { name: 'keccakF1600', prepare: 'prepareKeccak()', run: 'runKeccak()' },
  { name: 'rcs256.seal64', prepare: 'prepareRcs(64)', run: 'runRcsSeal()' },
  { name: 'rcs256.seal1k', prepare: 'prepareRcs(1024)', run: 'runRcsSeal()' },
];

export function engine(name: MicroEngine): (source: string, options: Options) => Promise<Run> {
  return name === 'm4' ? runM4 : runRp2040;
}

export interface Measurement {
  operation: string;
  /** Instructions (m4) or cycles (rp2040) of the second of two calls. */
  count: number;
  /** Slots and chunks over the loaded script at the most, buffers of the caller included: bytes. */
  heap: number;
  /** Slots and chunks made during the call, unless a collection fell into it: bytes. */
  allocated: number;
  /** Depth of the C stack and of the machine's stack: bytes. */
  cStack: number;
  stack: number;
}

/** Measures operations, each in a machine of its own. Rejects with the engine's failure. */
export async function measure(
  name: MicroEngine,
  operations: readonly Operation[] = OPERATIONS,
): Promise<Measurement[]> {
  const source = await bundleScript();
  const results: Measurement[] = [];
  for (const { name: operation, prepare, run } of operations) {
    const expressions = [prepare, run, run].map((e) => `${GLOBAL}.${e}`);
    const { load, calls } = await engine(name)(source, { expressions });
    const failed = calls.find((c) => c.thrown !== undefined);
    if (failed) throw new EngineFailure(name, `${failed.expression} threw ${failed.thrown}`);
    const [, first, second] = calls as [Call, Call, Call];
    const peak = Math.max(first.peakSlots! + first.peakChunks!, second.peakSlots! + second.peakChunks!);
    results.push({
      operation,
      count: second.count!,
      heap: peak - load.slots - load.chunks,
      allocated: second.peakSlots! + second.peakChunks! - second.slots! - second.chunks!,
      cStack: second.cStack!,
      stack: second.stack!,
    });
  }
  return results;
}

/** The same as metrics: `m4.<operation>.instructions`, `m4.heap.<operation>.bytes`, `rp2040.<operation>.cycles`. */
export async function metrics(
  name: MicroEngine,
  operations: readonly Operation[] = OPERATIONS,
): Promise<Record<string, number>> {
  const out: Record<string, number> = {};
  for (const { operation, count, heap } of await measure(name, operations)) {
    if (name === 'rp2040') {
      out[`rp2040.${operation}.cycles`] = count;
    } else {
      out[`m4.${operation}.instructions`] = count;
      out[`m4.heap.${operation}.bytes`] = heap;
    }
  }
  return out;
}
