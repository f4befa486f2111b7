// Known answers on the emulated microcontrollers: a file is cut into pieces that a device has room for.

import { bundleScript } from '../bundle.ts';
import type { KatFile, SelftestResult } from '../selftest.ts';
import { deviceArena, engine, GLOBAL, type MicroEngine } from './operations.ts';

type Json = Record<string, unknown>;

/** What an engine takes of a file's lists: every `step`-th entry, and of packets that chain the first. */
export interface Share {
  readonly step: number;
  readonly packets: number;
}

/** The rp2040's emulator runs some 30 million cycles a second. */
export const SHARES: Record<MicroEngine, Share> = {
  m4: { step: 1, packets: Infinity },
  rp2040: { step: 30, packets: 2 },
};

/** Kinds that fit into a device's memory. */
export const MICRO_KINDS: readonly string[] = ['hash', 'rcs', 'pq', 'qace'];

/** The runner's frames come on top of those of the kernels, which alone fit into a device's 384 slots. */
const STACK_SLOTS = 512;
/** Real time for a file. */
const PATIENCE_MS = 1_800_000;

/** A file for each vector of each list. What has no lists is one piece. */
export function split(file: Json, { step, packets }: Share): Json[] {
  const lists = Object.entries(file).filter((e): e is [string, Json[]] => Array.isArray(e[1]));
  if (lists.length === 0) return [file];
  const rest = Object.fromEntries(Object.entries(file).filter(([, value]) => !Array.isArray(value)));
  return lists.flatMap(([name, entries]) =>
    entries
      .filter((_, i) => i % step === 0)
      .map((entry) =>
        Array.isArray(entry['packets']) ? { ...entry, packets: entry['packets'].slice(0, packets) } : entry,
      )
      .map((entry) => ({ ...rest, [name]: [entry] })),
  );
}

/** Checks files, each in a machine of its own. Rejects with the engine's failure. */
export async function selftestOnMicro(
  name: MicroEngine,
  files: readonly KatFile[],
  root = '.',
): Promise<SelftestResult> {
  const source = await bundleScript('test/engines/micro/device.ts', { name: GLOBAL, root, flat: true });
  const arenaBytes = await deviceArena(name, source, root);
  const total: SelftestResult = { passed: 0, failures: [] };
  for (const { kind, text } of files) {
    const pieces = split(JSON.parse(text) as Json, SHARES[name]);
    const expressions = pieces.map(
      (piece) => `${GLOBAL}.kat(${JSON.stringify(kind)}, ${JSON.stringify(piece)})`,
    );
    const options = { expressions, arenaBytes, stackSlots: STACK_SLOTS, root, timeoutMs: PATIENCE_MS };
    for (const { value, thrown } of (await engine(name)(source, options)).calls) {
      if (value !== undefined && /^\d+$/.test(value)) total.passed += Number(value);
      else total.failures.push(...(thrown ?? value ?? 'no answer').trim().split('\n'));
    }
  }
  return total;
}
