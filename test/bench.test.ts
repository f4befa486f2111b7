import test from 'ava';
import { tmpdir } from 'node:os';
import { bench, benchTable } from '../bench/bench.ts';
import { benchWire } from '../bench/wire.ts';
import { benchXs } from '../bench/xs.ts';
import type { Figures } from '../bench/figures.ts';

test('bytes on the wire are those of the protocol', (t) => {
  const figures: Figures = {};
  benchWire(figures);
  t.deepEqual(figures, {
    'wire.handshake.s1.bytes': 4194,
    'wire.handshake.s3.bytes': 5787,
    'wire.handshake.s5.bytes': 7969,
    'wire.record.overhead.bytes': 53,
  });
});

test('computrons repeat exactly, and grow with the work', async (t) => {
  const [first, second]: [Figures, Figures] = [{}, {}];
  await benchXs(first, '.');
  await benchXs(second, '.');
  t.deepEqual(first, second);
  const permutation = first['xs.keccakF1600.computrons']!;
  t.true(permutation > 20_000 && permutation < 60_000, `${permutation}`);
  t.true(first['xs.rcs256.seal64.computrons']! > permutation);
  // 1,024 bytes and what goes with them fill nine blocks of 136.
  t.true(first['xs.rcs256.seal1k.computrons']! > 9 * permutation);
  t.true(first['xs.load.computrons']! > 0);
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

test('the table lists every figure', (t) => {
  t.is(benchTable({ 'a.b': 1234, 'a.long.ratio': 0.5 }), 'a.b           1,234\na.long.ratio   0.50');
});
