import test from 'ava';
import { tmpdir } from 'node:os';
import { bench, benchTable } from '../bench/bench.ts';
import { benchDuktape, withoutBigInt } from '../bench/duktape.ts';
import { overBudget } from '../bench/budgets.ts';
import { benchNoble } from '../bench/node.ts';
import { benchQace } from '../bench/node-qace.ts';
import { connectionState, meshState } from '../bench/state.ts';
import { benchWire } from '../bench/wire.ts';
import { benchMesh, benchOperations, benchXs, growth, operationGrowth } from '../bench/xs.ts';
import { startXs } from './engines/xs.ts';
import type { Figures } from '../bench/figures.ts';

/** On a machine that has other things to do. */
const PATIENCE_MS = 600_000;

test('bytes on the wire are those of the protocol', (t) => {
  const figures: Figures = {};
  benchWire(figures);
  t.deepEqual(figures, {
    'wire.resume.bytes': 187,
    'wire.resume.total.gcm.bytes': 499,
    'wire.resume.total.rcs.bytes': 547,
    'wire.handshake.s1.bytes': 4194,
    'wire.handshake.s3.bytes': 5787,
    'wire.handshake.s5.bytes': 7969,
    'wire.record.overhead.bytes': 53,
  });
});

test('computrons repeat exactly, and stay below those of noble and within their budgets', async (t) => {
  t.timeout(PATIENCE_MS);
  const only = /^(keccakF1600|rcs256|aes256Gcm|mlKem768|mlDsa65.verify|handshake)/;
  const [first, second]: [Figures, Figures] = [{}, {}];
  await benchXs(first, '.', { only, signatures: 1 });
  await benchXs(second, '.', { only: /^(keccakF1600|rcs256|mlDsa65.verify)/, signatures: 1 });
  for (const [name, value] of Object.entries(second)) t.is(value, first[name]!, name);
  const count = (name: string): number => first[`xs.${name}.computrons`]!;
  const permutation = count('keccakF1600');
  t.true(permutation > 20_000 && permutation <= 30_000, `${permutation}`);
  t.true(count('rcs256.seal64') > permutation);
  // 1,024 bytes and what goes with them fill nine blocks of 136.
  t.true(count('rcs256.seal1k') > 9 * permutation);
  t.true(count('load') > 0);
  // What a resumption takes of ciphers and hashes: two keys, three short records, about 14 permutations.
  const gcm = count('aes256Gcm.init') + count('aes256Gcm.openFirst64') + 2 * count('aes256Gcm.seal64');
  t.true(gcm + 14 * permutation < 750_000, `${gcm}`);
  const rcs = 2 * count('rcs256.init') + 3 * count('rcs256.seal64');
  t.true(rcs + 14 * permutation < 1_500_000, `${rcs}`);
  // The parts of a handshake: one encapsulation and one or two verifications; hashes and records are little.
  const steady = count('mlKem768.encapsulate') + count('mlDsa65.verify');
  const first3 = count('handshake.client.s3.first');
  t.true(count('handshake.client.s3.steady') > steady);
  t.true(first3 > steady + count('mlDsa65.verify') && first3 < 22_000_000, `${first3}`);
  for (const name of ['mlKem768.keygen', 'mlKem768.encapsulate', 'mlKem768.decapsulate', 'mlDsa65.verify']) {
    t.true(first[`xs.${name}.noble.ratio`]! > 4, name);
  }
  t.is(first['xs.record.allocated.bytes'], 0);
});

test('on XS, decisions on paths stay within their budgets and allocate nothing', async (t) => {
  t.timeout(PATIENCE_MS);
  const figures: Figures = {};
  await benchOperations(figures, '.', { only: /Qace|choosePath/, signatures: 1 });
  for (const [name, most] of [
    ['simpleQace', 20_000],
    ['exactQace8', 60_000],
    ['choosePath2', 20_000],
  ] as const) {
    const count = figures[`xs.${name}.computrons`]!;
    t.true(count > 100 && count <= most, `${name}: ${count}`);
    t.is(await operationGrowth(name, 1000), 0, name);
  }
});

test('on XS, encapsulations and verifications do not make the machine grow', async (t) => {
  t.timeout(PATIENCE_MS);
  t.is(await operationGrowth('mlKem768.encapsulate', 100), 0);
  t.is(await operationGrowth('mlDsa65.verify', 100), 0);
  // A body that leaves something behind, and one that makes garbage only.
  const worker = await startXs();
  try {
    await worker.evaluate('globalThis.kept = [];');
    t.true((await growth(worker, 'kept.push(new Uint8Array(200_000));', 400)) > 20_000_000);
    t.true((await growth(worker, '({});', 100)) >= 100 * 16);
  } finally {
    worker.close();
  }
});

test('kernels are faster than noble on Node and on Duktape too', async (t) => {
  t.timeout(PATIENCE_MS);
  const figures: Figures = {};
  benchNoble(figures);
  await benchDuktape(figures, '.');
  const kem = ['keygen', 'encapsulate', 'decapsulate'].map((operation) => `mlKem768.${operation}`);
  const dsa = ['keygen', 'sign', 'verify'].map((operation) => `mlDsa65.${operation}`);
  const expected = ['keccakF1600', ...kem, ...dsa].map((name) => `node.${name}.noble.ratio`);
  t.deepEqual(Object.keys(figures), [...expected, 'duktape.keccakF1600.noble.ratio']);
  for (const [name, ratio] of Object.entries(figures)) t.true(ratio > 1.2 && ratio < 100, `${name} ${ratio}`);
  t.throws(() => withoutBigInt('var x = BigInt(1);'), { message: /some other way/ });
});

