// Deno KV under a server's tickets and a client's storage, and a client that says who it is: the deno-edge bundle on
// real Deno.
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { toHex } from '../../src/bytes.ts';
import { encodeKey } from '../../src/cert/key-file.ts';
import { generateClientKey, signClientCertificate } from '../../src/cert/issue.ts';
import { noble } from '../../src/crypto/noble.ts';
import { memoryStorage } from '../../src/link/storage-memory.ts';
import { openRevocations } from '../../src/link/revocation-store.ts';
import { createServerTrust } from '../../src/link/server-trust.ts';
import { walletKey } from '../../src/link/wallet.ts';
import { serverIdentity } from '../../src/session/server.ts';
import { connectQstp, listen, openWallet } from '../../targets/node/mod.ts';
import { nodeClock, nodeRandom } from '../../targets/node/platform.ts';
import { runDeno } from '../engines/deno.ts';
import { newFleet, programFolder, startDeno } from './deno-process.ts';

const FLAGS = ['--unstable-kv', '--allow-read=.', '--allow-write=.', '--allow-net=127.0.0.1'];
const RUN = ['run', '--no-prompt', '--no-remote', '--no-config', '--quiet', ...FLAGS, 'program.ts'];
const fleet = newFleet('kv');

/** Runs a program in a folder with the bundle; gives the JSON it prints last. */
async function results(t: ExecutionContext, program: string): Promise<Record<string, unknown>> {
  const folder = programFolder(t, fleet, program);
  const { exitCode, stdout, stderr } = await runDeno('program.ts', {
    cwd: folder,
    root: process.cwd(),
    permissions: FLAGS,
  });
  t.is(exitCode, 0, stderr);
  return JSON.parse(stdout) as Record<string, unknown>;
}

test('two processes that take the same tickets at once: each ticket goes to one of them', async (t) => {
  const ROWS = 60;
  const program = `
import { kvTicketStore } from './qstp.js';
const store = kvTicketStore(await Deno.openKv('kv.db'), { report: (line) => console.log(line) });
const idOf = (i) => { const id = new Uint8Array(16); id[0] = i; return id; };
const [role] = Deno.args;
if (role === 'put') {
  for (let i = 0; i < ${ROWS}; i++) {
    const row = { id: idOf(i), expiry: 4000000000, owner: new Uint8Array(8), sealed: new Uint8Array(160) };
    if (!(await new Promise((done) => store.put(row, done)))) throw new Error('not stored');
  }
} else {
  console.log('ready');
  while (!(await Deno.stat('go').catch(() => null))) await new Promise((done) => setTimeout(done, 1));
  const taken = [];
  // Each asks twice for each: of one process, too, one call is to win.
  const take = (i) => new Promise((done) => store.take(idOf(i), (yes) => { if (yes) taken.push(i); done(); }));
  for (let i = 0; i < ${ROWS}; i += 4) await Promise.all([0, 1, 2, 3, 0, 1, 2, 3].map((j) => take(i + j)));
  console.log(JSON.stringify(taken));
}
Deno.exit();
`;
  const folder = programFolder(t, fleet, program);
  const put = await runDeno('program.ts', {
    cwd: folder,
    root: process.cwd(),
    permissions: FLAGS,
    args: ['put'],
  });
  t.is(put.exitCode, 0, put.stdout + put.stderr);
  const takers = [1, 2].map(() => startDeno(t, folder, [...RUN, 'take']));
  await Promise.all(takers.map((taker) => taker.says(/^ready$/m)));
  writeFileSync(path.join(folder, 'go'), '');
  const taken = await Promise.all(
    takers.map(async (taker) => JSON.parse((await taker.says(/^\[.*\]$/m))[0]) as number[]),
  );
  t.deepEqual(
    taken.flat().sort((a, b) => a - b),
    Array.from({ length: ROWS }, (_, i) => i),
  );
});

