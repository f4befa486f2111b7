import test from 'ava';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';

const COMMAND = path.resolve('bin/qstp.mjs');

interface Result {
  code: number | null;
  out: string;
  err: string;
}

const folders: string[] = [];
const running = new Set<ChildProcess>();

function folder(): string {
  const made = mkdtempSync(path.join(tmpdir(), 'qstp-cli-'));
  folders.push(made);
  return made;
}

test.after.always(() => {
  for (const child of running) child.kill('SIGKILL');
  for (const made of folders) rmSync(made, { recursive: true, force: true });
});

interface Running {
  child: ChildProcess;
  result: Promise<Result>;
  /** Resolves with the match when stderr has it. */
  says(pattern: RegExp): Promise<RegExpMatchArray>;
}

/** Starts the command in `cwd`; `secret` is what descriptor 3 gives. */
function start(cwd: string, args: string[], input?: string, secret?: string): Running {
  // Temporary files of its own: others may run the same command.
  const env = { ...process.env, TMPDIR: cwd };
  const stdio = ['pipe', 'pipe', 'pipe', 'pipe'] as const;
  const child = spawn(process.execPath, [COMMAND, ...args], { cwd, env, stdio: [...stdio] });
  running.add(child);
  let out = '';
  let err = '';
  const listeners: (() => void)[] = [];
  child.stdout!.on('data', (chunk: Buffer) => (out += chunk.toString('latin1')));
  child.stderr!.on('data', (chunk: Buffer) => {
    err += chunk.toString();
    for (const look of listeners) look();
  });
  child.stdin!.on('error', () => undefined);
  if (input !== undefined) child.stdin!.end(input);
  const third = child.stdio[3] as import('node:stream').Writable;
  third.on('error', () => undefined);
  third.end(secret ?? '');
  const result = new Promise<Result>((resolve) => {
    child.on('close', (code) => {
      running.delete(child);
      resolve({ code, out, err });
    });
  });
  return {
    child,
    result,
    says: (pattern) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const match = err.match(pattern);
          if (match !== null) resolve(match);
        };
        listeners.push(look);
        look();
        void result.then(() => reject(new Error(`ended without saying ${pattern}: ${err}`)));
      }),
  };
}

const run = (cwd: string, args: string[], input = '', secret?: string): Promise<Result> =>
  start(cwd, args, input, secret).result;

/** A folder with a root and a signed server of suite 1. */
async function trust(): Promise<string> {
  const made = folder();
  for (const args of [
    ['root', 'new', '--suite', '1'],
    ['server', 'new', '--suite', '1'],
    ['root', 'sign'],
  ]) {
    const { code, err } = await run(made, args);
    if (code !== 0) throw new Error(err);
  }
  return made;
}

test.serial('root new, server new, root sign, cert verify, show and convert', async (t) => {
  const cwd = await trust();
  for (const name of ['root_secret_key.qsk', 'server_secret_key.qsk']) {
    t.is(statSync(path.join(cwd, name)).mode & 0o777, 0o600);
  }
  const verified = await run(cwd, ['cert', 'verify']);
  t.is(verified.code, 0);
  t.regex(verified.out, /good, signed by root_public_cert.qrr/);
  t.is((await run(cwd, ['cert', 'convert', 'server_public_cert.qrc', 'server.txt'])).code, 0);
  t.is((await run(cwd, ['cert', 'convert', 'server.txt', 'again.qrc'])).code, 0);
  t.deepEqual(
    readFileSync(path.join(cwd, 'again.qrc')),
    readFileSync(path.join(cwd, 'server_public_cert.qrc')),
  );
  const [shown] = JSON.parse((await run(cwd, ['cert', 'show', 'server.txt', '--json'])).out) as {
    signed: boolean;
  }[];
  t.true(shown!.signed);
  const again = await run(cwd, ['root', 'new']);
  t.is(again.code, 1);
  t.regex(again.err, /^qstp: root_secret_key.qsk exists: .*--force/);
  t.deepEqual(
    readdirSync(cwd).filter((name) => name.endsWith('.tmp')),
    [],
  );
});

