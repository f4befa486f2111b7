// What runs on the emulated microcontrollers for their self-test, bundled to one script: known answers.

import { micro } from '../../../src/crypto/micro.ts';
import * as rcs from '../../../src/crypto/micro/rcs.ts';
import * as hash from '../../../src/crypto/micro/sponge.ts';
import * as qace from '../../../src/qace/index.ts';
import { runKat } from '../../../src/selftest/run.ts';

/** Runs known answers: how many checks passed, or what failed. */
export function kat(kind: string, file: unknown): string {
  let passed = 0;
  let failures = '';
  runKat(kind, file, { hash, rcs, provider: micro, qace }, (check, failure) => {
    if (failure === null) passed++;
    else failures += `${check}: ${failure}\n`;
  });
  return failures === '' ? String(passed) : failures;
}
