// What runs on an Espruino-class engine: known answers without sessions, and the kernels' own answers.

import { microS3 } from '../../src/crypto/micro.ts';
import * as rcs from '../../src/crypto/micro/rcs.ts';
import * as hash from '../../src/crypto/micro/sponge.ts';
import type { Provider } from '../../src/crypto/provider.ts';
import * as proto from '../../src/mesh/proto/index.ts';
import * as qace from '../../src/qace/index.ts';
import { runKatText } from '../../src/selftest/run.ts';
import { kernelDigests } from '../conformance/kernel-answers.ts';

/** A device has one parameter set. */
const provider: Provider = {
  name: 'micro',
  suite(id) {
    if (id === microS3.suite.id) return microS3;
    throw new Error('this build has suite ' + microS3.suite.id + ' only');
  },
};

/** Runs a file: the number of checks that passed, and the failures as lines. */
export function run(kind: string, text: string): { passed: number; failures: string[] } {
  let passed = 0;
  const failures: string[] = [];
  runKatText(kind, text, { hash, rcs, provider, qace, proto }, (name, failure) => {
    if (failure === null) passed++;
    else failures.push(name + ': ' + failure);
  });
  return { passed, failures };
}

export { kernelDigests };
