import test from 'ava';
import { readFileSync } from 'node:fs';
import { micro } from '../../src/crypto/micro.ts';
import * as qace from '../../src/qace/index.ts';
import { katApi } from '../../src/selftest/parts.ts';
import { runKat } from '../../src/selftest/run.ts';
import { bundleScript } from '../engines/bundle.ts';
import { deviceArena, engine, GLOBAL, measure, OPERATIONS } from '../engines/micro/operations.ts';
import { DEVICE_STACK_SLOTS, EngineFailure } from '../engines/micro/program.ts';
import { selftestOnMicro, SHARES, split } from '../engines/micro/selftest.ts';

/** An engine that is not built yet takes a minute to build, more if compilers must be installed. */
const PATIENCE_MS = 900_000;

const DEVICE = 'test/engines/micro/device.ts';

/** Of each engine: the vectors that are checked, and the operations that are measured. */
const WORK = {
  m4: {
    vectors: ['hash', 'rcs', 'pq.s3', 'qace'],
    operations: OPERATIONS.filter((name) => !/sign|keygen|first/.test(name)),
  },
  rp2040: {
    vectors: ['hash', 'rcs', 'qace'],
    operations: [...OPERATIONS.slice(0, 5), 'mlKem768.encapsulate'],
  },
} as const;

/** How many checks the engine's share of a file holds, all passed here. */
function checksOf(kind: string, text: string, name: 'm4' | 'rp2040'): number {
  let passed = 0;
  for (const piece of split(JSON.parse(text) as Record<string, unknown>, SHARES[name])) {
    const before = passed;
    runKat(kind, piece, { ...katApi(micro), qace }, (check, failure) => {
      if (failure !== null) throw new Error(`${check}: ${failure}`);
      passed++;
    });
    if (passed === before) throw new Error(`a piece of ${kind} checks nothing`);
  }
  return passed;
}

/** Instructions on the m4; measured figures are 5 % and more below. */
const BUDGETS: Record<string, number> = {
  keccakF1600: 1_165_000,
  'mlKem768.encapsulate': 90_000_000,
  'mlKem768.decapsulate': 110_000_000,
  'mlDsa65.verify': 320_000_000,
  'handshake.client.s3.steady': 550_000_000,
};

for (const name of ['m4', 'rp2040'] as const) {
  for (const vector of WORK[name].vectors) {
    test.serial(`${name}: known answers of ${vector} in a device's arena`, async (t) => {
      t.timeout(PATIENCE_MS);
      const kind = vector.split('.')[0]!;
      const text = readFileSync(`test/vectors/${vector}.json`, 'utf8');
      const expected = checksOf(kind, text, name);
      t.deepEqual(await selftestOnMicro(name, [{ kind, text }]), { passed: expected, failures: [] });
      t.log(`${name}: ${expected} ${vector} checks passed`);
    });
  }

  test.serial(
    `${name}: a wrong answer, an exception, a full arena and a full stack are told apart`,
    async (t) => {
      t.timeout(PATIENCE_MS);
      const source = await bundleScript(DEVICE, { name: GLOBAL, flat: true });
      const run = engine(name);
      const arenaBytes = await deviceArena(name, source);
      const wrong = `${GLOBAL}.kat('hash', { sha3_256: [{ msg: '', out: '${'00'.repeat(32)}' }] })`;
      const expressions = [wrong, 'nothing()', 'new Uint8Array(20000).length'];
      const { builtins, load, calls } = await run(source, { expressions, arenaBytes });
      t.regex(calls[0]!.value ?? '', /byte 0: a7ffc6f8bf1ed766 instead of 0000/);
      t.regex(calls[1]!.thrown ?? '', /^ReferenceError/);
      t.is(calls[2]!.value, '20000');
      // Room for the loaded script, its stack and the first two expressions, but not for the third.
      const loaded = load.slots + load.chunks - builtins;
      const small = { arenaBytes: loaded + 16 * DEVICE_STACK_SLOTS + 12_000, expressions };
      const error = await t.throwsAsync(run(source, small), { instanceOf: EngineFailure });
      t.is(error.reason, 'memory full');
      t.is(error.calls[1]!.thrown, calls[1]!.thrown);
      const recursion = { expressions: ['(function f() { return 1 + f(); })()'] };
      t.is((await t.throwsAsync(run('', recursion), { instanceOf: EngineFailure })).reason, 'stack overflow');
      const broken = await t.throwsAsync(run('(', { expressions: ['1'] }), { instanceOf: EngineFailure });
      t.regex(broken.reason, /^SyntaxError/);
    },
  );

  test.serial(
    `${name}: counts repeat and stay within budgets; nothing is allocated inside an operation`,
    async (t) => {
      t.timeout(PATIENCE_MS);
      const first = await measure(name, WORK[name].operations);
      for (const m of first) {
        // A handshake makes its session and its packets.
        if (!m.operation.startsWith('handshake')) t.is(m.allocated, 0, m.operation);
        t.log(`${name}: ${m.operation} ${m.count}, heap ${m.heap}, C stack ${m.cStack}, stack ${m.stack}`);
      }
      if (name === 'm4') {
        for (const [operation, budget] of Object.entries(BUDGETS)) {
          const count = first.find((m) => m.operation === operation)!.count;
          t.true(count > 0 && count <= budget, `${operation}: ${count}`);
        }
      }
      const second = await measure(name, WORK[name].operations.slice(0, 2));
      for (const [i, m] of second.entries()) {
        t.true(Math.abs(m.count - first[i]!.count) <= 80, `${m.operation}: ${first[i]!.count}, ${m.count}`);
      }
    },
  );
}