test('a ticket store in a KV: rows, owners, expiry, room, and a KV that fails', async (t) => {
  const found = await results(
    t,
    `
import { kvTicketStore } from './qstp.js';
const lines = [];
const kv = await Deno.openKv('kv.db');
const store = kvTicketStore(kv, { max: 4, report: (line) => lines.push(line) });
const other = kvTicketStore(kv, { prefix: ['elsewhere'] });
const call = (name, ...args) => new Promise((done) => store[name](...args, done));
const idOf = (i) => { const id = new Uint8Array(16); id[0] = i; return id; };
const row = (i, expiry, owner = 1) =>
  ({ id: idOf(i), expiry, owner: new Uint8Array(8).fill(owner), sealed: new Uint8Array(160).fill(i) });
const soon = Math.floor(Date.now() / 1000) + 1000;
const count = async () => { let n = 0; for await (const _ of kv.list({ prefix: ['qstp'] })) n++; return n; };
const out = {};
out.stored = [await call('put', row(1, soon)), await call('put', row(2, soon + 9, 2)), await call('put', row(3, soon + 5))];
const got = await call('get', idOf(2));
out.same = got.expiry === soon + 9 && got.owner[7] === 2 && got.sealed.length === 160 && got.sealed[159] === 2 && got.id[0] === 2;
out.unknown = await call('get', idOf(9));
await new Promise((done) => other.put(row(7, soon), done));
out.removed = await call('removeOwner', new Uint8Array(8).fill(1));
out.left = await count();
out.elsewhere = await new Promise((done) => other.take(idOf(7), done));
out.swept = [await call('sweep', soon + 8), await call('sweep', soon + 9)];
for (let i = 10; i < 16; i++) out.stored.push(await call('put', row(i, soon + i)));
out.full = await count();
out.kept = (await call('get', idOf(15))) !== null && (await call('get', idOf(10))) === null;
await kv.set(['qstp', 'tickets', idOf(20)], new Uint8Array(9));
out.damaged = await call('get', idOf(20));
kv.close();
out.failed = [await call('put', row(1, soon)), await call('get', idOf(1)), await call('take', idOf(15)), await call('sweep', soon)];
out.lines = lines.length;
console.log(JSON.stringify(out));
`,
  );
  t.deepEqual(found, {
    stored: Array.from({ length: 9 }, () => true),
    same: true,
    unknown: null,
    removed: 2,
    left: 1,
    elsewhere: true,
    swept: [0, 1],
    full: 4,
    kept: true,
    damaged: null,
    failed: [false, null, false, 0],
    lines: 4,
  });
});

test('a storage in a KV: flush, the last to open writes, what it cannot keep, a KV that fails', async (t) => {
  const found = await results(
    t,
    `
import { openKvStorage } from './qstp.js';
const kv = await Deno.openKv('kv.db');
const lines = [];
const out = {};
const code = (call) => { try { call(); return null; } catch (error) { return error.code; } };
const later = (call) => call().then(() => null, (error) => error.code);
const first = await openKvStorage(kv, { report: (line) => lines.push(line) });
const value = new Uint8Array([4, 1, 2]);
first.set('a', value);
value[1] = 9;
out.atOnce = [...first.get('a')];
first.get('a')[0] = 7;
first.set('b', new Uint8Array([5]));
first.remove('b');
first.set('c', new Uint8Array(60000));
await first.flush();
out.stored = [...(await kv.get(['qstp', 'client', 'value', 'a'])).value];
out.late = code(() => first.set('d', new Uint8Array([3, 1])));
out.large = code(() => first.set('d', new Uint8Array(65001)));
out.key = code(() => first.get('A key'));
const second = await openKvStorage(kv);
out.read = [[...second.get('a')], second.get('b'), second.get('c').length];
first.set('a', new Uint8Array([1]));
out.taken = await later(() => first.flush());
out.then = [code(() => first.set('a', new Uint8Array([1]))), await later(() => first.flush())];
{
  await using inner = second;
  inner.set('a', new Uint8Array([8]));
  Promise.resolve().then(() => inner.set('e', new Uint8Array([6])));
}
const third = await openKvStorage(kv);
out.last = [[...third.get('a')], [...third.get('e')]];
kv.close();
third.set('a', new Uint8Array([2]));
out.failed = [await later(() => third.flush()), [...third.get('a')]];
out.open = await later(() => openKvStorage(kv));
out.lines = lines.length;
console.log(JSON.stringify(out));
`,
  );
  t.deepEqual(found, {
    atOnce: [4, 1, 2],
    stored: [4, 1, 2],
    late: 'storage_late',
    large: 'storage_full',
    key: 'storage_key',
    read: [[4, 1, 2], null, 60000],
    taken: 'storage_taken',
    then: ['storage_taken', 'storage_taken'],
    last: [[8], [6]],
    failed: ['storage_failed', [2]],
    open: 'storage_failed',
    lines: 1,
  });
});

