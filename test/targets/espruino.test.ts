// The bundles for Espruino, as they are built, on an Espruino-class engine: Duktape under the strict prelude, over stand-ins of
// the board's sockets, flash and timers, with a server of ours in the same virtual time. This is not Espruino.
import test from 'ava';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { toHex } from '../../src/bytes.ts';
import { espruinoValues } from '../../targets/node/provision/espruino.ts';
import { newRecord } from '../../targets/node/provision/record.ts';
import { bundleScript } from '../engines/bundle.ts';
import { runEspruinoClass } from '../engines/duktape.ts';
import { newChain } from '../session/pair.ts';

const SMALL = 'espruino-puck-class';
const FULL = 'espruino-pico-class';

const chain = newChain(1, 'espruino');
const record = newRecord({
  deviceId: 'sensor-1',
  profile: FULL,
  root: chain.root.bytes,
  server: chain.server.bytes,
  random: chain.random('device'),
  now: chain.now,
  withCredential: true,
});
const { credential } = record;
const fixture = {
  root: toHex(chain.root.bytes),
  server: toHex(chain.server.bytes),
  signingKey: toHex(chain.key.signingKey),
  credential: {
    id: toHex(credential!.id),
    deviceSecret: toHex(credential!.deviceSecret),
    anchor: toHex(credential!.anchor),
  },
  files: espruinoValues(record).map(({ key, value }) => ({ key, hex: toHex(value) })),
};

let folder = '';
const bundles: Record<string, string> = {};
let peer = '';
let board = '';

test.before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'qstp-espruino-'));
  const { buildProfiles } = (await import(path.resolve('tools/bundles.mjs'))) as {
    buildProfiles(options: { names: string[]; out: string }): Promise<unknown>;
  };
  await buildProfiles({ names: [SMALL, FULL], out: folder });
  for (const name of [SMALL, FULL])
    bundles[name] = await readFile(path.join(folder, name, 'qstp.min.js'), 'utf8');
  peer = await bundleScript('test/targets/espruino-peer.ts', { name: 'peerModule', es5: true });
  board = await readFile('test/engines/espruino-board.js', 'utf8');
});
test.after.always(() => rm(folder, { recursive: true, force: true }));

/** What every scenario finds: a provisioned device, a server that echoes, `start()` for the bundle. */
const SCENE = `
var fixture = FIXTURE;
var keep = KEEP;
fixture.files.forEach(function (file) { if (keep.indexOf(file.key) >= 0) board.put(file.key, file.hex); });
function serve(more) {
  var options = {
    root: fixture.root, server: fixture.server, signingKey: fixture.signingKey, credential: fixture.credential,
    now: board.now, setTimeout: setTimeout, clearTimeout: clearTimeout, log: board.say,
    answer: function (text) { return text === 'silent' ? null : 'echo ' + text; },
  };
  for (var name in more) options[name] = more[name];
  var peer = peerModule.createPeer(options);
  board.accept = function (socket) { board.last = peer.accept(socket); };
  return peer;
}
var peer = serve({});
function start() {
  var exports = {};
  new Function('exports', 'require', BUNDLE)(exports, require);
  return exports;
}
function attempt(act) {
  try { act(); return 'nothing thrown'; } catch (error) { return error.code; }
}
function take() { var lines = board.log; board.log = []; return lines; }
var result = {};
`;

async function run(
  bundle: string,
  keep: readonly string[],
  scenario: string,
): Promise<Record<string, unknown>> {
  const scene = SCENE.replace('FIXTURE', JSON.stringify(fixture))
    .replace('KEEP', JSON.stringify(keep))
    .replace('BUNDLE', () => JSON.stringify(bundles[bundle]));
  const script = `${board}\n${peer}\n${scene}\n${scenario}\nprint(JSON.stringify(result));`;
  return JSON.parse(await runEspruinoClass(script)) as Record<string, unknown>;
}

const PROVISIONED = ['qstp.boot', 'qstp.cred'];
const TRUSTING = ['qstp.boot', 'qstp.anchor'];

