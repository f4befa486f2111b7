// What runs inside a device engine for its self-test: the runner over the device kernels.

import { micro } from '../../src/crypto/micro.ts';
import { mesh1 } from '../../src/mesh/v1/index.ts';
import * as proto from '../../src/mesh/proto/index.ts';
import * as qace from '../../src/qace/index.ts';
import { katApi } from '../../src/selftest/parts.ts';
import { runKatText } from '../../src/selftest/run.ts';

const PARTS = { ...katApi(micro), qace, mesh: mesh1({ allowLegacy: true }), proto };

/** Runs a file: the number of checks that passed, and the failures as lines. */
export function run(kind: string, text: string): { passed: number; failures: string[] } {
  let passed = 0;
  const failures: string[] = [];
  runKatText(kind, text, PARTS, (name, failure) => {
    if (failure === null) passed++;
    else failures.push(name + ': ' + failure);
  });
  return { passed, failures };
}
