// The deno-edge bundle as a server on real Deno, with a Node client, over real TCP.
import test from 'ava';
import { spawn } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { encodeKey } from '../../src/cert/key-file.ts';
import { connectQstp } from '../../targets/node/mod.ts';
import { engineProgram } from '../engines/engines.ts';
import {
  generateServerKey,
  signServerCertificate,
  generateRootKey,
  rootCertificate,
} from '../../src/cert/issue.ts';
import { noble } from '../../src/crypto/noble.ts';
import { nodeClock, nodeRandom } from '../../targets/node/platform.ts';

const PROGRAM = `
import { decodeKey, decodeRootCertificate, decodeServerCertificate, listenQstp, noble, serverIdentity } from './qstp.js';
const root = decodeRootCertificate(await Deno.readFile('root'));
const certificate = decodeServerCertificate(await Deno.readFile('cert'));
const identity = serverIdentity(noble.suite(1), root, certificate, decodeKey(await Deno.readFile('key')));
let clients = 0;
const server = listenQstp({ identities: [identity], hostname: '127.0.0.1', port: 0, maxConnections: 1 }, async (tunnel) => {
  tunnel.readable.pipeTo(tunnel.writable).catch(() => undefined);
  const why = await tunnel.closed;
  console.log('closed ' + why.reason);
  if (++clients === 2) {
    await server.quit();
    console.log(JSON.stringify(server.counters));
  }
});
console.log('port ' + server.port);
`;

test('Deno server: a megabyte echoed, a full server, orderly ends, nothing left running', async (t) => {
  const crypto = noble.suite(1);
  const hedge = new Uint8Array(32);
  const now = nodeClock.now();
  const rootKey = generateRootKey(crypto, 'deno.qrr', 1, now, nodeRandom);
  const root = rootCertificate(crypto, rootKey, hedge);
  const key = generateServerKey(crypto, 'deno.qrc', 1, now, nodeRandom);
  const server = signServerCertificate(crypto, root, rootKey, key, hedge);
  const folder = mkdtempSync(path.join(tmpdir(), 'qstp-deno-e2e-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  copyFileSync('dist/deno-edge/qstp.min.js', path.join(folder, 'qstp.js'));
  for (const [name, bytes] of [
    ['root', root.bytes],
    ['cert', server.bytes],
    ['key', encodeKey(key)],
    ['server.ts', PROGRAM],
  ] as const) {
    writeFileSync(path.join(folder, name), bytes);
  }
  const child = spawn(
    engineProgram('deno'),
    ['run', '--no-prompt', '--no-remote', '--quiet', '--allow-read=.', '--allow-net=127.0.0.1', 'server.ts'],
    { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, DENO_NO_UPDATE_CHECK: '1' } },
  );
  t.teardown(() => child.kill('SIGKILL'));
  let out = '';
  child.stdout.on('data', (chunk: Buffer) => (out += String(chunk)));
  const exited = new Promise<number | null>((resolve) => child.on('close', resolve));
  while (!/port \d+/.test(out)) await new Promise((resolve) => setTimeout(resolve, 20));
  const port = Number(/port (\d+)/.exec(out)![1]);
  const open = () => connectQstp({ host: '127.0.0.1', port, root, server });

  const tunnel = await open();
  await t.throwsAsync(open(), { code: 'peer_error', message: /no free connection/ });
  const sent = Buffer.alloc(1_000_000, 'over to Deno and back');
  const received: Buffer[] = [];
  let length = 0;
  const echoed = new Promise<void>((resolve) => {
    tunnel.on('data', (chunk: Buffer) => {
      received.push(chunk);
      length += chunk.length;
      if (length >= sent.length) resolve();
    });
  });
  tunnel.write(sent);
  await echoed;
  t.true(Buffer.concat(received).equals(sent));
  tunnel.end();
  while (!out.includes('closed peer_closed')) await new Promise((resolve) => setTimeout(resolve, 20));

  let second = null;
  while (second === null) second = await open().catch(() => null);
  second.end();
  t.is(await exited, 0);
  t.regex(out, /"connected":2/);
  t.regex(out, /"full":[1-9]/);
});
