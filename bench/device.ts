// What is measured inside a device engine, by name: prepare an operation, then run it.

import { handshakeOperations } from './client-handshake.ts';
import { meshOperations } from './mesh.ts';
import { operations } from './kernels.ts';
import type { Operation } from './kernels.ts';
import { preparer } from './prepare.ts';
import { qaceOperations } from './qace.ts';

/** Everything that can be measured on a device engine. */
export function deviceOperations(signatures: number): Operation[] {
  return operations(signatures).concat(handshakeOperations(), qaceOperations(), meshOperations());
}

export const { prepare, measured } = preparer(deviceOperations);