test('a provisioned device connects, talks, keeps alive, and comes back after a cut', async (t) => {
  const got = await run(
    SMALL,
    PROVISIONED,
    `
    var qstp = start();
    result.loaded = board.writes;
    var client = board.watch(qstp.connect({ host: 'gateway', pollMs: 1000 }, function (c) { board.say('up'); c.write('one'); }));
    var steps = 0;
    client.on('progress', function (at, all) { steps = all; });
    board.run(900);
    result.first = take();
    result.steps = steps;
    result.writes = board.writes;
    board.run(20000);
    result.idle = take();
    result.waits = client.wakeIn() >= 0 && client.wakeIn() <= 2500;
    board.sockets[0].cut();
    board.run(20000);
    result.back = take().filter(function (line) { return line !== 'server kept alive'; });
    result.writesAfter = board.writes;
    client.end();
    board.run(5000);
    result.end = take();
    result.late = attempt(function () { client.write('x'); });
    `,
  );
  t.is(got['loaded'], 0, 'nothing is done on load');
  t.deepEqual(got['first'], ['up', 'server connected resumed', 'server got one', 'data echo one']);
  t.true((got['steps'] as number) >= 1);
  t.is(got['writes'], 1, 'the boot record alone');
  const idle = got['idle'] as string[];
  // A response is life for a cycle: an idle device asks every second poll.
  t.true(idle.length >= 8 && idle.length <= 11, `${idle.length} keep-alives in 20 polls`);
  t.true(idle.every((line) => line === 'server kept alive'));
  t.true(got['waits']);
  t.deepEqual(got['back'], [
    'server closed disconnected 3',
    'error disconnected',
    'close true',
    'up',
    'server connected resumed',
    'server got one',
    'data echo one',
  ]);
  t.is(got['writesAfter'], 1, 'a cut costs no flash');
  t.deepEqual(got['end'], ['close false', 'server closed peer_closed 0']);
  t.is(got['late'], 'not_connected');
});

test('the entropy gate: without its seed a device of a board that has no generator says so, and sends nothing', async (t) => {
  const refused = `
    result.code = attempt(function () { start().connect({ host: 'gateway' }); });
    board.run(5000);
    result.sockets = board.sockets.length;`;
  t.deepEqual(await run(SMALL, ['qstp.cred'], refused), { code: 'qstp.boot_missing', sockets: 0 });
  t.deepEqual(await run(SMALL, ['qstp.boot'], refused), { code: 'qstp.cred_missing', sockets: 0 });
  t.deepEqual(await run(FULL, ['qstp.anchor'], refused), { code: 'qstp.boot_missing', sockets: 0 });
  t.deepEqual(await run(FULL, ['qstp.boot'], refused), { code: 'qstp.anchor_missing', sockets: 0 });
  const stuck = `board.full = true;\n${refused}`;
  t.deepEqual(await run(SMALL, PROVISIONED, stuck), { code: 'boot_counter', sockets: 0 });
  t.deepEqual(await run(FULL, TRUSTING, stuck), { code: 'boot_counter', sockets: 0 });
  const damaged = `board.files['qstp.boot'] = board.files['qstp.boot'].replace(/.$/, '?');\n${refused}`;
  t.deepEqual(await run(SMALL, PROVISIONED, damaged), { code: 'qstp.boot_damaged', sockets: 0 });
});

test('a board with a generator in hardware needs no seed for a full handshake', async (t) => {
  const got = await run(
    FULL,
    ['qstp.anchor'],
    `
    process.env.BOARD = 'PUCKJS';
    E.hwRand = function () { return (Math.random() * 4294967296) | 0; };
    result.code = attempt(function () { start().connect({ host: 'gateway' }); });
    `,
  );
  t.is(got['code'], 'nothing thrown');
});

test('no start repeats a nonce, whatever the board gives for random', async (t) => {
  const got = await run(
    SMALL,
    PROVISIONED,
    `
    var seen = {};
    result.repeated = 0;
    result.requests = 0;
    var accept = board.accept;
    for (var i = 0; i < 4; i++) {
      board.restart();
      var client = start().connect({ host: 'gateway' });
      board.run(20);
      var socket = board.sockets[0];
      board.accept = function (server) { accept(server); var data = server.data; server.data = function (text) {
        if (text.charCodeAt(0) === 0x17) {
          result.requests++;
          var nonce = text.substr(37, 32);
          if (seen[nonce]) result.repeated++;
          seen[nonce] = true;
        }
        data(text);
      }; };
      board.run(3000);
      client.end();
      board.run(100);
      var again = start().connect({ host: 'gateway' });
      board.run(3000);
      again.end();
    }
    result.writes = board.writes;
    `,
  );
  t.is(got['repeated'], 0);
  t.true((got['requests'] as number) >= 4, String(got['requests']));
  t.is(got['writes'], 8, 'one write a start');
});

