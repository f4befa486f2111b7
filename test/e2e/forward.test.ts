import test from 'ava';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import type { Connection } from '../../src/link/connection.ts';
import { serverIdentity } from '../../src/session/server.ts';
import { listen } from '../../targets/node/mod.ts';
import type { ListenOptions } from '../../targets/node/mod.ts';
import { startWire } from '../../bin/demo/wire.ts';
import { forwardLocal, forwardRemote } from '../../targets/node/forward/client.ts';
import { parseEndpoint, parseForward } from '../../targets/node/forward/records.ts';
import type { Endpoint } from '../../targets/node/forward/records.ts';
import { createForwardServer } from '../../targets/node/forward/server.ts';
import { newChain } from '../session/pair.ts';

const chain = newChain();
const clock = { now: () => chain.now };
const identity = serverIdentity(chain.crypto, chain.root, chain.server, chain.key);
const host = '127.0.0.1';

async function target(handle: (socket: Socket) => void): Promise<{ at: Endpoint; server: Server }> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined);
    handle(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  return { at: { host, port: (server.address() as AddressInfo).port }, server };
}

async function rig(
  allow: { connect?: Endpoint[]; listen?: Endpoint[] },
  waitMs?: number,
  more: Partial<ListenOptions> = {},
) {
  const log: string[] = [];
  const counts: ((connection: Connection) => void)[] = [];
  const policy = { connect: allow.connect ?? [], listen: allow.listen ?? [] };
  const forwards = createForwardServer(policy, (line) => log.push(line), waitMs);
  const server = await listen(
    { identities: [identity], host, port: 0, clock, ...more },
    {
      connected(p) {
        for (const count of counts) count(p.connection);
        return forwards.accept(p);
      },
    },
  );
  const options = { host, port: server.port, root: chain.root, server: chain.server, clock };
  const stop = async (): Promise<void> => {
    forwards.close();
    await server.quit();
  };
  return { log, forwards, server, options, stop, counts };
}

async function all(socket: Socket): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const chunk of socket) parts.push(chunk as Buffer);
  return Buffer.concat(parts);
}

