import test from 'ava';
import { readFileSync } from 'node:fs';
import { selftestOnDeno } from '../engines/selftest.ts';

const read = (kind: string, name: string) => ({ kind, text: readFileSync(`test/vectors/${name}`, 'utf8') });

test('Deno: the bundle of deno-edge passes all known answers without any permission', async (t) => {
  const files = [
    read('hash', 'hash.json'),
    read('rcs', 'rcs.json'),
    read('pq', 'pq.s3.json'),
    read('pq', 'pq.s5.json'),
    read('hs', 'hs.s3.json'),
    read('hs', 'hs.s5.json'),
    read('qace', 'qace.json'),
    read('tunnel', 'mesh/tunnel.json'),
    read('mesh-handshake', 'mesh/mesh-handshake.json'),
    read('pqc1', 'mesh/pqc1.json'),
    read('proto', 'mesh/proto.json'),
  ];
  const passed = 225 + 177 + 22 + 22 + 56 + 56 + 101 + 47 + 11 + 14 + 20;
  t.deepEqual(await selftestOnDeno(files), { passed, failures: [] });
  const pq = files.filter(({ kind }) => kind === 'pq' || kind === 'hs');
  t.deepEqual(await selftestOnDeno(pq, { provider: 'noble' }), { passed: 2 * (22 + 56), failures: [] });
});

test('Deno: an answer that is wrong fails there too', async (t) => {
  const file = JSON.parse(readFileSync('test/vectors/hs.s3.json', 'utf8')) as { rtcsClient: string };
  file.rtcsClient = '00'.repeat(32);
  const { passed, failures } = await selftestOnDeno([{ kind: 'hs', text: JSON.stringify(file) }]);
  t.is(passed, 55);
  t.regex(failures.join(), /^hs rtcsClient: byte 0/);
});

test('Deno: its own ML-KEM and ML-DSA agree with noble, and what they leave is known', async (t) => {
  const { passed, failures, engine, left } = await selftestOnDeno([], { provider: 'native' });
  t.deepEqual(failures, []);
  t.regex(engine!, /^Deno 2\.\d+\.\d+, WebCrypto$/);
  // Key files hold the expanded form, which this WebCrypto does not import; nor does it know contexts.
  const kernels = ['sign', 'sign with a context', 'verify with a context', 'verify altered with a context'];
  t.deepEqual(
    left,
    [1, 2, 3].flatMap((suite) => kernels.map((what) => `suite ${suite} ${what}`)),
  );
  t.is(passed, 3 * (11 - kernels.length));
});
