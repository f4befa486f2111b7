// Links and tickets on real sockets: servers that restart, wires that hang, endpoints, storages.
import test from 'ava';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer as createTcpServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { startWire } from '../../bin/demo/wire.ts';
import { createTickets, memoryTicketStore } from '../../src/link/ticket-store.ts';
import { serverIdentity } from '../../src/session/server.ts';
import {
  connectQstp,
  fileStorage,
  folderTickets,
  listen,
  openLink,
  openWallet,
} from '../../targets/node/mod.ts';
import type { Link, LinkOptions, ListenOptions, QstpServer, Tunnel } from '../../targets/node/mod.ts';
import { sweepTickets } from '../../targets/node/tickets.ts';
import { newChain } from '../session/pair.ts';

const chain = newChain(1, 'link-e2e');
const clock = { now: () => chain.now };
const { root, server: certificate } = chain;
const identities = [serverIdentity(chain.crypto, root, certificate, chain.key)];
const host = '127.0.0.1';

const folders: string[] = [];
const links: Link[] = [];
test.after.always(() => {
  for (const link of links) link.stop();
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

function folder(): string {
  const made = mkdtempSync(path.join(tmpdir(), 'qstp-link-'));
  folders.push(made);
  return made;
}

const serve = (options: Partial<ListenOptions> = {}): Promise<QstpServer> =>
  listen(
    { identities, host, port: 0, clock, ...options },
    { connected: ({ connection }) => ({ message: (bytes) => void connection.send(bytes.slice()) }) },
  );

interface Opened {
  link: Link;
  received: string[];
  reasons: string[];
}

function open(endpoints: string | string[], options: Partial<LinkOptions> = {}): Opened {
  const made = { received: [] as string[], reasons: [] as string[] };
  const link = openLink(
    { endpoints, root, server: certificate, clock, firstMs: 150, maxMs: 400, ...options },
    {
      message: (bytes) => made.received.push(Buffer.from(bytes).toString()),
      state: (_state, why) => why !== null && made.reasons.push(why.reason),
    },
  );
  links.push(link);
  return { link, ...made };
}

/** Waits for what nothing but this test's timeout bounds. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

async function echo({ link, received }: Opened, text: string): Promise<void> {
  link.send(new TextEncoder().encode(text));
  await until(() => received.includes(text));
}

test.serial('a link connects by name, IPv4 and IPv6, and stops for good', async (t) => {
  for (const [bound, name] of [
    [host, 'localhost'],
    [host, host],
    ['::1', '[::1]'],
  ] as const) {
    const server = await serve({ host: bound });
    const opened = open(`${name}:${server.port}`);
    t.is(opened.link.state, 'waiting', 'nothing happens before openLink returns');
    await until(() => opened.link.connected);
    await echo(opened, `over ${name}`);
    opened.link.stop();
    t.throws(() => opened.link.send(new Uint8Array(1)), { code: 'not_connected' });
    await until(() => server.connections === 0);
    t.is(server.counters['peer_closed'], 1);
    await server.quit();
  }
  t.throws(() => open('a:b:c'), { code: 'endpoint_invalid' });
  t.throws(() => open([]), { code: 'endpoint_invalid' });
  t.throws(() => open(host, { queue: { messages: 16, bytes: 1000 }, storage: fileStorage(folder()) }), {
    code: 'invalid_input',
  });
});

test.serial(
  'a restarted server with its ticket folder resumes; without it the link does a full handshake',
  async (t) => {
    const tickets = path.join(folder(), 'tickets');
    for (const [more, resumptions] of [
      [{ ticketFolder: tickets }, 1],
      [{}, 0],
    ] as const) {
      const first = await serve(more);
      const opened = open(`${host}:${first.port}`);
      await until(() => opened.link.connected);
      await echo(opened, 'before');
      await first.quit();
      const second = await serve({ ...more, port: first.port });
      await until(() => opened.link.connected);
      await echo(opened, 'after');
      const { metrics } = opened.link;
      t.is(metrics.resumptions, resumptions);
      t.is(metrics.fullHandshakes, 2 - resumptions);
      t.true(opened.reasons.includes('peer_closed'));
      opened.link.stop();
      await second.quit();
    }
  },
);

test.serial(
  'a wire that hangs without a word is found by the keep-alives, and the link resumes',
  async (t) => {
    const server = await serve();
    const wire = await startWire(server.port);
    const opened = open(`${host}:${wire.port}`, { pollMs: 300 });
    await until(() => opened.link.updateMetrics().rttMs >= 0);
    t.is(opened.link.metrics.ended, 0);
    wire.hang();
    await until(() => opened.reasons.includes('keepalive_expired') && opened.link.connected);
    await echo(opened, 'back');
    t.true(opened.link.metrics.resumptions >= 1);
    t.is(opened.link.metrics.fullHandshakes, 1);
    opened.link.stop();
    await wire.stop();
    await server.quit();
  },
);

test.serial('of two endpoints the second serves while the first is away', async (t) => {
  const tickets = createTickets(memoryTicketStore(), new Uint8Array(32).fill(5), chain.random('key'));
  const [first, second] = [await serve({ tickets }), await serve({ tickets })];
  const opened = open([`${host}:${first.port}`, `${host}:${second.port}`]);
  await until(() => opened.link.connected);
  t.is(opened.link.metrics.endpoint, 0);
  await echo(opened, 'first');
  await first.quit();
  await until(() => opened.link.connected && opened.link.metrics.endpoint === 1);
  await echo(opened, 'second');
  t.is(opened.link.metrics.fullHandshakes, 1, 'gateways that share their tickets resume for each other');
  opened.link.stop();
  await second.quit();
});

test.serial('with a storage, the next process resumes at once', async (t) => {
  const server = await serve();
  const storage = fileStorage(folder());
  const first = open(`${host}:${server.port}`, { storage });
  await until(() => first.link.connected);
  await echo(first, 'a round trip brings the tickets');
  first.link.stop();
  const second = open(`${host}:${server.port}`, { storage });
  await until(() => second.link.connected);
  t.is(second.link.metrics.resumptions, 1);
  t.is(second.link.metrics.fullHandshakes, 0);
  second.link.stop();
  await server.quit();
});

test.serial('a server that says nothing, or is not there, is given up; stop leaves nothing', async (t) => {
  const silent = createTcpServer((socket) => void socket.resume());
  await new Promise<void>((resolve) => silent.listen(0, host, resolve));
  const { port } = silent.address() as AddressInfo;
  const opened = open([`${host}:${port}`, `${host}:1`], { handshakeDeadlineMs: 100 });
  await until(
    () => opened.reasons.includes('handshake_timeout') && opened.reasons.includes('connect_failed'),
  );
  opened.link.stop();
  silent.close();
  await until(() => process.getActiveResourcesInfo().filter((name) => /^TCP/.test(name)).length === 0);
  t.is(opened.link.state, 'stopped');
});

// ---- connectQstp with tickets ----------------------------------------------------------------------------

const wallet = (max: number) => openWallet({ serial: certificate.serial, max });

async function connect(port: number, more: object): Promise<Tunnel> {
  const tunnel = await connectQstp({ host, port, root, server: certificate, clock, ...more });
  tunnel.on('error', () => undefined);
  return tunnel;
}

/** Sends a text there and back: then the tickets are here, too. */
async function there(tunnel: Tunnel): Promise<void> {
  tunnel.write('there and back');
  await new Promise((resolve) => tunnel.once('data', resolve));
}

const resumed = (tunnel: Tunnel): boolean => !tunnel.connection.session.fullHandshake;

test.serial(
  'connectQstp resumes; where the server has lost its tickets it falls back by itself',
  async (t) => {
    const first = await serve();
    const shared = wallet(3);
    for (const expected of [false, true, true]) {
      const tunnel = await connect(first.port, { wallet: shared });
      t.is(resumed(tunnel), expected);
      await there(tunnel);
      tunnel.destroy();
    }
    t.is(shared.tickets.length, 3);
    await first.quit();
    const second = await serve({ port: first.port });
    const tunnel = await connect(first.port, { wallet: shared });
    t.false(resumed(tunnel));
    t.is(second.counters['ticket_refused'], 6, 'two tries of each of three tickets');
    await there(tunnel);
    t.is(shared.tickets.length, 3);
    tunnel.destroy();
    t.true(resumed(await connect(first.port, { wallet: shared })), 'the old ones are gone');
    await second.quit();
  },
);

test.serial('connections at the same time never share a ticket, and none fails', async (t) => {
  const server = await serve();
  const shared = wallet(3);
  const first = await connect(server.port, { wallet: shared });
  await there(first);
  const tunnels = await Promise.all(
    Array.from({ length: 6 }, () => connect(server.port, { wallet: shared })),
  );
  await Promise.all(tunnels.map(there));
  t.is(tunnels.filter(resumed).length, 3);
  t.is(server.counters['ticket_used'], undefined);
  t.is(server.counters['ticket_refused'], undefined);
  t.is(shared.tickets.length, 3);
  await server.quit();
});

test.serial(
  'a server that went back to strict 1.4 is reached by a client with tickets that allows it',
  async (t) => {
    const first = await serve();
    const shared = wallet(3);
    const before = await connect(first.port, { wallet: shared });
    await there(before);
    await first.quit();
    const strict = await serve({ port: first.port, extensions: 'never' });
    const tunnel = await connect(first.port, { wallet: shared, extensions: 'allow' });
    await there(tunnel);
    tunnel.destroy();
    t.is(shared.tickets.length, 0, 'a server that has proved itself, and knows none of them, ends them');
    await strict.quit();
  },
);

// ---- Where a server keeps its tickets --------------------------------------------------------------------

test.serial('the key of a ticket folder is made beside it, for its owner only, and used again', async (t) => {
  const at = path.join(folder(), 'tickets');
  const first = await serve({ ticketFolder: at });
  const shared = wallet(3);
  await there(await connect(first.port, { wallet: shared }));
  await first.quit();
  t.is(readdirSync(at).length, 3);
  const key = readFileSync(`${at}.key`);
  t.is(key.length, 32);
  t.is(statSync(`${at}.key`).mode & 0o777, 0o600);
  t.is(statSync(at).mode & 0o777, 0o700);
  t.deepEqual(readdirSync(path.dirname(at)).sort(), ['tickets', 'tickets.key']);
  const lines: string[] = [];
  writeFileSync(path.join(path.dirname(at), 'open.key'), key, { mode: 0o644 });
  folderTickets(at, { keyFile: path.join(path.dirname(at), 'open.key'), report: (line) => lines.push(line) });
  t.regex(lines.join(), /can be read by others/);
  // The key alone decides whether the tickets are good.
  writeFileSync(`${at}.key`, Buffer.alloc(32));
  const second = await serve({ port: first.port, ticketFolder: at });
  t.false(resumed(await connect(first.port, { wallet: shared })));
  await second.quit();
  writeFileSync(`${at}.key`, 'short');
  t.throws(() => folderTickets(at), { code: 'ticket_key', message: /is no ticket key of 32 bytes/ });
  t.throws(() => folderTickets(at, { keyFile: path.join(at, 'key') }), {
    code: 'ticket_key',
    message: /inside/,
  });
  await t.throwsAsync(serve({ ticketFolder: `${at}.key` }), { code: 'storage_failed' });
});

test.serial('expired tickets are swept', async (t) => {
  const at = path.join(folder(), 'tickets');
  const server = await serve({ ticketFolder: at, ticketLifetime: 100 });
  await there(await connect(server.port, { wallet: wallet(3) }));
  await server.quit();
  let now = chain.now + 99;
  const stop = sweepTickets(folderTickets(at), { now: () => now }, 10);
  await new Promise((resolve) => setTimeout(resolve, 50));
  t.is(readdirSync(at).length, 3);
  now++;
  await until(() => readdirSync(at).length === 0);
  stop();
});

test.serial('without tickets every connection is a full handshake', async (t) => {
  const server = await serve({ tickets: null });
  const shared = wallet(3);
  for (let i = 0; i < 2; i++) {
    const tunnel = await connect(server.port, { wallet: shared });
    await there(tunnel);
    t.false(resumed(tunnel));
  }
  await server.quit();
});
