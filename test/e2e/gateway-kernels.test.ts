// What ships for gateways has the kernels over the Keccak of gateways, and gives noble's answers.

import test from 'ava';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { noble } from '../../src/crypto/noble.ts';
import { keygen } from '../../src/crypto/provider.ts';
import type { Provider } from '../../src/crypto/provider.ts';

type Exports = Record<string, unknown> & { absorb(at: number, count: number): void };
interface Engine {
  Instance: new (module: object) => { readonly exports: Exports };
}

for (const file of ['node.js', 'rtu-gateway/qstp.min.js', 'deno-edge/qstp.min.js']) {
  test.serial(`dist/${file}`, async (t) => {
    const engine = (globalThis as unknown as { WebAssembly: Engine }).WebAssembly;
    const Real = engine.Instance;
    let calls = 0;
    engine.Instance = class {
      readonly exports: Exports;
      constructor(module: object) {
        const { exports } = new Real(module);
        const absorb = (at: number, count: number): void => {
          calls++;
          exports.absorb(at, count);
        };
        this.exports = { ...exports, absorb };
      }
    };
    t.teardown(() => {
      engine.Instance = Real;
    });
    const { micro } = (await import(pathToFileURL(path.resolve('dist', file)).href)) as { micro: Provider };
    t.is(micro.name, 'micro');
    for (const id of [1, 2, 3]) {
      const [ours, theirs] = [micro.suite(id), noble.suite(id)];
      const seed = new Uint8Array(64).fill(id);
      t.deepEqual(keygen(ours.kem, seed), keygen(theirs.kem, seed));
      const before = calls;
      t.deepEqual(keygen(ours.signer, seed.subarray(0, 32)), keygen(theirs.signer, seed.subarray(0, 32)));
      // The matrix alone takes five for each of its polynomials, of which there are 16 at least.
      t.true(calls - before >= 80, `${calls - before}`);
    }
  });
}
