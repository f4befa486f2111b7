// `xs.state.*`: what one established connection keeps on a 32-bit XS, everything counted: its slot of the slab,
// the views on it, session and connection objects, and whatever they hold that is theirs alone.

import { toHex } from '../src/bytes.ts';
import { bundleScript } from '../test/engines/bundle.ts';
import type { Figures } from './figures.ts';
import { startDevice32 } from './heap.ts';
import type { Xs32Worker } from '../test/engines/xs32.ts';
import { leanInputs, resumeInputs } from './inputs.ts';
import { line } from './slope.ts';

const COUNTS = [1, 2, 4, 8] as const;

export interface StateOptions {
  readonly gcm: boolean;
  /** Bytes of a slot's receive buffer; 0: none. */
  readonly receiveBytes: number;
  readonly root?: string;
}

/** The slope of live bytes over what `make` keeps: 1, 2, 4 and 8 of it. */
async function slopeOf(
  worker: Xs32Worker,
  make: (n: number) => string,
): Promise<{ bytes: number; off: number }> {
  // What is made once is made by now.
  await worker.evaluate(make(1));
  await worker.evaluate('kept = null;');
  const points: { n: number; bytes: number }[] = [];
  for (const n of COUNTS) {
    await worker.evaluate(make(n));
    points.push({ n, bytes: await worker.liveBytes() });
  }
  return line(points);
}

/** The slope of live bytes over 1, 2, 4 and 8 connections, each number with a slab of its own. */
export async function connectionState(options: StateOptions): Promise<{ bytes: number; off: number }> {
  const root = options.root ?? '.';
  const script = await bundleScript('bench/device-state.ts', { name: 'device', root });
  const worker = await startDevice32(script, root);
  try {
    const inputs = JSON.stringify(resumeInputs(options.gcm).map(toHex));
    await worker.evaluate(`var inputs = ${inputs}; var kept = null;`);
    const make = (n: number): string =>
      `kept = null; kept = device.fleet(inputs, ${options.gcm}, ${options.receiveBytes}, ${n});`;
    return await slopeOf(worker, make);
  } finally {
    worker.close();
  }
}

/** The same of clients of src/lean, which are one a device. */
export async function leanState(root = '.'): Promise<{ bytes: number; off: number }> {
  const script = await bundleScript('bench/device-state.ts', { name: 'device', root });
  const worker = await startDevice32(script, root);
  try {
    await worker.evaluate(`var inputs = ${JSON.stringify(leanInputs().map(toHex))}; var kept = null;`);
    return await slopeOf(worker, (n) => `kept = null; kept = device.leanFleet(inputs, ${n});`);
  } finally {
    worker.close();
  }
}

/** The same of tunnels of mesh/2, each number with a node of its own. */
export async function meshState(root = '.'): Promise<{ bytes: number; off: number }> {
  const script = await bundleScript('bench/device-state.ts', { name: 'device', root });
  const worker = await startDevice32(script, root);
  try {
    await worker.evaluate('var kept = null;');
    return await slopeOf(worker, (n) => `kept = null; kept = device.meshFleet(${n});`);
  } finally {
    worker.close();
  }
}

/** The buffer of the bar `connectionWith768`. */
const RECEIVE_BYTES = 768;

/** `xs.state.connection.{gcm,rcs}.bytes`, `xs.state.connectionWith768.bytes` (RCS-256), `xs.mesh.state.bytes`, `xs.lean.state.bytes`. */
export async function benchState(figures: Figures, root: string): Promise<void> {
  const cases = [
    ['xs.state.connection.gcm.bytes', true, 0],
    ['xs.state.connection.rcs.bytes', false, 0],
    ['xs.state.connectionWith768.bytes', false, RECEIVE_BYTES],
  ] as const;
  for (const [metric, gcm, receiveBytes] of cases) {
    const { bytes } = await connectionState({ gcm, receiveBytes, root });
    figures[metric] = bytes;
  }
  figures['xs.lean.state.bytes'] = (await leanState(root)).bytes;
  figures['xs.mesh.state.bytes'] = (await meshState(root)).bytes;
}