async function open(at: Endpoint): Promise<Socket> {
  const socket = connect({ ...at, allowHalfOpen: true });
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

const echo = (socket: Socket): void => void socket.pipe(socket);

test.serial('-L: a megabyte there and back, half-closed at each end', async (t) => {
  const { at, server: tcp } = await target(echo);
  const { options, stop } = await rig({ connect: [at] });
  const forward = await forwardLocal(options, { host, port: 0 }, at, () => undefined);
  const data = Buffer.alloc(1_000_000, 'half-close');
  const socket = await open(forward.listening!);
  socket.end(data);
  t.true((await all(socket)).equals(data));
  while (forward.tunnels.size > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  forward.close();
  tcp.close();
  await stop();
});

test.serial(
  '-L: a target that is not allowed, or not there, closes the connection and is logged',
  async (t) => {
    const { at, server: tcp } = await target(echo);
    tcp.close();
    const { options, stop, log } = await rig({ connect: [at] });
    for (const [to, message] of [
      [{ host, port: 1 }, /connecting to 127.0.0.1:1 is not allowed here/],
      [at, /cannot connect to .*ECONNREFUSED/],
    ] as const) {
      const lines: string[] = [];
      const forward = await forwardLocal(options, { host, port: 0 }, to, (line) => lines.push(line));
      const socket = await open(forward.listening!);
      t.is((await all(socket).catch(() => Buffer.alloc(0))).length, 0);
      t.regex(lines.join('\n'), message);
      t.regex(log.join('\n'), message);
      forward.close();
    }
    await stop();
  },
);

test.serial('-R: connections at the server come out at the client, several at once', async (t) => {
  const { at, server: tcp } = await target(echo);
  const { options, stop, forwards } = await rig({ listen: [{ host, port: 0 }] });
  let ready = (): void => undefined;
  const waiting = new Promise<void>((resolve) => (ready = resolve));
  const forward = forwardRemote(options, { host, port: 0 }, at, () => undefined, { waiting: () => ready() });
  await waiting;
  const sockets = await Promise.all(Array.from({ length: 5 }, () => open(forwards.listening[0]!)));
  await Promise.all(
    sockets.map(async (socket, i) => {
      socket.end(`stream ${i}`);
      t.is((await all(socket)).toString(), `stream ${i}`);
    }),
  );
  forward.close();
  tcp.close();
  await stop();
});

test.serial('-R: what is not allowed is refused with what to do', async (t) => {
  const { options, stop } = await rig({});
  const lines: string[] = [];
  const lost = new Promise<void>((resolve) => {
    const forward = forwardRemote(
      options,
      { host, port: 1502 },
      { host, port: 1 },
      (line) => lines.push(line),
      {
        lost: () => {
          forward.close();
          resolve();
        },
      },
    );
  });
  await lost;
  t.regex(lines.join('\n'), /listening on 127.0.0.1:1502 is not allowed here: serve with --allow-listen/);
  await stop();
});

test.serial('-R: after a server restart the client comes back by itself', async (t) => {
  const { at, server: tcp } = await target(echo);
  const first = await rig({ listen: [{ host, port: 0 }] });
  let ready = (): void => undefined;
  const next = (): Promise<void> => new Promise((resolve) => (ready = resolve));
  const waiting = next();
  const forward = forwardRemote(first.options, { host, port: 0 }, at, () => undefined, {
    waiting: () => ready(),
  });
  await waiting;
  const again = next();
  await first.stop();
  const forwards = createForwardServer({ connect: [], listen: [{ host, port: 0 }] }, () => undefined);
  const second = await listen(
    { identities: [identity], host, port: first.server.port, clock },
    { connected: (p) => forwards.accept(p) },
  );
  await again;
  const socket = await open(forwards.listening[0]!);
  socket.end('after the restart');
  t.is((await all(socket)).toString(), 'after the restart');
  forward.close();
  forwards.close();
  tcp.close();
  await second.quit();
});

/** A -R client, and a promise of its first wait at the server. */
function remote(options: Parameters<typeof forwardRemote>[0], at: Endpoint) {
  let ready = (): void => undefined;
  const waiting = new Promise<void>((resolve) => (ready = resolve));
  const forward = forwardRemote(options, { host, port: 0 }, at, () => undefined, { waiting: () => ready() });
  return { forward, waiting };
}

test.serial('-R at a server that does not do forwards says so', async (t) => {
  const server = await listen(
    { identities: [identity], host, port: 0, clock },
    { connected: (peer) => ({ message: (bytes) => void peer.send(bytes.slice()) }) },
  );
  const line = await new Promise<string>((resolve) => {
    const options = { host, port: server.port, root: chain.root, server: chain.server, clock };
    const forward = forwardRemote(options, { host, port: 0 }, { host, port: 1 }, (text) => {
      forward.close();
      resolve(text);
    });
  });
  t.regex(line, /--allow-listen/);
  await server.quit();
});

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

test.serial('-R: a connection that waited for its tunnel lives on after the wait is over', async (t) => {
  const { at, server: tcp } = await target(echo);
  const { options, stop, forwards } = await rig({ listen: [{ host, port: 0 }] }, 300);
  const first = remote(options, at);
  await first.waiting;
  first.forward.close();
  await pause(50);
  const socket = await open(forwards.listening[0]!);
  const second = remote(options, at);
  await second.waiting;
  await pause(600);
  socket.end('still there');
  t.is((await all(socket)).toString(), 'still there');
  const alone = await (second.forward.close(), pause(50), open(forwards.listening[0]!));
  t.is((await all(alone).catch(() => Buffer.alloc(0))).length, 0, 'without a tunnel the wait does end');
  tcp.close();
  await stop();
});

test.serial('-R: the newest tunnel is used first', async (t) => {
  const { at: old, server: oldTcp } = await target((socket) => socket.end('old'));
  const { at: fresh, server: freshTcp } = await target((socket) => socket.end('new'));
  const { options, stop, forwards } = await rig({ listen: [{ host, port: 0 }] });
  const first = remote(options, old);
  await first.waiting;
  const second = remote(options, fresh);
  await second.waiting;
  t.is((await all(await open(forwards.listening[0]!))).toString(), 'new');
  first.forward.close();
  second.forward.close();
  oldTcp.close();
  freshTcp.close();
  await stop();
});

test.serial('-L: a stream that fails at the target is a reset here, not an end', async (t) => {
  const { at, server: tcp } = await target((socket) => {
    socket.write('x'.repeat(1000));
    setTimeout(() => socket.resetAndDestroy(), 100);
  });
  const { options, stop } = await rig({ connect: [at] });
  const forward = await forwardLocal(options, { host, port: 0 }, at, () => undefined);
  const socket = await open(forward.listening!);
  await t.throwsAsync(all(socket), { code: 'ECONNRESET' });
  forward.close();
  tcp.close();
  await stop();
});

test.serial('-L: many streams at once resume as far as there are tickets, and none fails', async (t) => {
  const { at, server: tcp } = await target(echo);
  const first = await rig({ connect: [at] });
  const forward = await forwardLocal(first.options, { host, port: 0 }, at, () => undefined);
  const streams = async (count: number): Promise<void> => {
    await Promise.all(
      Array.from({ length: count }, async (_, i) => {
        const socket = await open(forward.listening!);
        socket.end(`stream ${i}`);
        t.is((await all(socket)).toString(), `stream ${i}`);
      }),
    );
  };
  let resumptions = 0;
  const count = (connection: Connection): void => {
    if (!connection.session.fullHandshake) resumptions++;
  };
  first.counts.push(count);
  await streams(1);
  await streams(8);
  t.is(resumptions, 3);
  t.is(first.server.counters['connected'], 9);
  await first.stop();
  // The next server knows none of the tickets.
  const second = await rig({ connect: [at] }, undefined, { port: first.server.port });
  await streams(6);
  t.is(second.server.counters['connected'], 6);
  t.true(second.server.counters['ticket_refused']! >= 6);
  forward.close();
  tcp.close();
  await second.stop();
});

test.serial('-R: over a wire that is cut, or hangs, the tunnel comes back by ticket', async (t) => {
  const { at, server: tcp } = await target(echo);
  const { options, stop, forwards, server } = await rig({ listen: [{ host, port: 0 }] });
  const wire = await startWire(server.port);
  let ready = (): void => undefined;
  const next = (): Promise<void> => new Promise((resolve) => (ready = resolve));
  const resumed: boolean[] = [];
  const lost: string[] = [];
  const waiting = next();
  const forward = forwardRemote(
    { ...options, port: wire.port, pollMs: 300 },
    { host, port: 0 },
    at,
    () => undefined,
    {
      established: ({ session }) => resumed.push(!session.fullHandshake),
      waiting: () => ready(),
      lost: (why) => lost.push(why.reason),
    },
  );
  await waiting;
  for (const harm of [wire.cut, wire.hang]) {
    const again = next();
    harm();
    await again;
    const socket = await open(forwards.listening[0]!);
    socket.end('after it');
    t.is((await all(socket)).toString(), 'after it');
  }
  t.is(lost[0], 'disconnected');
  t.true(lost.includes('keepalive_expired'), lost.join());
  t.false(resumed[0]);
  t.true(resumed.length >= 3);
  t.true(resumed.slice(1).every((by) => by));
  forward.close();
  await wire.stop();
  tcp.close();
  await stop();
});

test.serial('addresses and forwards are read as ssh has them', (t) => {
  t.deepEqual(parseEndpoint('a.example:5'), { host: 'a.example', port: 5 });
  t.deepEqual(parseEndpoint('[::1]:5'), { host: '::1', port: 5 });
  t.deepEqual(parseEndpoint('5', 'h'), { host: 'h', port: 5 });
  t.deepEqual(parseForward('1502:127.0.0.1:502'), {
    listen: { host: '127.0.0.1', port: 1502 },
    target: { host: '127.0.0.1', port: 502 },
  });
  t.deepEqual(parseForward('[::1]:80:[fe80::1]:81'), {
    listen: { host: '::1', port: 80 },
    target: { host: 'fe80::1', port: 81 },
  });
  for (const text of ['', '80', '80:81', 'a:b:c:d', '80:host', '1:host:99999', '::1:80:h:1']) {
    t.throws(() => parseForward(text), { name: 'QstpError' }, text);
  }
});
