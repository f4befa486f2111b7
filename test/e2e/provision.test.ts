// `qstp provision` for a gateway and a Deno client: what it writes is what they start from, with the commands it prints.
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { spawn } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { engineProgram } from '../engines/engines.ts';
import { startDeno } from './deno-process.ts';

const COMMAND = path.resolve('bin/qstp.mjs');

interface Result {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs a program in `cwd` to its end; `secret` is what descriptor 3 gives. */
function run(cwd: string, program: string, args: readonly string[], secret = ''): Promise<Result> {
  return new Promise((resolve) => {
    const env = { ...process.env, DENO_NO_UPDATE_CHECK: '1', NO_COLOR: '1' };
    const child = spawn(program, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe', 'pipe'] });
    let [out, err] = ['', ''];
    child.stdout!.on('data', (data: Buffer) => (out += String(data)));
    child.stderr!.on('data', (data: Buffer) => (err += String(data)));
    const third = child.stdio[3] as import('node:stream').Writable;
    third.on('error', () => undefined);
    third.end(secret);
    child.on('close', (code) => resolve({ code, out, err }));
  });
}

const qstp = (cwd: string, args: string, secret?: string): Promise<Result> =>
  run(cwd, process.execPath, [COMMAND, ...args.split(' ')], secret);

/** A folder with a root, a gateway's certificate and key, and a worker's, of parameter set 1. */
async function fleet(t: ExecutionContext): Promise<string> {
  const folder = mkdtempSync(path.join(tmpdir(), 'qstp-provision-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  for (const line of [
    'root new --suite 1',
    'server new --suite 1',
    'root sign',
    'client new --suite 1 --issuer worker.qcc',
    'root sign client_public_cert.qcc',
  ]) {
    const { code, err } = await qstp(folder, line);
    t.is(code, 0, err);
  }
  return folder;
}

const mode = (...names: string[]): number => statSync(path.join(...names)).mode & 0o777;

/** Starts `qstp serve` with these words, until it listens: its port. */
async function serve(
  t: ExecutionContext,
  cwd: string,
  args: readonly string[],
  secret = '',
): Promise<number> {
  const child = spawn(process.execPath, [COMMAND, ...args], { cwd, stdio: ['pipe', 'pipe', 'pipe', 'pipe'] });
  t.teardown(() => void child.kill('SIGKILL'));
  const third = child.stdio[3] as import('node:stream').Writable;
  third.on('error', () => undefined);
  third.end(secret);
  let err = '';
  return new Promise((resolve, reject) => {
    child.stderr!.on('data', (data: Buffer) => {
      err += String(data);
      const found = /listening on \S*:(\d+)/.exec(err);
      if (found !== null) resolve(Number(found[1]));
    });
    child.on('close', () => reject(new Error(err)));
  });
}

test('a gateway starts from its folder, sealed key and all, and takes the device it was given', async (t) => {
  t.timeout(120_000);
  const folder = await fleet(t);
  // The device's own gateway has other tickets: its record alone is what this one goes by.
  const made = await qstp(
    folder,
    'provision --profile espruino-pico-class --device sensor-1 --out device --credential elsewhere',
  );
  t.is(made.code, 0, made.err);
  const phrase = 'correct horse battery\n';
  const given = await qstp(
    folder,
    'provision --profile rtu-gateway --out gateway --accept device/device.cbor --seal --passphrase-fd 3 --json',
    phrase,
  );
  t.is(given.code, 0, given.err);
  const { files, next, devices } = JSON.parse(given.out) as {
    files: { path: string; secret: boolean }[];
    next: string[];
    devices: string;
  };
  t.is(devices, 'sensor-1');
  t.deepEqual(
    files.filter(({ secret }) => secret).map(({ path: name }) => name),
    ['gateway/server.qsk'],
  );
  t.is(mode(folder, 'gateway/server.qsk'), 0o600);
  t.is(mode(folder, 'gateway/tickets'), 0o700);
  t.is(mode(folder, 'gateway/tickets.key'), 0o600);
  t.deepEqual(next, ['qstp serve --config gateway/serve.json --passphrase-fd 3 3<PASSPHRASE-FILE']);
  const plain = readFileSync(path.join(folder, 'server_secret_key.qsk'));
  t.false(readFileSync(path.join(folder, 'gateway/server.qsk')).includes(plain.subarray(100, 200)));
  const config = JSON.parse(readFileSync(path.join(folder, 'gateway/serve.json'), 'utf8')) as object;
  t.like(config, { tickets: 'tickets', patient: true });

  const words = ['serve', '--config', 'gateway/serve.json', '--port', '0', '--echo', '--passphrase-fd', '3'];
  const port = await serve(t, folder, words, phrase);
  t.true(port > 0);
  const trust = '--root root_public_cert.qrr --cert server_public_cert.qrc';
  const answer = await qstp(folder, `connect localhost:${port} ${trust}`);
  t.is(answer.code, 0, answer.err);

  const again = await qstp(folder, 'provision --profile rtu-gateway --out gateway');
  t.is(again.code, 1);
  t.regex(again.err, /^qstp: gateway\/root\.qrr exists: .*--force to replace it\n$/m);
  t.is(
    readFileSync(path.join(folder, 'gateway/serve.json'), 'utf8'),
    `${JSON.stringify(config, null, 2)}\n`,
    'nothing was overwritten',
  );
});

test('a Deno client imports what it was given, and connects as who it is', async (t) => {
  t.timeout(120_000);
  const folder = await fleet(t);
  const made = await qstp(
    folder,
    'provision --profile deno-edge --identity client_public_cert.qcc --out client --json',
  );
  t.is(made.code, 0, made.err);
  const { files, next } = JSON.parse(made.out) as {
    files: { path: string; secret: boolean }[];
    next: string[];
  };
  for (const { path: name, secret } of files) t.is(mode(folder, name), secret ? 0o600 : 0o644, name);
  t.deepEqual(
    files.filter(({ secret }) => secret).map(({ path: name }) => name),
    ['client/kv.json', 'client/device.key'],
  );
  const entries = readFileSync(path.join(folder, 'client/kv.json'), 'utf8');
  const key = readFileSync(path.join(folder, 'client_secret_key.qsk'));
  t.false(Buffer.from(entries).includes(key.subarray(100, 160).toString('base64').slice(4, 60)));

  const [deno, ...words] = next[0]!.split(' ');
  t.is(deno, 'deno');
  const imported = await run(folder, engineProgram('deno'), words);
  t.is(imported.code, 0, imported.err);
  t.regex(imported.out, /provisioned: qstp\/provisioned\/root, .*sealed/);

  const common = '--root root_public_cert.qrr --cert server_public_cert.qrc --key server_secret_key.qsk';
  const serving = ['serve', ...common.split(' '), '--port', '0', '--echo', '--clients', 'required'];
  const port = await serve(t, folder, serving);
  copyFileSync('dist/deno-edge/qstp.min.js', path.join(folder, 'qstp.js'));
  writeFileSync(
    path.join(folder, 'program.ts'),
    `import { connectQstp, openProvisioned } from './qstp.js';
     const kv = await Deno.openKv('client/client.kv');
     try {
       await openProvisioned(kv, 'ff'.repeat(32));
     } catch (error) {
       console.log('another key: ' + error.code);
     }
     const provisioned = await openProvisioned(kv, Deno.env.get('QSTP_DEVICE_KEY'));
     await using tunnel = await connectQstp({ hostname: 'localhost', port: ${port}, ...provisioned });
     const writer = tunnel.writable.getWriter();
     await writer.write(new TextEncoder().encode('a reading'));
     const { value } = await tunnel.readable.getReader().read();
     console.log('received: ' + new TextDecoder().decode(value));`,
  );
  const secret = readFileSync(path.join(folder, 'client/device.key'), 'utf8');
  const program = startDeno(
    t,
    folder,
    [
      ...'run --no-prompt --no-remote --no-check --unstable-kv --allow-read=. --allow-write=client'.split(
        ' ',
      ),
      '--allow-env=QSTP_DEVICE_KEY',
      `--allow-net=localhost:${port}`,
      'program.ts',
    ],
    { QSTP_DEVICE_KEY: secret },
  );
  await program.says(/another key: provisioned_key/);
  await program.says(/received: a reading/);
});

test('a lean worker starts from what it was given in its KV, and has tickets there', async (t) => {
  t.timeout(120_000);
  const folder = await fleet(t);
  const made = await qstp(folder, 'provision --profile deno-worker-lean --out client --json');
  t.is(made.code, 0, made.err);
  const { next } = JSON.parse(made.out) as { next: string[] };
  const imported = await run(folder, engineProgram('deno'), next[0]!.split(' ').slice(1));
  t.is(imported.code, 0, imported.err);
  const common = '--root root_public_cert.qrr --cert server_public_cert.qrc --key server_secret_key.qsk';
  const port = await serve(t, folder, ['serve', ...common.split(' '), '--port', '0', '--echo']);
  copyFileSync('dist/deno-worker-lean/qstp.min.js', path.join(folder, 'qstp.js'));
  writeFileSync(
    path.join(folder, 'program.js'),
    `import { openKvStorage, openLink, openProvisioned } from './qstp.js';
     const kv = await Deno.openKv('client/client.kv');
     const storage = await openKvStorage(kv);
     const given = { ...(await openProvisioned(kv)), storage, endpoints: { hostname: 'localhost', port: ${port} } };
     const link = openLink(given, {
       state(state) {
         if (state === 'connected') link.send(new TextEncoder().encode('a reading'));
       },
       async message(bytes) {
         const how = link.metrics.resumptions > 0 ? 'resumed' : 'full';
         console.log('received: ' + new TextDecoder().decode(bytes) + ', ' + how);
         link.stop();
         await storage.flush();
         kv.close();
       },
     });`,
  );
  const flags =
    'run --no-prompt --no-remote --no-config --unstable-kv --allow-read=. --allow-write=client'.split(' ');
  for (const how of ['full', 'resumed']) {
    const program = startDeno(t, folder, [...flags, `--allow-net=localhost:${port}`, 'program.js']);
    await program.says(new RegExp(`received: a reading, ${how}`));
    t.is(await program.ended, 0, program.out());
  }
});

test('what cannot be is one line and exit code 2, and nothing is written', async (t) => {
  t.timeout(60_000);
  const folder = await fleet(t);
  for (const [words, problem] of [
    ['provision', /^qstp: name the profile/],
    ['provision --profile nothing', /^qstp: there is no profile "nothing"/],
    ['provision --profile deno-edge --credential x', /^qstp: --credential is for moddable and espruino/],
    ['provision --profile rtu-gateway --nvs-at 0x9000', /^qstp: --nvs-at is for moddable/],
    ['provision --profile rtu-gateway --accept nobody.cbor', /^qstp: there is no file nobody\.cbor/],
    ['provision --profile esp32 --device x', /^qstp: the profile esp32 is of parameter set 2, .* --suite 2/],
    ['provision --profile deno-worker-outbound --identity client_public_cert.qcc', /has no identities/],
    ['provision --profile deno-edge --identity-key x', /^qstp: --identity-key is for --identity/],
    ['provision --profile esp32 --device a/b', /^qstp: "a\/b" is no device name: 1 to 31 of /],
  ] as const) {
    const { code, err } = await qstp(folder, `${words} --out made`);
    t.is(code, 2, `${words}: ${err}`);
    t.regex(err, problem, words);
    t.is(err.trim().split('\n').length, 1, err);
    t.false(existsSync(path.join(folder, 'made')), words);
  }
  const config = path.join(folder, 'serve.json');
  for (const [text, problem] of [
    ['{', /^qstp: serve\.json: /],
    ['[]', /must be an object/],
    ['{"prot": 1}', /"prot" is no option of serve; there are /],
    ['{"port": "x"}', /serve\.json: --port takes a whole number/],
    ['{"patient": "yes"}', /"patient" takes true or false/],
    ['{"root": {}}', /"root" takes a string or a number/],
  ] as const) {
    writeFileSync(config, text);
    const { code, err } = await qstp(folder, 'serve --config serve.json');
    t.is(code, 2, text);
    t.regex(err, problem, text);
  }
  chmodSync(config, 0o644);
  const absent = await qstp(folder, 'serve --config nobody.json');
  t.is(absent.code, 2);
  t.regex(absent.err, /^qstp: there is no file nobody\.json/);
  for (const [words, problem] of [
    ['provision --profile deno-edge --out serve.json', /^qstp: cannot make the folder serve\.json: /],
    ['provision --record serve.json', /^qstp: serve\.json: this is no provisioning record: /],
  ] as const) {
    const { code, err } = await qstp(folder, words);
    t.is(code, 1, `${words}: ${err}`);
    t.regex(err, problem, words);
  }
});

test('explain names codes by number and by name, and refuses what is none', async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'qstp-explain-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const { code, out } = await qstp(folder, 'explain 0x0b authentication_failure --json');
  t.is(code, 0);
  const told = (JSON.parse(out) as { code: number; name: string }[]).map((one) => [one.code, one.name]);
  t.deepEqual(told, [
    [11, 'hosts_exceeded'],
    [2, 'authentication_failure'],
  ]);
  const reasons = await qstp(folder, 'explain no_slot handshake_timeout');
  t.is(reasons.code, 0);
  t.regex(
    reasons.out,
    /^no_slot\n {2}docs\/errors\.md, "Of the library"\n {4}when +all slots of a pool are taken\n/,
  );
  t.regex(
    reasons.out,
    /\nhandshake_timeout\n {2}docs\/protocol\.md, .*\n {4}by +either end\n.*\n.*04 connection_failure\n {4}what to do +raise/,
  );
  t.is((await qstp(folder, 'explain 300')).code, 2);
  t.is((await qstp(folder, 'explain nonsense')).code, 2);
});
