// What runs inside a device engine for its self-test: the runner over the device kernels.

import * as hash from '../../src/crypto/micro/sponge.ts';
import * as rcs from '../../src/crypto/micro/rcs.ts';
import { runKatText } from '../../src/selftest/run.ts';
import type { KatApi } from '../../src/selftest/run.ts';

/** What running a file shows: the number of checks that passed, and the failures as lines. */
export type Run = (kind: string, text: string) => { passed: number; failures: string[] };

export function runnerOf(parts: KatApi): Run {
  return (kind, text) => {
    let passed = 0;
    const failures: string[] = [];
    runKatText(kind, text, parts, (name, failure) => {
      if (failure === null) passed++;
      else failures.push(name + ': ' + failure);
    });
    return { passed, failures };
  };
}

export const run: Run = runnerOf({ hash, rcs });
