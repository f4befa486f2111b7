// The deno-edge bundle on real Deno, as a server and as a link, with Node at the other end, over real TCP.
import test from 'ava';
import { spawn } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { encodeKey } from '../../src/cert/key-file.ts';
import { startWire } from '../../bin/demo/wire.ts';
import { serverIdentity } from '../../src/session/server.ts';
import { connectQstp, listen, openWallet } from '../../targets/node/mod.ts';
import { engineProgram } from '../engines/engines.ts';
import { startDeno } from './deno-process.ts';
import {
  generateServerKey,
  signServerCertificate,
  generateRootKey,
  rootCertificate,
} from '../../src/cert/issue.ts';
import { noble } from '../../src/crypto/noble.ts';
import { nodeClock, nodeRandom } from '../../targets/node/platform.ts';

const PROGRAM = `
import { decodeKey, decodeRootCertificate, decodeServerCertificate, listenQstp, micro, serverIdentity } from './qstp.js';
const root = decodeRootCertificate(await Deno.readFile('root'));
const certificate = decodeServerCertificate(await Deno.readFile('cert'));
const identity = serverIdentity(micro.suite(1), root, certificate, decodeKey(await Deno.readFile('key')));
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

/** A link to a server that echoes; says what comes back, asks for the next at each connection, and stops after the fourth. */
const LINK_PROGRAM = `
import { decodeRootCertificate, decodeServerCertificate, openLink } from './qstp.js';
const stop = new AbortController();
let count = 0;
const link = openLink(
  {
    endpoints: { hostname: '127.0.0.1', port: PORT },
    root: decodeRootCertificate(await Deno.readFile('root')),
    server: decodeServerCertificate(await Deno.readFile('cert')),
    pollMs: 1000,
    firstMs: 150,
    maxMs: 400,
    signal: stop.signal,
  },
  {
    state(state) {
      if (state === 'connected') link.send(new TextEncoder().encode('echo ' + (count + 1)));
      const { fullHandshakes, resumptions } = link.metrics;
      if (state === 'stopped') console.log('stopped full ' + fullHandshakes + ' resumed ' + resumptions);
    },
    message(bytes) {
      console.log(new TextDecoder().decode(bytes));
      if (++count === 4) stop.abort();
    },
  },
);
`;

function trust(name: string) {
  const crypto = noble.suite(1);
  const hedge = new Uint8Array(32);
  const now = nodeClock.now();
  const rootKey = generateRootKey(crypto, `${name}.qrr`, 1, now, nodeRandom);
  const root = rootCertificate(crypto, rootKey, hedge);
  const key = generateServerKey(crypto, `${name}.qrc`, 1, now, nodeRandom);
  const server = signServerCertificate(crypto, root, rootKey, key, hedge);
  return { root, server, key };
}

test('Deno link: resumes after a cut and after a server that forgot it; a signal stops it', async (t) => {
  const { root, server: certificate, key } = trust('deno-link');
  const identity = serverIdentity(noble.suite(1), root, certificate, key);
  const serve = (port: number) =>
    listen(
      { identities: [identity], host: '127.0.0.1', port },
      { connected: ({ connection }) => ({ message: (bytes) => void connection.send(bytes.slice()) }) },
    );
  const first = await serve(0);
  const wire = await startWire(first.port);
  const folder = mkdtempSync(path.join(tmpdir(), 'qstp-deno-e2e-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  copyFileSync('dist/deno-edge/qstp.min.js', path.join(folder, 'qstp.js'));
  writeFileSync(path.join(folder, 'root'), root.bytes);
  writeFileSync(path.join(folder, 'cert'), certificate.bytes);
  writeFileSync(path.join(folder, 'link.ts'), LINK_PROGRAM.replace('PORT', String(wire.port)));
  const flags = ['--no-prompt', '--no-remote', '--quiet', '--allow-read=.', '--allow-net=127.0.0.1'];
  const child = spawn(engineProgram('deno'), ['run', ...flags, 'link.ts'], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, DENO_NO_UPDATE_CHECK: '1' },
  });
  t.teardown(() => child.kill('SIGKILL'));
  let out = '';
  child.stdout.on('data', (chunk: Buffer) => (out += String(chunk)));
  const exited = new Promise<number | null>((resolve) => child.on('close', resolve));
  const says = async (text: string): Promise<void> => {
    while (!out.includes(text) && child.exitCode === null)
      await new Promise((resolve) => setTimeout(resolve, 20));
    if (!out.includes(text)) throw new Error(out);
  };
  await says('echo 1');
  wire.cut();
  await says('echo 2');
  wire.hang();
  await says('echo 3');
  await first.quit();
  const second = await serve(first.port);
  await says('echo 4');
  await says('stopped');
  t.is(await exited, 0);
  // A machine that is busy for three seconds makes for more.
  t.regex(out, /^stopped full [2-9] resumed [2-9]$/m);
  await wire.stop();
  await second.quit();
});

/** A link to the second of two servers, and what the bundle refuses by name. */
const ENDPOINTS_PROGRAM = `
import { connectQstp, decodeRootCertificate, decodeServerCertificate, openLink } from './qstp.js';
const root = decodeRootCertificate(await Deno.readFile('root'));
const server = decodeServerCertificate(await Deno.readFile('cert'));
const endpoints = [{ hostname: '127.0.0.1', port: CLOSED }, { hostname: '127.0.0.1', port: PORT }];
const refused = (options) => {
  try {
    openLink({ root, server, endpoints, ...options }).stop();
  } catch (error) {
    console.log('refused ' + error.code);
  }
};
refused({ chooser: 'qace' });
const link = openLink({ root, server, endpoints, firstMs: 100 }, {
  state(state) {
    if (state === 'connected') link.send(new TextEncoder().encode('over the second'));
  },
  message(bytes) {
    console.log(new TextDecoder().decode(bytes) + ', endpoint ' + link.metrics.endpoint + ', attempts ' + link.metrics.attempts);
    link.stop();
  },
});
await using tunnel = await connectQstp({ ...endpoints[1], root, server });
const writer = tunnel.writable.getWriter();
await writer.write(new TextEncoder().encode('over a stream'));
const { value } = await tunnel.readable.getReader().read();
console.log(new TextDecoder().decode(value) + ', ' + tunnel.connection.session.fullHandshake);
`;

test('the bundle of deno-worker-lean: endpoints in their order, streams, and no chooser', async (t) => {
  const { root, server: certificate, key } = trust('deno-lean');
  const identity = serverIdentity(noble.suite(1), root, certificate, key);
  const serve = () =>
    listen(
      { identities: [identity], host: '127.0.0.1', port: 0 },
      { connected: ({ connection }) => ({ message: (bytes) => void connection.send(bytes.slice()) }) },
    );
  const [gone, server] = [await serve(), await serve()];
  await gone.quit();
  t.teardown(() => server.quit());
  const folder = mkdtempSync(path.join(tmpdir(), 'qstp-deno-e2e-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  copyFileSync('dist/deno-worker-lean/qstp.min.js', path.join(folder, 'qstp.js'));
  writeFileSync(path.join(folder, 'root'), root.bytes);
  writeFileSync(path.join(folder, 'cert'), certificate.bytes);
  const program = ENDPOINTS_PROGRAM.replace('CLOSED', String(gone.port)).replace('PORT', String(server.port));
  writeFileSync(path.join(folder, 'program.js'), program);
  const flags = ['--no-prompt', '--no-remote', '--no-config', '--allow-read=.', '--allow-net=127.0.0.1'];
  const deno = startDeno(t, folder, ['run', ...flags, 'program.js']);
  await deno.says(/refused feature_missing/);
  await deno.says(/over a stream, true/);
  await deno.says(/over the second, endpoint 1, attempts 2/);
  t.is(await deno.ended, 0, deno.out());
});

test('Deno server: a megabyte echoed, a full server, orderly ends, nothing left running', async (t) => {
  const { root, server, key } = trust('deno');
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
  const tickets = openWallet({ serial: server.serial });
  const open = () => connectQstp({ host: '127.0.0.1', port, root, server, wallet: tickets });

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
  t.is(tickets.tickets.length, 3);
  tunnel.end();
  while (!out.includes('closed peer_closed')) await new Promise((resolve) => setTimeout(resolve, 20));

  let second = null;
  while (second === null) second = await open().catch(() => null);
  t.false(second.connection.session.fullHandshake, 'the server issues tickets and takes them');
  second.end();
  t.is(await exited, 0);
  t.regex(out, /"connected":2/);
  t.regex(out, /"full":[1-9]/);
});