test('what cannot be measured is absent and named', async (t) => {
  const { figures, missing } = await bench({ engines: [], profiles: ['deno-edge'], root: '.' });
  t.is(Object.keys(figures).length + missing.length, 1);
  await t.throwsAsync(bench({ engines: ['toaster'], root: '.' }), {
    message: /no bench for engine "toaster"/,
  });
  await t.throwsAsync(bench({ engines: [], profiles: ['x'], root: '.' }), { message: /no profile "x"/ });
  await t.throwsAsync(benchXs({}, tmpdir()), { message: /node tools\/engines.mjs/ });
});

test('a decision takes less than a millisecond on Node, and evolution less than 50', (t) => {
  const figures: Figures = {};
  benchQace(figures);
  for (const [name, most] of [
    ['simple', 1000],
    ['exact8', 1000],
    ['evolve8', 50_000],
  ] as const) {
    const us = figures[`node.qace.${name}.us`]!;
    t.true(us > 0 && us < most, `${name}: ${us}`);
    t.log(`${name}: ${us} microseconds`);
  }
});

test('the table lists every figure', (t) => {
  t.is(
    benchTable({
      'node.gcm.native.ratio': 0.71,
      'node.rcs.mbps': 19.5,
      'node.tunnels.lost': 0,
      'node.idle.rss.bytes': 6001,
    }),
    [
      'node.gcm.native.ratio   0.71  bar at least 0.7',
      'node.rcs.mbps          19.50  bar at least 20  MISSED',
      'node.tunnels.lost          0  bar at most 0',
      'node.idle.rss.bytes    6,001  bar at most 6000  MISSED',
    ].join('\n'),
  );
  t.is(benchTable({ 'a.b': 1234, 'a.long.ratio': 0.5 }), 'a.b           1,234\na.long.ratio   0.50');
});

test('on XS, a connection keeps no more than its budget, everything counted', async (t) => {
  t.timeout(PATIENCE_MS);
  for (const [gcm, receiveBytes, most] of [
    [true, 0, 1536],
    [false, 0, 3104],
    [false, 768, 4096],
  ] as const) {
    const { bytes, off } = await connectionState({ gcm, receiveBytes });
    t.true(bytes > 1000 && bytes <= most, `${gcm ? 'gcm' : 'rcs'} ${receiveBytes}: ${bytes} bytes`);
    t.true(off < 16, `connections differ by ${off} bytes`);
  }
});

test('on XS, a mesh tunnel keeps no more than its budget, and its frames allocate nothing', async (t) => {
  t.timeout(PATIENCE_MS);
  const { bytes, off } = await meshState();
  t.true(bytes > 1000 && bytes <= 1536, `${bytes} bytes`);
  t.true(off < 16, `tunnels differ by ${off} bytes`);
  const figures: Figures = {};
  await benchMesh(figures, '.');
  t.is(figures['xs.mesh.frame.allocated.bytes'], 0);
});

test('on XS, handshakes and resumption stay within their budgets', async (t) => {
  t.timeout(PATIENCE_MS);
  const figures: Figures = {};
  await benchOperations(figures, '.', { only: /handshake|resume/, signatures: 1 });
  for (const [name, most] of [
    ['handshake.client.s3.first', 19_000_000],
    ['handshake.client.s3.steady', 12_000_000],
    ['resume.client.gcm', 750_000],
    ['resume.client.rcs', 1_500_000],
  ] as const) {
    const count = figures[`xs.${name}.computrons`]!;
    t.true(count > 100_000 && count <= most, `${name}: ${count}`);
  }
});

test('a figure over a budget of a profile is named, one that was not measured is not', (t) => {
  const figures: Figures = { 'xs.state.connection.rcs.bytes': 3105 };
  const name = 'tight';
  t.deepEqual(
    overBudget(figures, { name, budgets: { minBytes: 1, stateBytes: 3104, resumeComputrons: 1 } }),
    ['xs.state.connection.rcs.bytes is 3105, over stateBytes 3104 of profile tight'],
  );
  t.deepEqual(overBudget(figures, { name, budgets: { stateBytes: 3105 } }), []);
  // Of a profile with AES-256-GCM alone, its own figure.
  t.deepEqual(overBudget(figures, { name, records: 'gcm', budgets: { stateBytes: 1536 } }), []);
  t.is(
    overBudget(
      { 'xs.state.connection.gcm.bytes': 1537 },
      { name, records: 'gcm', budgets: { stateBytes: 1536 } },
    ).length,
    1,
  );
  // Handshakes are measured of suite 2.
  const first = { 'xs.handshake.client.s3.first.computrons': 2 };
  t.is(overBudget(first, { name, suite: 2, budgets: { handshakeComputrons: 1 } }).length, 1);
  t.deepEqual(overBudget(first, { name, suite: 3, budgets: { handshakeComputrons: 1 } }), []);
});