test.serial(
  'sealed keys: the passphrase comes by descriptor, a wrong one says so and loses nothing',
  async (t) => {
    const cwd = folder();
    const sealed = ['--seal', '--passphrase-fd', '3'];
    t.is((await run(cwd, ['root', 'new', '--suite', '1', ...sealed], '', 'open sesame\n')).code, 0);
    t.is((await run(cwd, ['server', 'new', '--suite', '1'])).code, 0);
    const file = readFileSync(path.join(cwd, 'root_secret_key.qsk'));
    t.is(file.subarray(0, 8).toString(), 'QSTPSEAL');
    const wrong = await run(cwd, ['root', 'sign', '--passphrase-fd', '3'], '', 'open barley\n');
    t.is(wrong.code, 1);
    t.regex(wrong.err, /^qstp: root_secret_key.qsk: the passphrase is wrong/);
    const none = await run(cwd, ['root', 'sign']);
    t.is(none.code, 1);
    t.regex(none.err, /--passphrase-fd/);
    t.is((await run(cwd, ['root', 'sign', '--passphrase-fd', '3'], '', 'open sesame\n')).code, 0);
    t.is((await run(cwd, ['cert', 'verify'])).code, 0);
    t.deepEqual(readFileSync(path.join(cwd, 'root_secret_key.qsk')), file);
  },
);

test.serial('a key file that others can read is used, with a warning', async (t) => {
  const cwd = await trust();
  chmodSync(path.join(cwd, 'root_secret_key.qsk'), 0o640);
  const { code, err } = await run(cwd, ['root', 'sign']);
  t.is(code, 0);
  t.regex(err, /root_secret_key.qsk can be read by others than its owner: chmod 600/);
});

test.serial('bad input: one clear line and exit code 1 or 2', async (t) => {
  const cwd = await trust();
  writeFileSync(path.join(cwd, 'junk'), 'junk');
  const altered = readFileSync(path.join(cwd, 'server_public_cert.qrc'));
  altered[altered.length - 18]! ^= 1;
  writeFileSync(path.join(cwd, 'altered.qrc'), altered);
  const cases: [string[], number, RegExp][] = [
    [['nothing'], 2, /unknown command 'nothing'/],
    [['root', 'new', '--days', '731'], 2, /--days takes a whole number from 1 to 730, not "731"/],
    [
      ['root', 'new', '--suite', 'sphincs-s1_mceliece-s1_rcs-256_sha3-256'],
      2,
      /parameter set 10 .* is not in this build/,
    ],
    [['root', 'new', '--suite', 'tls'], 2, /no parameter set is called "tls"/],
    [['root', 'new', '--issuer', 'a b.qrr', '--force'], 2, /the issuer "a b.qrr" must be/],
    [['cert', 'show', 'absent'], 1, /there is no file absent: check the path/],
    [['cert', 'show', 'junk'], 1, /junk: 4 bytes are no certificate/],
    [['cert', 'verify', 'altered.qrc'], 1, /altered.qrc: the server certificate .*altered/],
    [['cert', 'convert', 'server_public_cert.qrc', 'out', '--to', 'der'], 2, /--to takes binary, text, spki/],
    [
      ['root', 'sign', '--root', 'server_public_cert.qrc'],
      1,
      /is a server certificate; a root certificate is needed/,
    ],
    [['root', 'sign', '--key', 'server_secret_key.qsk'], 1, /is a server key; a root key is needed/],
    [['serve', '--key', 'a', '--key', 'b'], 2, /one key for each/],
    [['serve', '--echo', '--to', 'localhost:1'], 2, /exclude each other/],
    [['serve', '--port', 'x'], 2, /--port takes a whole number/],
    [['serve', '--key', 'root_secret_key.qsk'], 1, /is a root key; a server key is needed/],
    [['connect', 'a:b:c'], 2, /"a:b:c" is no address/],
    [['connect', '127.0.0.1:1'], 1, /cannot connect to 127.0.0.1 port 1: .*ECONNREFUSED/],
    [['forward'], 2, /give -L or -R/],
    [['forward', '-L', '80'], 2, /"80" is no forward/],
    [['demo', '--suite', '9'], 2, /parameter set 9/],
    [['serve', '--extensions', 'maybe'], 2, /--extensions takes require, allow, never, not "maybe"/],
    [['serve', '--ticket-key', 'k'], 2, /--ticket-key is for --tickets with a folder/],
    [['serve', '--tickets', 'junk'], 1, /cannot use the ticket store junk/],
    [['connect', '--poll', '5'], 2, /--poll takes 0, or at least 64 milliseconds/],
    [['connect', '--records', 'des'], 2, /--records takes gcm, rcs, not "des"/],
    [['connect', '--state', 'junk'], 1, /junk is a file, or lies in one: name a folder/],
    [['root', 'new', '--passphrase-fd', '3', '--force'], 2, /--passphrase-fd is for --seal/],
    [['bench', '--engine', 'node', '--profile', 'toaster'], 1, /there is no profile "toaster"/],
  ];
  for (const [args, code, message] of cases) {
    const result = await run(cwd, args);
    t.is(result.code, code, `${args.join(' ')}: ${result.err}`);
    t.regex(result.err, message);
    t.true(result.err.startsWith('qstp: '), result.err);
    t.notRegex(result.err, /\n {4}at /);
    t.is(result.out, '');
  }
});

