import test from 'ava';
import * as rcs from '../../src/crypto/micro/rcs.ts';
import * as hash from '../../src/crypto/micro/sponge.ts';
import { runKat } from '../../src/selftest/run.ts';
import { bundleScript, GLOBAL } from '../engines/micro/bundle.ts';
import { engine, measure, OPERATIONS, type MicroEngine } from '../engines/micro/operations.ts';
import { DEVICE_STACK_SLOTS, EngineFailure } from '../engines/micro/program.ts';
import { vectors } from '../vectors.ts';

/** An engine that is not built yet takes a minute to build, more if compilers must be installed. */
const PATIENCE_MS = 900_000;

type Section = Record<string, unknown>[];
type KatFile = Record<string, unknown>;

interface Share {
  step: number;
  packets: number;
}

/**
 * A file for each vector: a device has no room for a whole one. Of each section every `step`-th, of packets
 * that chain the first `packets`.
 */
function split(file: KatFile, { step, packets }: Share): KatFile[] {
  const lists = Object.entries(file).filter((e): e is [string, Section] => Array.isArray(e[1]));
  const rest = Object.fromEntries(Object.entries(file).filter(([, value]) => !Array.isArray(value)));
  return lists.flatMap(([name, entries]) =>
    entries
      .filter((_, i) => i % step === 0)
      .map((entry) =>
        Array.isArray(entry['packets']) ? { ...entry, packets: entry['packets'].slice(0, packets) } : entry,
      )
      .map((entry) => ({ ...rest, [name]: [entry] })),
  );
}

/** The runner's frames come on top of those of the kernels, which alone fit into a device's 384 slots. */
const KAT_STACK_SLOTS = 512;

/** How many checks a file holds, all passed here. */
function checksOf(kind: string, file: KatFile): number {
  let passed = 0;
  runKat(kind, file, { hash, rcs }, (name, failure) => {
    if (failure !== null) throw new Error(`${name}: ${failure}`);
    passed++;
  });
  return passed;
}

/** The rp2040 takes a share: its emulator runs some 30 million cycles a second. */
const shares: Record<MicroEngine, Share> = {
  m4: { step: 1, packets: Infinity },
  rp2040: { step: 30, packets: 2 },
};

for (const name of ['m4', 'rp2040'] as const) {
  test.serial(`${name}: hash and RCS known answers in a device's arena`, async (t) => {
    t.timeout(PATIENCE_MS);
    const source = await bundleScript();
    for (const kind of ['hash', 'rcs']) {
      const files = split(vectors<KatFile>(`${kind}.json`), shares[name]);
      const expressions = files.map(
        (file) => `${GLOBAL}.kat(${JSON.stringify(kind)}, ${JSON.stringify(file)})`,
      );
      const { calls } = await engine(name)(source, { expressions, stackSlots: KAT_STACK_SLOTS });
      const expected = files.map((file) => checksOf(kind, file));
      t.deepEqual(
        calls.map((c) => c.value ?? c.thrown),
        expected.map(String),
      );
      t.true(expected.length > 0 && expected.every((n) => n > 0));
      t.log(`${name}: ${expected.reduce((a, b) => a + b)} ${kind} checks passed`);
    }
  });

  test.serial(
    `${name}: a wrong answer, an exception, a full arena and a full stack are told apart`,
    async (t) => {
      t.timeout(PATIENCE_MS);
      const source = await bundleScript();
      const run = engine(name);
      const wrong = `${GLOBAL}.kat('hash', { sha3_256: [{ msg: '', out: '${'00'.repeat(32)}' }] })`;
      const expressions = [wrong, 'nothing()', 'new Uint8Array(20000).length'];
      const { builtins, load, calls } = await run(source, { expressions });
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

  test.serial(`${name}: counts repeat, and nothing is allocated inside an operation`, async (t) => {
    t.timeout(PATIENCE_MS);
    const first = await measure(name);
    t.is(first.length, OPERATIONS.length);
    for (const m of first) {
      t.is(m.allocated, 0, m.operation);
      t.log(`${name}: ${m.operation} ${m.count}, heap ${m.heap}, C stack ${m.cStack}, stack ${m.stack}`);
    }
    const second = await measure(name, OPERATIONS.slice(0, 2));
    for (const [i, m] of second.entries()) {
      t.true(Math.abs(m.count - first[i]!.count) <= 80, `${m.operation}: ${first[i]!.count}, ${m.count}`);
    }
  });
}

test.serial('m4: Keccak-f[1600] stays within its budget of instructions', async (t) => {
  t.timeout(PATIENCE_MS);
  const [keccak] = await measure('m4', OPERATIONS.slice(0, 1));
  // 1.15 million; a single call differs by up to 1 % with the values of the lanes.
  t.true(keccak!.count > 0 && keccak!.count <= 1_165_000, String(keccak!.count));
});
