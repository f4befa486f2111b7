// Memory on the 32-bit XS worker: the most bytes of slots and chunks alive during an operation.

import { toHex } from '../src/bytes.ts';
import { bundleScript } from '../test/engines/bundle.ts';
import { startXs32 } from '../test/engines/xs32.ts';
import type { Xs32Worker } from '../test/engines/xs32.ts';
import type { Figures } from './figures.ts';
import { inputsOf } from './inputs.ts';

/** Each figure, and the operations of which it is the most. */
const HEAPS: Readonly<Record<string, readonly string[]>> = {
  mlKem768: ['mlKem768.keygen', 'mlKem768.encapsulate', 'mlKem768.decapsulate'],
  'mlDsa65.verify': ['mlDsa65.verify'],
  'mlDsa65.sign': ['mlDsa65.sign'],
  'handshake.client.s3': ['handshake.client.s3.first', 'handshake.client.s3.steady'],
};
const PATIENCE_MS = 600_000;

/** A 32-bit worker with the exports of a module of the project as the global `device`. */
export async function startDevice32(script: string, root: string): Promise<Xs32Worker> {
  const worker = await startXs32({ root, timeout: PATIENCE_MS });
  try {
    await worker.evaluate(script);
    return worker;
  } catch (error) {
    worker.close();
    throw error;
  }
}

export interface Heap {
  /** What the call takes: its scratch, and whatever else it makes. */
  readonly call: number;
  /** The same and what was there before it: keys, messages, results, for a handshake certificates and packets. */
  readonly withBuffers: number;
}

/** The script of {@link operationHeap}. */
export function heapScript(root = '.'): Promise<string> {
  return bundleScript('bench/device-heap.ts', { name: 'device', root });
}

/** What an operation of device-heap.ts takes at the most, bytes. */
export async function operationHeap(name: string, script: string, root = '.'): Promise<Heap> {
  const worker = await startDevice32(script, root);
  try {
    const inputs = JSON.stringify(inputsOf(name).map(toHex));
    const prepare = `device.prepare(${JSON.stringify(name)}, ${inputs}, 1)`;
    // The first call leaves behind what is made once, such as names.
    await worker.evaluate(`${prepare}; device.measured(); device.drop();`);
    const loaded = await worker.liveBytes();
    await worker.evaluate(prepare);
    const buffers = (await worker.liveBytes()) - loaded;
    const call = await worker.peakBytes('device.measured()');
    return { call, withBuffers: buffers + call };
  } finally {
    worker.close();
  }
}

/**
 * `xs.heap.<operation>.bytes`, and the same with the caller's buffers: `xs.heap.<operation>.withBuffers.bytes`.
 * `wanted` chooses by the operation.
 */
export async function benchHeap(
  figures: Figures,
  root: string,
  wanted: (name: string) => boolean = () => true,
): Promise<void> {
  const chosen = Object.entries(HEAPS).filter(([name]) => wanted(name));
  if (chosen.length === 0) return;
  const script = await heapScript(root);
  for (const [name, operations] of chosen) {
    const heaps: Heap[] = [];
    for (const operation of operations) heaps.push(await operationHeap(operation, script, root));
    figures[`xs.heap.${name}.bytes`] = Math.max(...heaps.map((heap) => heap.call));
    figures[`xs.heap.${name}.withBuffers.bytes`] = Math.max(...heaps.map((heap) => heap.withBuffers));
  }
}