test.serial('a command that fails ends, whatever it has begun', async (t) => {
  const cwd = await trust();
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  t.teardown(() => taken.close());
  const { port } = taken.address() as AddressInfo;
  for (const [args, code, problem] of [
    // stdin stays open, and is read from the start.
    [['serve', '--root', 'absent.qrr'], 1, /there is no file absent\.qrr/],
    [['serve', '--port', '0', '--metrics', 'abc'], 2, /"abc" is no address/],
    // The server listens by then.
    [['serve', '--port', '0', '--metrics', `127.0.0.1:${port}`], 1, /cannot serve metrics: .*EADDRINUSE/],
  ] as const) {
    const { code: ended, err } = await start(cwd, [...args]).result;
    t.is(ended, code, err);
    t.regex(err, problem);
  }
});

test.serial('key and certificate are written both, or neither', async (t) => {
  const cwd = await trust();
  const key = readFileSync(path.join(cwd, 'root_secret_key.qsk'));
  const absent = await run(cwd, ['root', 'new', '--suite', '1', '--force', '--cert', 'no/such/folder/x']);
  t.is(absent.code, 1);
  t.regex(absent.err, /^qstp: cannot write/);
  const twice = await run(cwd, [
    'root',
    'new',
    '--suite',
    '1',
    '--force',
    '--key',
    'same',
    '--cert',
    './same',
  ]);
  t.is(twice.code, 1);
  t.regex(twice.err, /same is named twice/);
  rmSync(path.join(cwd, 'server_secret_key.qsk'));
  const half = await run(cwd, ['server', 'new', '--suite', '1']);
  t.is(half.code, 1);
  t.regex(half.err, /server_public_cert.qrc exists/);
  t.deepEqual(readFileSync(path.join(cwd, 'root_secret_key.qsk')), key);
  t.deepEqual(readdirSync(cwd).sort(), [
    'root_public_cert.qrr',
    'root_secret_key.qsk',
    'server_public_cert.qrc',
  ]);
});

test.serial('hostile files: no control characters, no endless reading, no signature on damage', async (t) => {
  const cwd = await trust();
  const text = '------BEGIN QSTP ROOT PUBLIC CERTIFICATE BLOCK------\nAlgorithm: \x1b[2J' + 'x'.repeat(500);
  writeFileSync(path.join(cwd, 'esc'), `${text}\n------END QSTP ROOT PUBLIC CERTIFICATE BLOCK------\n`);
  const escaped = await run(cwd, ['cert', 'show', 'esc']);
  t.is(escaped.code, 1);
  t.false(escaped.err.includes('\x1b'));
  t.true(escaped.err.length < 300);
  writeFileSync(path.join(cwd, 'huge'), Buffer.alloc(100_000));
  t.regex((await run(cwd, ['cert', 'show', 'huge'])).err, /no certificate, key or list is that large/);
  t.regex((await run(cwd, ['cert', 'show', '/dev/zero'])).err, /is not a file/);
  const damaged = readFileSync(path.join(cwd, 'server_public_cert.qrc'));
  damaged[3000]! ^= 1;
  writeFileSync(path.join(cwd, 'damaged.qrc'), damaged);
  const refused = await run(cwd, ['root', 'sign', 'damaged.qrc']);
  t.is(refused.code, 1);
  t.regex(refused.err, /damaged.qrc does not match its own hash/);
  t.deepEqual(readFileSync(path.join(cwd, 'damaged.qrc')), damaged);
});

test.serial('a full disk under stdout is one line', async (t) => {
  const cwd = await trust();
  const child = spawn(
    'sh',
    ['-c', `"$0" "$1" cert show server_public_cert.qrc > /dev/full`, process.execPath, COMMAND],
    { cwd },
  );
  let err = '';
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  const code = await new Promise((resolve) => child.on('close', resolve));
  t.is(code, 1);
  t.regex(err, /^qstp: cannot write the output: .*\n$/);
});

