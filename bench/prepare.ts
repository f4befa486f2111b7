// Inside a device engine: one operation at a time is prepared by its name, then measured.

import { fromHex } from '../src/bytes.ts';
import type { Operation } from './kernels.ts';

export interface Preparer {
  /**
   * Makes the buffers of an operation, over inputs in hexadecimal. Returns how many operations one call of
   * `measured` does.
   */
  prepare(name: string, inputs: readonly string[], signatures: number): number;
  measured(): void;
  /** Lets go of what `prepare` made. */
  drop(): void;
}

function bytesOf(text: string): Uint8Array {
  const bytes = fromHex(text);
  if (bytes === null) throw new Error('an input is not hexadecimal');
  return bytes;
}

export function preparer(operations: (signatures: number) => readonly Operation[]): Preparer {
  let run: (() => void) | null = null;
  return {
    prepare(name, inputs, signatures) {
      run = null;
      for (const operation of operations(signatures)) {
        if (operation.name !== name) continue;
        run = operation.prepare(inputs.map(bytesOf));
        return operation.times;
      }
      throw new Error('there is no operation ' + name);
    },
    measured() {
      run!();
    },
    drop() {
      run = null;
    },
  };
}
