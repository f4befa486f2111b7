// What runs inside a device engine for its self-test: the runner over the device kernels.

import * as hash from '../../src/crypto/micro/sponge.ts';
import * as rcs from '../../src/crypto/micro/rcs.ts';
import { runKatText } from '../../src/selftest/run.ts';

/** Runs one file; returns the number of checks that passed and the failures as lines. */
export function run(kind: string, text: string): { passed: number; failures: string[] } {
  let passed = 0;
  const failures: string[] = [];
  runKatText(kind, text, { hash, rcs }, (name, failure) => {
    if (failure === null) passed++;
    else failures.push(name + ': ' + failure);
  });
  return { passed, failures };
}