test.serial('forward: when one of two cannot listen, the command ends', async (t) => {
  const cwd = await trust();
  const busy = createServer();
  await new Promise<void>((resolve) => busy.listen(0, '127.0.0.1', resolve));
  const { port } = busy.address() as AddressInfo;
  const both = await run(cwd, ['forward', '-L', '0:127.0.0.1:1', '-L', `${port}:127.0.0.1:1`]);
  t.is(both.code, 1);
  t.regex(both.err, /qstp: cannot listen on 127.0.0.1:/);
  busy.close();
});

test.serial('demo: interrupted, it leaves nothing behind', async (t) => {
  const cwd = folder();
  const demos = (): string[] => readdirSync(cwd).filter((name) => name.startsWith('qstp-demo-'));
  const before = demos();
  const demo = start(cwd, ['demo']);
  while (demos().length === before.length) await new Promise((resolve) => setTimeout(resolve, 20));
  demo.child.kill('SIGINT');
  t.is((await demo.result).code, 1);
  t.deepEqual(demos(), before);
});

test.serial('serve and connect: a terminal at each end, and an orderly close', async (t) => {
  const cwd = await trust();
  const server = start(cwd, ['serve', '--port', '0', '--host', '127.0.0.1']);
  const [, port] = await server.says(/listening on 127.0.0.1:(\d+)/);
  const client = start(cwd, ['connect', `127.0.0.1:${port}`, '--wait', '1']);
  await server.says(/client 1: connected/);
  server.child.stdin!.write('from the server\n');
  client.child.stdin!.end('from the client\n');
  const ended = await client.result;
  t.is(ended.code, 0, ended.err);
  t.is(ended.out, 'from the server\n');
  await server.says(/client 1: the peer closed the connection/);
  server.child.kill('SIGTERM');
  const { code, out } = await server.result;
  t.is(code, 0);
  t.is(out, 'from the client\n');
});

test.serial('serve: SIGUSR2 pauses and resumes; a wrong server certificate is named', async (t) => {
  const cwd = await trust();
  const server = start(cwd, ['serve', '--port', '0', '--host', '127.0.0.1', '--echo']);
  const [, port] = await server.says(/listening on 127.0.0.1:(\d+)/);
  server.child.kill('SIGUSR2');
  await server.says(/paused/);
  const paused = await run(cwd, ['connect', `127.0.0.1:${port}`]);
  t.is(paused.code, 1);
  t.regex(paused.err, /^qstp: the peer refused: the socket accept failed/);
  server.child.kill('SIGUSR2');
  await server.says(/resumed/);
  const other = await trust();
  const stranger = await run(other, ['connect', `127.0.0.1:${port}`]);
  t.is(stranger.code, 1);
  t.regex(
    stranger.err,
    /^qstp: the peer refused: the key serial number is not known here.*get the current one for --cert/,
  );
  const mixed = await run(cwd, [
    'connect',
    `127.0.0.1:${port}`,
    '--root',
    path.join(other, 'root_public_cert.qrr'),
  ]);
  t.is(mixed.code, 1);
  t.regex(mixed.err, /names another root/);
  const echoed = await run(cwd, ['connect', `127.0.0.1:${port}`, '--wait', '1'], 'back to me');
  t.is(echoed.out, 'back to me');
  server.child.kill('SIGINT');
  t.is((await server.result).code, 0);
});

test.serial(
  'a server that is killed and comes back with its tickets: connect --state and forward -R resume',
  async (t) => {
    const cwd = await trust();
    const at = ['--host', '127.0.0.1', '--allow-listen', '0', '--tickets', 'tickets'];
    const first = start(cwd, ['serve', '--port', '0', ...at]);
    const [, port] = await first.says(/listening on 127.0.0.1:(\d+)/);
    t.is(statSync(path.join(cwd, 'tickets.key')).mode & 0o777, 0o600);
    const rtu = start(cwd, ['forward', `127.0.0.1:${port}`, '-R', '0:127.0.0.1:1', '--state', 'rtu']);
    await rtu.says(/tunnel up, full handshake\nthe server listens on/);
    first.child.kill('SIGKILL');
    await rtu.says(/next try in/);
    const second = start(cwd, ['serve', '--port', port!, ...at]);
    await second.says(/connected from .*, resumed by ticket/);
    await rtu.says(/tunnel up, resumed by ticket/);
    rtu.child.kill('SIGTERM');
    t.is((await rtu.result).code, 0);
    // The next process has what the last one left.
    const again = start(cwd, ['forward', `127.0.0.1:${port}`, '-R', '0:127.0.0.1:1', '--state', 'rtu']);
    await again.says(/^tunnel up, resumed by ticket/);
    again.child.kill('SIGTERM');
    second.child.kill('SIGTERM');
    t.is((await second.result).code, 0);
  },
);