const SERVER = `
import { decodeKey, decodeRootCertificate, decodeServerCertificate, kvTickets, listenQstp, micro, serverIdentity } from './qstp.js';
const root = decodeRootCertificate(await Deno.readFile('root_public_cert.qrr'));
const certificate = decodeServerCertificate(await Deno.readFile('server_public_cert.qrc'));
const identity = serverIdentity(micro.suite(1), root, certificate, decodeKey(await Deno.readFile('server_secret_key.qsk')));
const stop = new AbortController();
const tickets = kvTickets(await Deno.openKv('kv.db'), new Uint8Array(32).fill(5), { report: (line) => console.log(line) });
const server = listenQstp({ identities: [identity], hostname: '127.0.0.1', port: 0, tickets, signal: stop.signal }, async (tunnel) => {
  tunnel.readable.pipeTo(tunnel.writable).catch(() => undefined);
});
console.log('port ' + server.port);
Deno.addSignalListener('SIGTERM', async () => {
  stop.abort();
  await server[Symbol.asyncDispose]();
  console.log('ended');
  Deno.exit();
});
`;

test('one ticket at two Deno servers that share a KV: one of them serves it', async (t) => {
  const folder = programFolder(t, fleet, SERVER);
  const { root, server } = fleet;
  const servers = [1, 2].map(() => startDeno(t, folder, RUN));
  const ports = await Promise.all(servers.map(async (one) => Number((await one.says(/port (\d+)/))[1])));
  const storage = memoryStorage();
  const wallet = openWallet({ serial: server.serial, storage, max: 1 });
  const ended = async (tunnel: Awaited<ReturnType<typeof connectQstp>>): Promise<void> => {
    const closed = new Promise((resolve) => tunnel.once('close', resolve));
    tunnel.resume();
    tunnel.end();
    await closed;
  };
  const first = await connectQstp({ host: '127.0.0.1', port: ports[0]!, root, server, wallet });
  t.true(first.connection.session.fullHandshake);
  // What comes back was sent after the ticket.
  first.write('here');
  await new Promise((resolve) => first.once('data', resolve));
  while (wallet.tickets.length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
  await ended(first);

  const copy = (): ReturnType<typeof openWallet> => {
    const own = memoryStorage();
    own.set(walletKey(server.serial), storage.get(walletKey(server.serial))!);
    return openWallet({ serial: server.serial, storage: own, max: 1 });
  };
  const wallets = [copy(), copy()];
  t.deepEqual(toHex(wallets[0]!.tickets[0]!.id), toHex(wallets[1]!.tickets[0]!.id));
  const served = async (own: typeof wallet, port: number): Promise<string> => {
    const tunnel = await connectQstp({ host: '127.0.0.1', port, root, server, wallet: own });
    const how = tunnel.connection.session.fullHandshake ? 'full handshake' : 'resumed';
    const end = new Promise<string>((resolve) => {
      tunnel.once('error', (error) => resolve(error.message));
      tunnel.once('data', () => resolve(how));
    });
    tunnel.write('here');
    const seen = await end;
    if (!tunnel.destroyed) await ended(tunnel);
    return seen;
  };
  // The other was refused when it took the ticket, or found none to take: which, is the scheduler's choice.
  const both = await Promise.all(wallets.map((own, i) => served(own, ports[i]!)));
  t.is(both.filter((how) => how === 'resumed').length, 1, both.join());
  const [other] = both.filter((how) => how !== 'resumed');
  t.true(['full handshake', 'the peer closed the connection: ticket_used'].includes(other!), other);
  t.is(await served(copy(), ports[1]!), 'full handshake', 'it is gone for good');
  for (const one of servers) {
    t.is(await one.end(), 0);
    t.regex(one.out(), /^port \d+\nended\n$/);
  }
});

const CLIENT = `
import { connectQstp, decodeClientCertificate, decodeKey, decodeRootCertificate, decodeServerCertificate, openLink } from './qstp.js';
const options = {
  root: decodeRootCertificate(await Deno.readFile('root_public_cert.qrr')),
  server: decodeServerCertificate(await Deno.readFile('server_public_cert.qrc')),
};
const certificate = decodeClientCertificate(await Deno.readFile('client_public_cert.qcc'));
const identity = { certificate, signing: decodeKey(await Deno.readFile('client_secret_key.qsk')).signingKey };
const endpoint = { hostname: '127.0.0.1', port: Number(Deno.args[0]) };
try {
  await connectQstp({ ...options, ...endpoint });
  console.log('without: connected');
} catch (error) {
  console.log('without: ' + error.code);
}
{
  await using tunnel = await connectQstp({ ...options, ...endpoint, identity });
  const writer = tunnel.writable.getWriter();
  await writer.write(new TextEncoder().encode('tunnel'));
  const { value } = await tunnel.readable.getReader().read();
  console.log('tunnel: ' + new TextDecoder().decode(value));
}
const link = openLink({ ...options, endpoints: endpoint, identity }, {
  state: (state) => { if (state === 'connected') link.send(new TextEncoder().encode('link')); },
  message(bytes) {
    console.log('link: ' + new TextDecoder().decode(bytes));
    using stopping = link;
  },
});
`;

test('a Deno client with an identity, at a Node server that requires one', async (t) => {
  const { root, rootKey, server, key } = fleet;
  const crypto = noble.suite(1);
  const folder = programFolder(t, fleet, CLIENT);
  const clientKey = generateClientKey(crypto, 'worker.qcc', 20, nodeClock.now(), nodeRandom);
  const certificate = signClientCertificate(crypto, root, rootKey, clientKey, new Uint8Array(32));
  writeFileSync(path.join(folder, 'client_public_cert.qcc'), certificate.bytes);
  writeFileSync(path.join(folder, 'client_secret_key.qsk'), encodeKey(clientKey), { mode: 0o600 });
  const identities = [serverIdentity(crypto, root, server, key)];
  const revocations = openRevocations({ root, storage: null });
  const trust = createServerTrust({ roots: [{ crypto, revocations }], clients: 'required' }, identities);
  const seen: string[] = [];
  const node = await listen(
    { identities, trust, host: '127.0.0.1', port: 0 },
    {
      connected({ connection, client }) {
        seen.push(client === null ? 'nobody' : `${client.issuer} ${toHex(client.serial)}`);
        return { message: (bytes) => void connection.send(bytes.slice()) };
      },
      refused: (_peer, why) => void seen.push(why.reason),
    },
  );
  t.teardown(() => node.quit());
  const { exitCode, stdout, stderr } = await runDeno('program.ts', {
    cwd: folder,
    root: process.cwd(),
    permissions: ['--allow-read=.', `--allow-net=127.0.0.1:${node.port}`],
    args: [String(node.port)],
  });
  t.is(exitCode, 0, stderr);
  const [without, tunnel, link] = stdout.trim().split('\n');
  t.is(without, 'without: identity_required');
  t.is(tunnel, 'tunnel: tunnel');
  t.is(link, 'link: link');
  const worker = `worker.qcc ${toHex(certificate.serial)}`;
  t.deepEqual(seen, ['peer_error', worker, worker]);
});