test('a full handshake in steps with progress, then its ticket; few flash writes', async (t) => {
  const got = await run(
    FULL,
    TRUSTING,
    `
    var progress = [];
    var client = board.watch(start().connect({ host: 'gateway', pollMs: 0 }, function (c) { board.say('up'); c.write('one'); }));
    client.on('progress', function (at, all) { if (at === all) progress.push(all); });
    board.run(60000);
    result.first = take();
    result.progress = progress;
    result.writes = board.writes;
    result.written = board.written;
    progress = [];
    board.sockets[0].cut();
    board.run(60000);
    result.back = take();
    result.progressBack = progress;
    result.writesBack = board.writes;
    // Power is lost: the tickets are in flash.
    board.restart();
    client = board.watch(start().connect({ host: 'gateway', pollMs: 0 }, function (c) { board.say('up'); }));
    board.run(60000);
    result.restarted = take();
    result.writesRestarted = board.writes;
    // The server has lost its tickets: three are refused, each twice; then certificates do it.
    peer.forget();
    board.restart();
    client = board.watch(start().connect({ host: 'gateway', pollMs: 0, fullHandshakeMinMs: 0 }, function (c) { board.say('up'); }));
    board.run(200000);
    result.forgotten = take();
    `,
  );
  t.deepEqual(got['first'], ['up', 'server connected full', 'server got one', 'data echo one']);
  // A hash and ML-DSA verify, ML-KEM encapsulate, the keys, ML-DSA verify of the freshness signature.
  t.deepEqual(got['progress'], [25, 9, 5, 24]);
  t.is(got['writes'], 1 + 3, 'the boot record, and three tickets');
  t.true((got['written'] as number) < 1000, String(got['written']));
  t.deepEqual((got['back'] as string[]).slice(-4), [
    'up',
    'server connected resumed',
    'server got one',
    'data echo one',
  ]);
  t.deepEqual(got['progressBack'], [5, 1]);
  t.is(got['writesBack'], 4 + 1, 'one ticket for another');
  t.deepEqual(got['restarted'], ['up', 'server connected resumed']);
  t.is(got['writesRestarted'], 5 + 1 + 1);
  const forgotten = got['forgotten'] as string[];
  t.is(forgotten.filter((line) => line === 'error peer_error').length, 6);
  t.deepEqual(forgotten.slice(-2), ['up', 'server connected full']);
});

/** Each answers the client with something else than it is due; none may get through, and the device tries again. */
const HOSTILE: Readonly<Record<string, string>> = {
  'R2 of a wrong length': `function (text) { return text.charCodeAt(0) === 0x18 ? flip(text, 1) : text; }`,
  'a record under another sequence': `function (text) { return text.charCodeAt(0) === 4 ? flip(text, 5) : text; }`,
  'a hello that was altered': `function (text) { return text.replace(/\\x19/, '\\x16'); }`,
};
for (const [name, tamper] of Object.entries(HOSTILE)) {
  test(`hostile: ${name}`, async (t) => {
    const got = await run(
      SMALL,
      PROVISIONED,
      `
      function flip(text, at) {
        return text.substr(0, at) + String.fromCharCode(text.charCodeAt(at) ^ 0x40) + text.substr(at + 1);
      }
      var client = board.watch(start().connect({ host: 'gateway', pollMs: 0 }, function (c) { board.say('up'); c.write('one'); }));
      board.tamper = ${tamper};
      board.run(2000);
      result.bad = take();
      board.tamper = null;
      board.run(120000);
      result.good = take();
      `,
    );
    const bad = got['bad'] as string[];
    t.true(
      bad.some((line) => line.startsWith('error ')),
      bad.join('; '),
    );
    t.false(bad.some((line) => line.startsWith('data ')));
    t.deepEqual((got['good'] as string[]).slice(-1), ['data echo one']);
  });
}

test('plain packets that anybody could send end nothing once connected', async (t) => {
  const got = await run(
    SMALL,
    PROVISIONED,
    `
    var client = board.watch(start().connect({ host: 'gateway', pollMs: 0 }, function (c) { board.say('up'); }));
    board.run(3000);
    take();
    var error = '\\x13\\x01\\0\\0\\0' + '\\0\\0\\0\\0\\0\\0\\0\\xff' + '\\0\\0\\0\\0\\0\\0\\0\\0' + '\\x0f';
    var terminate = '\\x03\\0\\0\\0\\0' + '\\0\\0\\0\\0\\0\\0\\0\\0' + '\\0\\0\\0\\0\\0\\0\\0\\0';
    var list = board.sockets[0].listeners.data;
    list[0](error);
    list[0](terminate);
    client.write('two');
    board.run(1000);
    result.lines = take();
    `,
  );
  t.deepEqual(got['lines'], ['server got two', 'data echo two']);
});

