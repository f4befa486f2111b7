// Figures of the XS worker: computrons, which repeat exactly for one build of it.

import { toHex } from '../src/bytes.ts';
import { bundleScript } from '../test/engines/bundle.ts';
import { startXs } from '../test/engines/xs.ts';
import type { XsWorker } from '../test/engines/xs.ts';
import { xsOperations } from './device-xs.ts';
import type { Figures } from './figures.ts';
import { SIGNATURES } from './fixture.ts';
import { inputsOf } from './inputs.ts';
import { operations as nobleOperations } from './kernels-noble.ts';

export interface XsBenchOptions {
  /** Only operations whose name this matches; all by default. */
  only?: RegExp;
  /** Messages signed, whose mean is taken; by default {@link SIGNATURES}. */
  signatures?: number;
}

/** Longest time of one evaluation: noble signs for minutes. */
const PATIENCE_MS = 600_000;
const RECORDS = 1000;

/** A worker with the exports of a module of bench/ as the global `device`. */
async function startDevice(entry: string, root: string): Promise<XsWorker> {
  const worker = await startXs({ root, timeout: PATIENCE_MS });
  try {
    await worker.evaluate(await bundleScript(`bench/${entry}`, { name: 'device', root }));
    return worker;
  } catch (error) {
    worker.close();
    throw error;
  }
}

/** Computrons of one operation each, by name. */
async function computrons(
  worker: XsWorker,
  names: readonly string[],
  signatures: number,
): Promise<Record<string, number>> {
  // What an evaluation costs that calls nothing of ours.
  await worker.evaluate('globalThis.nothing = { measured() {} };');
  const idle = (await worker.evaluate('nothing.measured()')).meter.compute;
  const out: Record<string, number> = {};
  for (const name of names) {
    const inputs = inputsOf(name).map(toHex);
    const call = `print(device.prepare(${JSON.stringify(name)}, ${JSON.stringify(inputs)}, ${signatures}))`;
    const times = Number((await worker.evaluate(call)).output[0]);
    const { meter } = await worker.evaluate('device.measured()');
    out[name] = Math.round((meter.compute - idle) / times);
  }
  return out;
}

/** `xs.<operation>.computrons` of every operation, and `xs.<operation>.noble.ratio` where noble has it too. */
export async function benchOperations(
  figures: Figures,
  root: string,
  options: XsBenchOptions,
): Promise<void> {
  const signatures = options.signatures ?? SIGNATURES;
  const wanted = (name: string): boolean => options.only === undefined || options.only.test(name);
  const names = xsOperations(1).map((operation) => operation.name);
  const worker = await startDevice('device-xs.ts', root);
  let ours: Record<string, number>;
  try {
    ours = await computrons(worker, names.filter(wanted), signatures);
  } finally {
    worker.close();
  }
  for (const [name, count] of Object.entries(ours)) figures[`xs.${name}.computrons`] = count;

  const compared = nobleOperations(1).map((operation) => operation.name);
  const noble = await startDevice('device-noble.ts', root);
  try {
    const theirs = await computrons(noble, compared.filter(wanted), signatures);
    for (const [name, count] of Object.entries(theirs))
      figures[`xs.${name}.noble.ratio`] = count / ours[name]!;
  } finally {
    noble.close();
  }
}

/** Bytes of a slot of the worker, a 64-bit program. */
const SLOT_BYTES = 32;

/**
 * Bytes that doing `body` `times` times takes, after as many to warm up: what the machine takes from the host,
 * which it does in large steps, and what it uses of its own slots, garbage included. Every object has a slot.
 */
export async function growth(worker: XsWorker, body: string, times: number): Promise<number> {
  const loop = (what: string, n = times): string => `for (let i = 0; i < ${n}; i++) { ${what} }`;
  const used = async (code: string): Promise<{ slots: number; taken: number }> => {
    const { meter } = await worker.evaluate(code);
    return { slots: meter.currentHeapCount, taken: meter.allocate };
  };
  await worker.evaluate(loop(body, 5));
  const before = await used('');
  const idle = await used(loop(''));
  const after = await used(loop(body));
  // An evaluation itself takes some slots.
  const slots = after.slots - idle.slots - (idle.slots - before.slots);
  return after.taken - idle.taken + Math.max(0, slots) * SLOT_BYTES;
}

/** `xs.record.allocated.bytes`, over 1,000 records sealed and opened with AES-GCM and 1,000 with RCS. */
async function benchRecords(figures: Figures, root: string): Promise<void> {
  const worker = await startDevice('device-xs.ts', root);
  try {
    await worker.evaluate(
      'globalThis.gcm = device.roundtrip(true); globalThis.rcs = device.roundtrip(false);',
    );
    figures['xs.record.allocated.bytes'] =
      (await growth(worker, 'gcm()', RECORDS)) + (await growth(worker, 'rcs()', RECORDS));
  } finally {
    worker.close();
  }
}

/** `xs.mesh.frame.allocated.bytes`, over 1,000 frames each way, sealed, opened, and both ends polled. */
export async function benchMesh(figures: Figures, root: string): Promise<void> {
  const worker = await startDevice('device-xs.ts', root);
  try {
    await worker.evaluate('globalThis.mesh = device.meshRoundtrip();');
    figures['xs.mesh.frame.allocated.bytes'] = await growth(worker, 'mesh()', RECORDS);
  } finally {
    worker.close();
  }
}

/** By how many bytes the machine grows over `times` runs of an operation after warm-up. */
export async function operationGrowth(name: string, times: number, root = '.'): Promise<number> {
  const worker = await startDevice('device-xs.ts', root);
  try {
    const inputs = inputsOf(name).map(toHex);
    await worker.evaluate(`device.prepare(${JSON.stringify(name)}, ${JSON.stringify(inputs)}, 1)`);
    return await growth(worker, 'device.measured()', times);
  } finally {
    worker.close();
  }
}

/** `xs.load.computrons`: evaluating what a client of suite 2 needs. */
async function benchLoad(figures: Figures, root: string): Promise<void> {
  const worker = await startXs({ root });
  try {
    const script = await bundleScript('bench/device-client.ts', { name: 'client', root });
    figures['xs.load.computrons'] = (await worker.evaluate(script)).meter.compute;
  } finally {
    worker.close();
  }
}

export async function benchXs(figures: Figures, root: string, options: XsBenchOptions = {}): Promise<void> {
  await benchOperations(figures, root, options);
  await benchRecords(figures, root);
  await benchMesh(figures, root);
  await benchLoad(figures, root);
}
