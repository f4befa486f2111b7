// What is measured inside the XS worker: more than an emulated microcontroller has the stack to load in one script.

import { deviceOperations } from './device.ts';
import type { Operation } from './kernels.ts';
import { meshOperations } from './mesh.ts';
import { preparer } from './prepare.ts';

export * from './mesh.ts';
export * from './records.ts';

export function xsOperations(signatures: number): Operation[] {
  return deviceOperations(signatures).concat(meshOperations());
}

export const { prepare, measured } = preparer(xsOperations);
