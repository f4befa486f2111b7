// What is measured inside a device engine, by name: prepare an operation, then run it.

import { handshakeOperations } from './client-handshake.ts';
import { operations } from './kernels.ts';
import type { Operation } from './kernels.ts';
import { preparer } from './prepare.ts';
import { qaceOperations } from './qace.ts';

/** What can be measured on every device engine. */
export function deviceOperations(signatures: number): Operation[] {
  return operations(signatures).concat(handshakeOperations(), qaceOperations());
}

export const { prepare, measured } = preparer(deviceOperations);
