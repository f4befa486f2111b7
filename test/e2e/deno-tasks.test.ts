// The tasks of deno.json on real Deno, with the permissions they name and no others: server, client and webhook.
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { spawnSync } from 'node:child_process';
import { cpSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { noble } from '../../src/crypto/noble.ts';
import { serverIdentity } from '../../src/session/server.ts';
import { listen } from '../../targets/node/mod.ts';
import { engineProgram } from '../engines/engines.ts';
import { fleetFolder, newFleet, programFolder, startDeno } from './deno-process.ts';
import type { DenoProcess } from './deno-process.ts';

interface Config {
  name: string;
  version: string;
  imports: Record<string, string>;
  tasks: Record<string, { command: string }>;
}

const config = JSON.parse(readFileSync('deno.json', 'utf8')) as Config;
const ENV = { QSTP_TICKET_KEY: '5a'.repeat(32), WEBHOOK_TOKEN: 'a token for the test' };

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** What a task runs in: the project's sources and a fleet's files, with ports that are free. */
async function project(t: ExecutionContext): Promise<{ folder: string; http: number }> {
  const folder = fleetFolder(t, newFleet('tasks'));
  const [qstp, http] = [await freePort(), await freePort()];
  for (const name of ['src', 'targets', 'examples', 'deno.json', 'package.json']) {
    cpSync(name, path.join(folder, name), { recursive: true });
  }
  symlinkSync(path.resolve('node_modules'), path.join(folder, 'node_modules'));
  const programs = ['examples/deno/server.ts', 'examples/deno/client.ts', 'examples/deno-webhook/main.ts'];
  for (const name of ['deno.json', ...programs]) {
    const file = path.join(folder, name);
    const text = readFileSync(file, 'utf8');
    t.regex(text, /\b32119\b/);
    writeFileSync(file, text.replaceAll(/\b32119\b/g, String(qstp)).replaceAll(/\b8080\b/g, String(http)));
  }
  return { folder, http };
}

/** KV databases go into the folder, not into the user's cache. */
function task(t: ExecutionContext, folder: string, name: string): DenoProcess {
  return startDeno(t, folder, ['task', name], { ...ENV, DENO_DIR: path.join(folder, '.deno') });
}

function post(http: number, body: string, token = ENV.WEBHOOK_TOKEN): Promise<Response> {
  return fetch(`http://127.0.0.1:${http}/`, {
    method: 'POST',
    body,
    headers: { authorization: `Bearer ${token}`, connection: 'close' },
    signal: AbortSignal.timeout(20_000),
  });
}

test.serial(
  'serve, connect and webhook: a request goes through the tunnel, and resumes over restarts',
  async (t) => {
    const { folder, http } = await project(t);
    const first = task(t, folder, 'serve');
    await first.says(/listening on port/);
    const client = task(t, folder, 'connect');
    await client.says(/received: hello from Deno, says the gateway/);

    const worker = task(t, folder, 'webhook');
    await worker.says(/Listening on/);
    const answered = await post(http, 'reading 7');
    t.is(answered.status, 200);
    t.is(await answered.text(), 'reading 7, says the gateway');
    t.is((await post(http, 'x', 'another token')).status, 401);
    t.is((await post(http, '')).status, 400);
    t.is((await post(http, 'x'.repeat(16001))).status, 413);
    t.is((await fetch(`http://127.0.0.1:${http}/`)).status, 405);
    const many = await Promise.all([1, 2, 3, 4, 5].map(async (i) => (await post(http, `m${i}`)).text()));
    t.deepEqual(
      many,
      [1, 2, 3, 4, 5].map((i) => `m${i}, says the gateway`),
    );
    t.regex(worker.out(), /^connected$/m);

    // Both start again: the server finds its tickets in its KV, the worker in its own.
    t.is(await worker.end(), 0);
    t.is(await first.end(), 0);
    const second = task(t, folder, 'serve');
    await second.says(/listening on port/);
    const again = task(t, folder, 'webhook');
    await again.says(/^resumed$/m);
    await second.says(/resumed by ticket/);
    t.is(await (await post(http, 'reading 8')).text(), 'reading 8, says the gateway');

    t.is(await second.end(), 0);
    await again.says(/the peer closed the connection/);
    const refused = await post(http, 'reading 9');
    t.is(refused.status, 503);
    t.regex(await refused.text(), /nothing was sent/);
    t.is(await again.end(), 0);
  },
);

test('no task may do more than its program needs', (t) => {
  for (const name of ['serve', 'connect', 'webhook']) {
    const { command } = config.tasks[name]!;
    t.regex(command, /--no-prompt/, name);
    t.notRegex(command, /(-A|--allow-all|--allow-run|--allow-ffi|--allow-sys|--allow-write)\b/, name);
    for (const [, what, value] of command.matchAll(/--allow-(\w+)(=\S+)?/g)) {
      t.truthy(value, `${name}: --allow-${what} without what`);
      if (what === 'net') t.regex(value!, /^=[\w.]+:\d+(,[\w.]+:\d+)*$/, name);
    }
  }
});

test('types are right and the registry would take the package', (t) => {
  const { status, stderr, stdout } = spawnSync(engineProgram('deno'), ['task', 'check'], {
    encoding: 'utf8',
    timeout: 120_000,
    env: { ...process.env, DENO_NO_UPDATE_CHECK: '1', NO_COLOR: '1' },
  });
  const out = stdout + stderr;
  t.is(status, 0, out);
  t.regex(out, /Success Dry run complete/);
  t.notRegex(out, /Warning|slow type in/i);
});

test('deno.json and package.json say the same', (t) => {
  const { version, devDependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as {
    version: string;
    devDependencies: Record<string, string>;
  };
  t.is(config.version, version);
  const noble = '@noble/post-quantum';
  t.is(config.imports[`${noble}/`], `npm:/${noble}@${devDependencies[noble]}/`);
});

for (const profile of ['deno-worker-outbound', 'deno-worker-lean']) {
  test.serial(`examples/deno-webhook on the bundle of ${profile}, which cannot listen`, async (t) => {
    const source = readFileSync(`dist/${profile}/qstp.min.js`, 'utf8');
    t.notRegex(source, /Deno\.listen|listenQstp/);
    const fleet = newFleet('outbound');
    const identity = serverIdentity(noble.suite(1), fleet.root, fleet.server, fleet.key);
    const gateway = await listen(
      { identities: [identity], host: '127.0.0.1', port: 0 },
      { connected: ({ connection }) => ({ message: (bytes) => void connection.send(bytes.slice()) }) },
    );
    t.teardown(() => gateway.quit());
    const http = await freePort();
    const program = readFileSync('examples/deno-webhook/main.ts', 'utf8')
      .replaceAll(/\b32119\b/g, String(gateway.port))
      .replaceAll(/\b8080\b/g, String(http));
    const folder = programFolder(t, fleet, program, profile);
    const net = `--allow-net=127.0.0.1:${http},localhost:${gateway.port}`;
    const flags = ['--no-prompt', '--no-remote', '--no-config', '--unstable-kv', '--allow-env=WEBHOOK_TOKEN'];
    const worker = startDeno(t, folder, ['run', ...flags, '--allow-read=.', net, 'program.ts'], {
      ...ENV,
      DENO_DIR: path.join(folder, '.deno'),
    });
    await worker.says(/Listening on/);
    t.is(await (await post(http, 'over the bundle')).text(), 'over the bundle');
    t.is(await worker.end(), 0);
  });
}
