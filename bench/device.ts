// What is measured inside a device engine: every kernel by name. More kernels are more entries here.

import { recordKernels } from './records.ts';
import type { Kernel } from './records.ts';

const all: readonly Kernel[] = [...recordKernels()];

export const names: readonly string[] = all.map((kernel) => kernel.name);

/** Runs the operation at `index` of {@link names}; returns how many operations that were. */
export function run(index: number): number {
  const kernel = all[index]!;
  kernel.run();
  return kernel.times;
}
