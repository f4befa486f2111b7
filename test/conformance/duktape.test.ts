// Duktape as a stand-in for Espruino-class engines.
import test from 'ava';
import { readFileSync } from 'node:fs';
import { espruinoClassSuite, runEspruinoClass, selftestOnDuktape } from '../engines/duktape.ts';
import { kernelDigests } from './kernel-answers.ts';

const PATIENCE_MS = 600_000;
const read = (kind: string, name: string) => ({ kind, text: readFileSync(`test/vectors/${name}`, 'utf8') });

test('Espruino-class: known answers of hash, RCS, parameter set 2, QACE and qstp.proto', async (t) => {
  t.timeout(PATIENCE_MS);
  const files = [
    read('hash', 'hash.json'),
    read('rcs', 'rcs.json'),
    read('pq', 'pq.s3.json'),
    read('qace', 'qace.json'),
    read('proto', 'mesh/proto.json'),
  ];
  t.deepEqual(await selftestOnDuktape(files), { passed: 225 + 177 + 22 + 101 + 20, failures: [] });
});

test('Espruino-class: every kernel answers as on Node', async (t) => {
  t.timeout(PATIENCE_MS);
  const suite = await espruinoClassSuite();
  t.is(await runEspruinoClass(`${suite}\nprint(suite.kernelDigests());`), `${kernelDigests()}\n`);
});

test('Espruino-class: an answer that is wrong fails there too', async (t) => {
  const text = JSON.stringify({ sha3_256: [{ msg: '', out: '00'.repeat(32) }] });
  const { passed, failures } = await selftestOnDuktape([{ kind: 'hash', text }]);
  t.is(passed, 0);
  t.regex(failures.join(), /^hash sha3_256\[0\]: byte 0: a7ffc6f8bf1ed766 instead of 0000000000000000$/);
});

test('the prelude takes away what Espruino lacks', async (t) => {
  for (const use of [
    'Math.imul(2, 3)',
    'Math.clz32(1)',
    'Math.trunc(1.5)',
    'Object.freeze({})',
    'Symbol()',
    'new Proxy({}, {})',
    'Number.isInteger(1)',
    'new Uint8Array(4).buffer.slice(0)',
  ]) {
    await t.throwsAsync(runEspruinoClass(use), { message: /(Type|Reference)Error/ }, use);
  }
  t.is(await runEspruinoClass('print(Array.isArray(new Uint8Array(3).fill(7).slice(1)))'), 'true\n');
});