test('a server that grants no AES-256-GCM, or closes sooner than the device asks for life, is refused by name', async (t) => {
  const got = await run(
    SMALL,
    PROVISIONED,
    `
    serve({ gcm: false });
    board.watch(start().connect({ host: 'gateway', reconnect: false }));
    board.run(2000);
    result.cipher = take().filter(function (line) { return line.indexOf('error') === 0; });
    serve({ maxIdle: 3000 });
    board.watch(start().connect({ host: 'gateway', pollMs: 1000, reconnect: false }));
    board.run(2000);
    result.idle = take().filter(function (line) { return line.indexOf('error') === 0 || line.indexOf('server closed') === 0; });
    `,
  );
  t.deepEqual(got['cipher'], ['error cipher_unavailable']);
  t.deepEqual(got['idle'], ['error idle_too_short', 'server closed peer_error 66']);
});

test('a device that derives keys for longer than 5 s needs a server with patience', async (t) => {
  const got = await run(
    SMALL,
    PROVISIONED,
    `
    board.stepMs = 3000;
    board.watch(start().connect({ host: 'gateway', pollMs: 0, reconnect: false }));
    board.run(60000);
    result.hasty = take();
    serve({ halfOpenMs: 60000 });
    board.watch(start().connect({ host: 'gateway', pollMs: 0 }, function () { board.say('up'); }));
    board.run(60000);
    result.patient = take();
    `,
  );
  t.true((got['hasty'] as string[]).includes('server closed handshake_timeout 4'));
  t.deepEqual(got['patient'], ['up', 'server connected resumed']);
});

test('pauses between attempts grow, to a minute at most', async (t) => {
  const got = await run(
    SMALL,
    PROVISIONED,
    `
    board.down = true;
    var client = board.watch(start().connect({ host: 'gateway' }));
    board.run(600000);
    result.attempts = board.sockets.length;
    board.down = false;
    board.run(61000);
    result.up = client.connected();
    `,
  );
  t.true((got['attempts'] as number) >= 12 && (got['attempts'] as number) <= 60, String(got['attempts']));
  t.true(got['up']);
});

test('native hooks take the place of the permutation', async (t) => {
  const got = await run(
    SMALL,
    PROVISIONED,
    `
    var qstp = start();
    var called = 0;
    qstp.hooks.keccak = function (state) { called++; qstp.hooks.keccak = null; };
    result.code = attempt(function () { qstp.connect({ host: 'gateway' }); });
    result.called = called;
    `,
  );
  t.is(got['called'], 1);
  t.is(got['code'], 'qstp.boot_damaged', 'a permutation that does nothing has another checksum');
});

test("a board's own AES makes the key stream, where the application says so; without it ours does", async (t) => {
  const got = await run(
    FULL,
    PROVISIONED.concat(TRUSTING),
    `
    board.aesBlock = peerModule.aesBlock;
    function connection(act) {
      board.restart();
      var qstp = start();
      act(qstp.hooks);
      board.aesCalls = 0;
      board.watch(qstp.connect({ host: 'gateway', pollMs: 0 }, function (c) { board.say('up'); c.write('one'); }));
      board.run(60000);
      return { log: take(), calls: board.aesCalls };
    }
    result.off = connection(function () {});
    result.on = connection(function (hooks) { hooks.aes = require('crypto').AES; });
    board.aesFails = true;
    result.failing = connection(function (hooks) { hooks.aes = require('crypto').AES; });
    `,
  );
  const [off, on, failing] = ['off', 'on', 'failing'].map(
    (name) => got[name] as { log: string[]; calls: number },
  );
  const talk = ['up', 'server got one', 'data echo one'];
  const said = (log: string[]): string[] => log.filter((line) => talk.includes(line));
  t.deepEqual(said(off!.log), talk);
  t.is(off!.calls, 0);
  t.deepEqual(
    on!.log.filter((line) => line.startsWith('ERROR')),
    [],
  );
  t.deepEqual(said(on!.log), talk);
  // Hellos, the message and its echo, keep-alives: one call each.
  t.true(on!.calls >= 4, String(on!.calls));
  t.true(failing!.log.includes('ERROR: Not enough memory for result'));
  t.deepEqual(said(failing!.log), talk);
});