test.serial('extensions: what a client and a strict server say to each other, and what to do', async (t) => {
  const cwd = await trust();
  const echo = ['serve', '--port', '0', '--host', '127.0.0.1', '--echo'];
  const strict = start(cwd, [...echo, '--extensions', 'never']);
  const [, port] = await strict.says(/listening on 127.0.0.1:(\d+)/);
  const at = `127.0.0.1:${port}`;
  const refused = await run(cwd, ['connect', at]);
  t.is(refused.code, 1);
  t.regex(refused.err, /^qstp: the server speaks strict QSTP 1.4, .*\(--extensions allow, or never\)\n$/);
  const never = await run(cwd, ['connect', at, '--extensions', 'never', '--wait', '1'], 'strict');
  t.is(never.out, 'strict', never.err);
  strict.child.kill('SIGTERM');
  t.is((await strict.result).code, 0);
});

test.serial(
  'extensions: an old client, and an --idle that is too short for a client that polls',
  async (t) => {
    const cwd = await trust();
    const echo = ['serve', '--port', '0', '--host', '127.0.0.1', '--echo'];
    const modern = start(cwd, [...echo, '--extensions', 'require', '--idle', '3', '--tickets', 'none']);
    const [, other] = await modern.says(/listening on 127.0.0.1:(\d+)/);
    const there = `127.0.0.1:${other}`;
    const old = await run(cwd, ['connect', there, '--extensions', 'never']);
    t.is(old.code, 1);
    t.regex(old.err, /^qstp: the peer refused: this end talks to ends that speak the edge extensions only/);
    await modern.says(/refused from 127.0.0.1: the client speaks strict QSTP 1.4, and this server requires/);
    const idle = await run(cwd, ['connect', there]);
    t.is(idle.code, 1);
    t.regex(
      idle.err,
      /^qstp: the server closes after 3000 ms of silence, but polls every 20000 ms .*--idle, or connect with a shorter --poll\)\n$/,
    );
    const args = ['connect', there, '--poll', '700', '--records', 'rcs', '--wait', '5', '--state', 'state'];
    const kept = await run(cwd, args, 'alive');
    t.is(kept.code, 0, `keep-alives hold a tunnel that the server would close: ${kept.err}`);
    t.is(kept.out, 'alive');
    modern.child.kill('SIGTERM');
    t.is((await modern.result).code, 0);
  },
);

test.serial('forward -L from the command line', async (t) => {
  const cwd = await trust();
  const target = createServer((socket) => socket.end('hello from the target'));
  await new Promise<void>((resolve) => target.listen(0, '127.0.0.1', resolve));
  const { port: targetPort } = target.address() as AddressInfo;
  const allow = `127.0.0.1:${targetPort}`;
  const server = start(cwd, ['serve', '--port', '0', '--host', '127.0.0.1', '--allow-connect', allow]);
  const [, port] = await server.says(/listening on 127.0.0.1:(\d+)/);
  const client = start(cwd, ['forward', `127.0.0.1:${port}`, '-L', `0:127.0.0.1:${targetPort}`]);
  const [, local] = await client.says(/listening on 127.0.0.1:(\d+)/);
  const { connect } = await import('node:net');
  let text = '';
  for await (const chunk of connect({ host: '127.0.0.1', port: Number(local) })) text += String(chunk);
  t.is(text, 'hello from the target');
  client.child.kill('SIGTERM');
  t.is((await client.result).code, 0);
  server.child.kill('SIGTERM');
  t.is((await server.result).code, 0);
  target.close();
});

test.serial('demo: all of it works, in seconds, and leaves nothing behind', async (t) => {
  const cwd = folder();
  const demos = (): string[] => readdirSync(cwd).filter((name) => name.startsWith('qstp-demo-'));
  const before = demos();
  const { code, out, err } = await run(cwd, ['demo', '--json']);
  t.is(code, 0, err);
  const report = JSON.parse(out) as {
    good: boolean;
    checks: { good: boolean }[];
    figures: Record<string, string>;
  };
  t.true(report.good);
  t.is(report.checks.length, 9);
  t.true(report.checks.every((check) => check.good));
  t.regex(report.figures['full handshake']!, /^8084 bytes on the wire, [\d.]+ ms$/);
  t.regex(report.figures['resumption by ticket']!, /^302 bytes on the wire, [\d.]+ ms$/);
  t.deepEqual(demos(), before);
});
