import test from 'ava';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fixture, SEEDS } from '../../bench/fixture.ts';
import { benchHeap, heapScript, operationHeap } from '../../bench/heap.ts';
import { slope } from '../../bench/slope.ts';
import { ML_DSA_65 } from '../../src/crypto/micro/ml-dsa.ts';
import { startXs32 } from '../engines/xs32.ts';
import { XsError } from '../engines/xs.ts';

/** A worker that is not built yet takes half a minute to build, more if its compiler must be installed. */
const PATIENCE_MS = 900_000;
const SLOT_BYTES = 16;

test.before(async (t) => {
  t.timeout(PATIENCE_MS);
  (await startXs32()).close();
});

test('xs32: what is alive is counted, what is garbage is not', async (t) => {
  const worker = await startXs32();
  t.teardown(worker.close);
  // Names stay, whatever becomes of what they named.
  await worker.evaluate('var kept = null, other = null; for (let i = 0; i < 1; i++) ({ i, kept });');
  const before = await worker.liveBytes();
  t.is(await worker.liveBytes(), before);
  const grown = async (code: string): Promise<number> => {
    await worker.evaluate(code);
    return (await worker.liveBytes()) - before;
  };
  // The bytes, their chunk's header of 8, and the slots of two objects: the array, the buffer.
  const array = await grown('kept = new Uint8Array(10000);');
  t.true(array >= 10_000 + 8 && array <= 10_000 + 8 + 8 * SLOT_BYTES, `${array}`);
  // Twice as many bytes, nothing else.
  t.is(await grown('kept = new Uint8Array(20000);'), array + 10_000);
  t.is(await grown('kept = new Int32Array(5000);'), array + 10_000);
  t.is(await grown('other = new Uint8Array(20000);'), 2 * (array + 10_000));
  t.is(await grown('kept = null; other = null; for (let i = 0; i < 1000; i++) ({ i });'), 0);
  // An instance and a property.
  t.is(await grown('kept = { kept: 1 };'), 2 * SLOT_BYTES);
});

test('xs32: the most at one time, garbage apart', async (t) => {
  const worker = await startXs32();
  t.teardown(worker.close);
  t.is(await worker.peakBytes(''), 0);
  const one = await worker.peakBytes('new Uint8Array(5000);');
  t.true(one > 5000 && one < 5200, `${one}`);
  t.is(await worker.peakBytes('new Uint8Array(5000); new Uint8Array(5000);'), one);
  t.is(await worker.peakBytes('for (let i = 0; i < 100; i++) new Uint8Array(5000);'), one);
  const two = await worker.peakBytes('const a = new Uint8Array(5000); new Uint8Array(a.length);');
  t.is(two, 2 * one);
  // Given back before the end.
  t.true((await worker.peakBytes('let a = new Uint8Array(9000); a = null; new Uint8Array(10);')) > 9000);
  // One that throws does not go on collecting.
  const error = await t.throwsAsync(worker.peakBytes('throw new RangeError("so");'), { instanceOf: XsError });
  t.regex(error!.message, /RangeError: so/);
  t.is(await worker.peakBytes('new Uint8Array(5000);'), one);
  t.deepEqual(await worker.evaluate('print(1 + 1); print("x")'), ['2', 'x']);
});

for (const [code, exitCode] of [
  ['const all = []; for (;;) all.push(new Uint8Array(1000000));', 11],
  ['(function f() { f(); })()', 12],
] as const) {
  test(`xs32: exit code ${exitCode} is told`, async (t) => {
    const error = await t.throwsAsync((await startXs32()).evaluate(code), { instanceOf: XsError });
    t.is(error!.exitCode, exitCode);
  });
}

test('xs32: figures of an operation repeat exactly, in other machines', async (t) => {
  t.timeout(PATIENCE_MS);
  const script = await heapScript();
  const verify = await operationHeap('mlDsa65.verify', script);
  t.deepEqual(await operationHeap('mlDsa65.verify', script), verify);
  // The arena is the call's, key and signature are not.
  t.true(verify.call > ML_DSA_65.arenaBytes && verify.call < 10_000, `${verify.call}`);
  const buffers = verify.withBuffers - verify.call;
  const expected = ML_DSA_65.publicKeyBytes + ML_DSA_65.signatureBytes + fixture(64, SEEDS.message).length;
  t.true(buffers > expected && buffers < expected + 1000, `${buffers}`);
  const figures = {};
  await benchHeap(figures, '.', (name) => name === 'mlDsa65.verify');
  t.deepEqual(figures, {
    'xs.heap.mlDsa65.verify.bytes': verify.call,
    'xs.heap.mlDsa65.verify.withBuffers.bytes': verify.withBuffers,
  });
  const keygen = await operationHeap('mlKem768.keygen', script);
  t.true(keygen.call < 6500, `${keygen.call}`);
});

test('slope: bytes of one more object', async (t) => {
  t.timeout(PATIENCE_MS);
  const folder = await mkdtemp(path.join(tmpdir(), 'qstp-slope-'));
  try {
    await writeFile(
      path.join(folder, 'entry.ts'),
      `const shared = new Uint8Array(5000);
       export const array = (length: number) => new Uint8Array(length);
       export const pair = (n: number) => ({ shared, first: array(100), n });`,
    );
    const entry = path.relative('.', path.join(folder, 'entry.ts'));
    const of = (make: string, setup?: string): ReturnType<typeof slope> =>
      slope({ entry, make, ...(setup === undefined ? {} : { setup }) });
    const [small, large] = [await of('device.array(1000)'), await of('device.array(3000)')];
    t.is(large.bytes - small.bytes, 2000);
    t.deepEqual([small.off, large.off], [0, 0]);
    t.deepEqual(
      small.points.map(({ n, bytes }) => [n, bytes / small.bytes]),
      [1, 2, 4, 8].map((n) => [n, n]),
    );
    // What all share does not count; an instance with three properties does.
    t.is((await of('device.pair(n)')).bytes, (await of('device.array(100)')).bytes + 4 * SLOT_BYTES);
    t.is((await of('kept', 'var kept = device.array(1000);')).bytes, 0);
    // Objects that grow are not on a line.
    t.true((await of('device.array(n * n * 10)')).off > 100);
    await t.throwsAsync(of('device.nothing()'), { instanceOf: XsError });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
