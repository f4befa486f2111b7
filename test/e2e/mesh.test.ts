// `qstp handshake-demo`.
import test from 'ava';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const qstp = (...args: string[]) => promisify(execFile)(process.execPath, ['bin/qstp.mjs', ...args]);

interface Told {
  steps: { step: string; end: string; bytes: number }[];
  tunnelId: string;
  responderTunnelId: string;
  sample: string;
  afterwards: string;
  keyEpochs: number[];
  routes: string[];
  stateBytes: number;
}

test('handshake-demo: a tunnel, a message, a rekey and a reroute', async (t) => {
  const told = JSON.parse((await qstp('handshake-demo', '--json')).stdout) as Told;
  t.deepEqual(
    told.steps.map(({ step, end }) => `${step} ${end}`),
    ['init initiator', 'response responder', 'confirm initiator', 'first frame responder'],
  );
  // ML-KEM-768 and ML-DSA-65: a key, a ciphertext and a signature each make up most of it.
  t.true(told.steps[0]!.bytes > 1184 + 3309 && told.steps[0]!.bytes < 1184 + 3309 + 400);
  t.true(told.steps[1]!.bytes > 1184 + 1088 + 3309 && told.steps[1]!.bytes < 1184 + 1088 + 3309 + 200);
  t.is(told.tunnelId, told.responderTunnelId);
  t.regex(told.tunnelId, /^[0-9a-f]{32}$/);
  t.is(told.sample, 'post-quantum tunnels are live');
  t.is(told.afterwards, told.sample);
  t.deepEqual(told.keyEpochs, [1, 1]);
  t.deepEqual(told.routes, ['waku/mesh/failsafe', 'waku/mesh/failsafe']);
  t.true(told.stateBytes <= 1536);
});

test('handshake-demo tells people the same, and refuses a suite that is none', async (t) => {
  const { stdout } = await qstp('handshake-demo', '--suite', '1');
  t.regex(stdout, /post-quantum tunnels are live/);
  t.regex(stdout, /threat-score-reroute: both ends on waku\/mesh\/failsafe/);
  const error = await t.throwsAsync(qstp('handshake-demo', '--suite', '4'));
  t.is((error as Error & { code: number }).code, 2);
});
