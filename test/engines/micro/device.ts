// What runs on the emulated microcontrollers for their self-test, bundled to one script: known answers.

import { micro } from '../../../src/crypto/micro.ts';
import * as rcs from '../../../src/crypto/micro/rcs.ts';
import * as hash from '../../../src/crypto/micro/sponge.ts';
import * as qace from '../../../src/qace/index.ts';
import { checkPrimitives, PRIMITIVE_KINDS, runWith } from '../../../src/selftest/primitives.ts';

/** Runs known answers: how many checks passed, or what failed. */
export function kat(kind: string, file: unknown): string {
  let passed = 0;
  let failures = '';
  const api = { hash, rcs, provider: micro, qace };
  runWith(checkPrimitives, PRIMITIVE_KINDS, kind, file, api, (check, failure) => {
    if (failure === null) passed++;
    else failures += `${check}: ${failure}\n`;
  });
  return failures === '' ? String(passed) : failures;
}
