import test from 'ava';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { bundleScript, PRELOAD } from '../engines/bundle.ts';
import { selftestOnXs } from '../engines/selftest.ts';
import { startXs, XsError } from '../engines/xs.ts';
import { kernelDigests } from './kernel-answers.ts';

const names = ['hash', 'rcs', 'pq.s3', 'pq.s5', 'hs.s3', 'hs.s5', 'qace'];
const meshNames = ['mesh/tunnel', 'mesh/mesh-handshake', 'mesh/pqc1', 'mesh/proto'];
const files = [...names, ...meshNames].map((name) => ({
  kind: name.replace('mesh/', '').split('.')[0]!,
  text: readFileSync(`test/vectors/${name}.json`, 'utf8'),
}));
/** On a machine that has other things to do. */
const PATIENCE_MS = 600_000;
const PASSED = 225 + 177 + 22 + 22 + 56 + 56 + 101 + 47 + 11 + 14 + 20;

test('XS: all known answers over the device kernels', async (t) => {
  t.timeout(PATIENCE_MS);
  t.deepEqual(await selftestOnXs(files), { passed: PASSED, failures: [] });
});

test('XS: the same with every module-level object frozen, as preload does', async (t) => {
  t.timeout(PATIENCE_MS);
  t.deepEqual(await selftestOnXs(files, { preload: true }), { passed: PASSED, failures: [] });
});

for (const preload of [false, true]) {
  test(`XS: every kernel answers as on Node${preload ? ', frozen too' : ''}`, async (t) => {
    t.timeout(PATIENCE_MS);
    const script = await bundleScript('test/conformance/kernel-answers.ts', { name: 'answers', preload });
    const worker = await startXs({ timeout: PATIENCE_MS });
    try {
      await worker.evaluate(PRELOAD);
      await worker.evaluate(script);
      const { output } = await worker.evaluate('print(answers.kernelDigests())');
      t.is(output.join(), kernelDigests());
    } finally {
      worker.close();
    }
  });
}

test('XS: an answer that is wrong fails there too', async (t) => {
  const text = JSON.stringify({ sha3_256: [{ msg: '', out: '00'.repeat(32) }] });
  const { passed, failures } = await selftestOnXs([{ kind: 'hash', text }]);
  t.is(passed, 0);
  t.regex(failures.join(), /^hash sha3_256\[0\]: byte 0: a7ffc6f8bf1ed766 instead of 0000000000000000$/);
});

test('the preload stand-in catches module-level state', async (t) => {
  const folder = await mkdtemp(path.join(tmpdir(), 'qstp-preload-'));
  try {
    await writeFile(
      path.join(folder, 'state.ts'),
      `const scratch = new Uint8Array(4);
       const list: number[] = [1];
       const holder = { words: new Int32Array(2) };
       export const table = new Uint8Array([7, 8]);
       export const write = [
         () => { scratch[0] = 1; },
         () => { scratch.fill(1); },
         () => { list.push(2); },
         () => { holder.words[1] = 3; },
       ];`,
    );
    const script = await bundleScript(path.join(folder, 'state.ts'), { name: 'state', preload: true });
    const worker = await startXs();
    await worker.evaluate(PRELOAD);
    await worker.evaluate(script);
    for (let i = 0; i < 4; i++) {
      const error = await t.throwsAsync(worker.evaluate(`state.write[${i}]()`), { instanceOf: XsError });
      t.regex(error!.message, /TypeError/, `${i}`);
    }
    t.deepEqual((await worker.evaluate('print(state.table[1], state.table.length)')).output, ['8 2']);
    worker.close();
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

// ---- The driver ------------------------------------------------------------------------------------------

test('XS driver: output, meter and thrown errors', async (t) => {
  const worker = await startXs();
  const { output, meter } = await worker.evaluate('print(1 + 1, "x"); print(typeof process)');
  t.deepEqual(output, ['2 x', 'undefined']);
  t.true(meter.compute > 0 && meter.currentHeapCount > 0);
  t.is((await worker.evaluate('for (let i = 0; i < 1e4; i++);')).meter.compute > 10_000, true);
  const error = await t.throwsAsync(worker.evaluate('throw new RangeError("so")'), { instanceOf: XsError });
  t.is(error!.kind, 'thrown');
  t.regex(error!.message, /RangeError: so/);
  t.deepEqual((await worker.evaluate('print("still here")')).output, ['still here']);
  worker.close();
});

for (const [code, exitCode, message, options] of [
  ['for (;;);', 17, /too much computation/, { computeLimit: 1_000_000 }],
  ['(function f() { f(); })()', 12, /stack overflow/, {}],
] as const) {
  test(`XS driver: exit code ${exitCode} is told`, async (t) => {
    const worker = await startXs(options);
    const error = await t.throwsAsync(worker.evaluate(code), { instanceOf: XsError });
    t.is(error!.exitCode, exitCode);
    t.regex(error!.message, message);
    await t.throwsAsync(worker.evaluate('1'), { instanceOf: XsError });
  });
}

test('XS driver: a script that does not end is ended', async (t) => {
  const worker = await startXs({ timeout: 500 });
  const error = await t.throwsAsync(worker.evaluate('for (;;);'), { instanceOf: XsError });
  t.is(error!.kind, 'timeout');
});

test('a missing engine is an error that says what to do', async (t) => {
  await t.throwsAsync(startXs({ root: tmpdir() }), { message: /run: node tools\/engines.mjs/ });
  await t.throwsAsync(startXs({ program: '/nowhere/xsnap-worker' }), { message: /could not be started/ });
});
