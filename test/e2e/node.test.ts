import test from 'ava';
import { once } from 'node:events';
import { connect as tcpConnect, createServer as createTcpServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { ErrorCode } from '../../src/error.ts';
import type { Reject } from '../../src/error.ts';
import { serverIdentity } from '../../src/session/server.ts';
import { decodeError, encodeConnectRequest, encodeError } from '../../src/wire/messages.ts';
import { connectQstp, listenQstp } from '../../targets/node/mod.ts';
import type { ListenOptions, QstpServer, Tunnel } from '../../targets/node/mod.ts';
import { newChain } from '../session/pair.ts';

const chain = newChain();
const clock = { now: () => chain.now };
const identity = serverIdentity(chain.crypto, chain.root, chain.server, chain.key);
const base = { identities: [identity], port: 0, host: '127.0.0.1', clock };

interface Rig {
  server: QstpServer;
  tunnels: Tunnel[];
  refused: Reject[];
  connect(more?: object): Promise<Tunnel>;
  raw(): Promise<Socket>;
}

async function rig(more: Partial<ListenOptions> = {}, onTunnel?: (tunnel: Tunnel) => void): Promise<Rig> {
  const tunnels: Tunnel[] = [];
  const refused: Reject[] = [];
  const server = await listenQstp(
    { ...base, ...more },
    (tunnel) => {
      tunnels.push(tunnel);
      tunnel.on('error', () => undefined);
      if (onTunnel !== undefined) onTunnel(tunnel);
      else tunnel.pipe(tunnel);
    },
    (_peer, why) => refused.push(why),
  );
  const { port } = server;
  const host = more.host ?? '127.0.0.1';
  return {
    server,
    tunnels,
    refused,
    connect: (options = {}) =>
      connectQstp({ host, port, root: chain.root, server: chain.server, clock, ...options }),
    async raw() {
      const socket = tcpConnect({ host, port });
      await once(socket, 'connect');
      return socket;
    },
  };
}

async function collected(stream: NodeJS.ReadableStream, length: number): Promise<Buffer> {
  let all = Buffer.alloc(0);
  for await (const chunk of stream) {
    all = Buffer.concat([all, chunk as Buffer]);
    if (all.length >= length) break;
  }
  return all;
}

/** The error code a raw client is answered with. */
async function answer(socket: Socket): Promise<number> {
  return decodeError(await collected(socket, 22));
}

test.serial('an echo over IPv4 and IPv6', async (t) => {
  for (const host of ['127.0.0.1', '::1']) {
    const { server, connect } = await rig({ host });
    const tunnel = await connect();
    tunnel.write('through the tunnel');
    t.is((await collected(tunnel, 18)).toString(), 'through the tunnel');
    await server.quit();
  }
});

test.serial('large transfers both ways arrive whole under back-pressure', async (t) => {
  const { server, connect } = await rig();
  const tunnel = await connect();
  const sent = Buffer.alloc(3_000_000, 'abcdefghijklmnopqrstuvw');
  let received = Buffer.alloc(0);
  const done = new Promise<void>((resolve) => {
    tunnel.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      if (received.length >= sent.length) resolve();
    });
  });
  tunnel.write(sent);
  await done;
  t.true(received.equals(sent));
  await server.quit();
});

test.serial('a reader that stops stops the sender, and loses nothing', async (t) => {
  const { server, connect, tunnels } = await rig({}, () => undefined);
  const tunnel = await connect();
  let written = 0;
  const chunk = Buffer.alloc(65536, 7);
  while (tunnel.write(chunk) && written < 1000) written++;
  await new Promise((resolve) => setTimeout(resolve, 100));
  while (tunnel.writableLength < 1e6 && tunnel.writable && written < 400) {
    tunnel.write(chunk);
    written++;
    await new Promise((resolve) => setImmediate(resolve));
  }
  t.true(tunnel.writableLength > 0, 'the sender is held back');
  let got = 0;
  tunnels[0]!.on('data', (bytes: Buffer) => (got += bytes.length));
  tunnel.end();
  await once(tunnels[0]!, 'end');
  t.is(got % 65536, 0);
  t.true(got >= written * 65536);
  await server.quit();
});

test.serial('pause refuses new clients while live tunnels go on; quit sends close notices', async (t) => {
  const { server, connect, refused } = await rig();
  const first = await connect();
  server.pause();
  await t.throwsAsync(connect(), { code: 'peer_error', message: /socket accept failed/ });
  t.is(refused[0]?.reason, 'paused');
  first.write('still here');
  t.is((await collected(first.take(1) as NodeJS.ReadableStream, 1)).toString(), 'still here');
  server.resume();
  const second = await connect();
  second.resume();
  const ended = once(second, 'end');
  await server.quit();
  await ended;
  t.is(second.reason?.reason, 'peer_closed');
  t.true(second.reason?.authenticated);
  t.is(server.connections, 0);
});

test.serial(
  'a full server refuses with hosts_exceeded, and has the place back after a disconnect',
  async (t) => {
    const { server, connect, tunnels } = await rig({ maxConnections: 1 });
    const first = await connect();
    await t.throwsAsync(connect(), { code: 'peer_error', message: /no free connection/ });
    const gone = once(tunnels[0]!, 'close');
    first.destroy();
    await gone;
    while (server.connections > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    (await connect()).destroy();
    await server.quit();
  },
);

test.serial('the server picks the certificate by serial and refuses an unknown one', async (t) => {
  const other = newChain(1, 'other');
  const second = serverIdentity(other.crypto, other.root, other.server, other.key);
  const { server, connect } = await rig({ identities: [identity, second] });
  for (const { root, server: certificate } of [chain, other]) {
    const tunnel = await connect({ root, server: certificate });
    tunnel.write('x');
    t.is((await collected(tunnel, 1)).toString(), 'x');
  }
  const stranger = newChain(1, 'stranger');
  await t.throwsAsync(connect({ root: stranger.root, server: stranger.server }), {
    code: 'peer_error',
    message: /serial number is not known/,
  });
  await server.quit();
});

test.serial('connecting where nobody listens says so', async (t) => {
  const { server, connect } = await rig();
  await server.quit();
  await t.throwsAsync(connect(), {
    code: 'connect_failed',
    message: /127\.0\.0\.1 port \d+: .*ECONNREFUSED/,
  });
});

test.serial(
  'clients that say nothing, send half a header or vanish end at the deadline and leave nothing',
  async (t) => {
    const { server, connect, raw, refused } = await rig({ handshakeDeadlineMs: 200 });
    const silent = await raw();
    const half = await raw();
    half.write(encodeConnectRequest(chain.crypto.suite, chain.server.serial, chain.now).subarray(0, 10));
    const vanished = await raw();
    vanished.write(encodeConnectRequest(chain.crypto.suite, chain.server.serial, chain.now));
    vanished.destroy();
    t.is(await answer(silent), ErrorCode.connectionFailure);
    t.is(await answer(half), ErrorCode.connectionFailure);
    while (server.connections > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    t.deepEqual(refused.map((r) => r.reason).sort(), [
      'disconnected',
      'handshake_timeout',
      'handshake_timeout',
    ]);
    const tunnel = await connect();
    tunnel.write('on');
    t.is((await collected(tunnel, 2)).toString(), 'on');
    await server.quit();
  },
);

test.serial('bad requests end their own connection only, however many', async (t) => {
  const { server, connect, raw, refused } = await rig();
  const live = await connect();
  const good = encodeConnectRequest(chain.crypto.suite, chain.server.serial, chain.now);
  const bad = (change: (packet: Uint8Array) => void) => {
    const packet = good.slice();
    change(packet);
    return packet;
  };
  const cases: [Uint8Array, number][] = [
    [bad((p) => (p[21]! ^= 1)), ErrorCode.keyUnrecognized],
    [bad((p) => (p[37]! ^= 1)), ErrorCode.unknownProtocol],
    [bad((p) => (p[0] = 4)), ErrorCode.invalidRequest],
    [bad((p) => (p[4] = 0xff)), ErrorCode.invalidRequest],
    [bad((p) => (p[1] = 0)), ErrorCode.invalidRequest],
    [bad((p) => (p[5] = 1)), ErrorCode.packetUnsequenced],
    [bad((p) => (p[13]! ^= 0x80)), ErrorCode.messageTimeInvalid],
  ];
  for (let round = 0; round < 3; round++) {
    for (const [packet, code] of cases) {
      const socket = await raw();
      socket.write(packet);
      t.is(await answer(socket), code);
    }
  }
  const refusing = await raw();
  refusing.write(encodeError(ErrorCode.none, chain.now));
  await once(refusing.resume(), 'close');
  t.is(refused.length, 3 * cases.length + 1);
  live.write('alive');
  t.is((await collected(live, 5)).toString(), 'alive');
  await server.quit();
});

test.serial('a flood of silent connections from one address leaves room and goes away', async (t) => {
  const { server, raw, connect, refused } = await rig({
    maxHandshakesPerAddress: 20,
    handshakeDeadlineMs: 300,
  });
  const sockets = await Promise.all(Array.from({ length: 60 }, raw));
  for (const socket of sockets) socket.on('error', () => undefined).resume();
  await Promise.all(sockets.map((socket) => once(socket, 'close')));
  t.is(refused.filter((r) => r.reason === 'address_limit').length, 40);
  t.is(refused.filter((r) => r.reason === 'handshake_timeout').length, 20);
  (await connect()).destroy();
  await server.quit();
  t.is(server.connections, 0);
});

test.serial('an idle connection is closed after its timeout, with a notice', async (t) => {
  const { server, connect } = await rig({ idleTimeoutMs: 100 });
  await t.throwsAsync(connect(), { code: 'idle_too_short' });
  const tunnel = await connect({ pollMs: 0 });
  const [error] = (await once(tunnel, 'error')) as [Error & { code: string }];
  t.is(error.code, 'peer_error');
  t.regex(error.message, /channel_down/);
  t.true(tunnel.reason?.authenticated);
  await server.quit();
});

test.serial('a peer that disconnects without a notice is reported as such', async (t) => {
  const { server, connect, tunnels } = await rig();
  const tunnel = await connect();
  // The server counts it as connected once the client's hello is there.
  while (tunnels.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  const ended = new Promise((resolve) => tunnels[0]!.once('close', resolve));
  tunnels[0]!.connection.gone('cut');
  await ended;
  t.is(tunnels[0]!.reason?.reason, 'disconnected');
  tunnel.destroy();
  await server.quit();
});

test.serial('a certificate that is not the server’s is refused by the client', async (t) => {
  const { server, connect } = await rig();
  // Same serial, so the server answers; but signed by a key of another chain.
  const forged = newChain(1, 'forged');
  const mixed = serverIdentity(chain.crypto, chain.root, chain.server, chain.key);
  t.truthy(mixed);
  const certificate = { ...chain.server, verifyKey: forged.server.verifyKey };
  await t.throwsAsync(connect({ server: certificate, verified: 'chain' }), { code: 'response_signature' });
  await t.throwsAsync(connect({ root: forged.root }), { code: 'certificate_foreign_root' });
  await server.quit();
});

test.serial('a terminate in the segment of S4 rejects the connect, and harms nobody', async (t) => {
  const { server, connect } = await rig();
  const relay = createTcpServer((near) => {
    const far = tcpConnect({ host: '127.0.0.1', port: server.port });
    near.pipe(far);
    far.on('data', (chunk) => {
      const terminate = Buffer.alloc(21);
      terminate[0] = 3;
      near.write(chunk[0] === 8 ? Buffer.concat([chunk, terminate]) : chunk);
    });
    for (const socket of [near, far]) socket.on('error', () => undefined);
    near.on('close', () => far.destroy());
  });
  await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
  const { port } = relay.address() as AddressInfo;
  await t.throwsAsync(connect({ port, extensions: 'never' }), { code: 'peer_terminated' });
  // With the extensions anybody's terminate is no news once the hello is there.
  const tunnel = await connect({ port });
  tunnel.write('still here');
  t.is((await collected(tunnel.take(1) as NodeJS.ReadableStream, 1)).toString(), 'still here');
  tunnel.destroy();
  relay.close();
  await server.quit();
});

test.serial('a client turned away in the callback is counted right and leaves nothing', async (t) => {
  const reasons: (string | undefined)[] = [];
  const { server, connect, refused } = await rig({}, (tunnel) => {
    tunnel.on('close', () => reasons.push(tunnel.reason?.reason));
    tunnel.destroy();
  });
  for (let i = 0; i < 3; i++) {
    const tunnel = await connect().catch(() => null);
    tunnel?.destroy();
  }
  while (server.connections > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  t.is(server.peers.size, 0);
  t.is(server.counters['connected'], 3);
  t.is(server.counters['refused'], 0);
  t.deepEqual(refused, []);
  t.deepEqual(reasons, ['closed', 'closed', 'closed']);
  await server.quit();
});

test.serial('a damaged signing key is refused before the server starts', (t) => {
  for (const at of [100, 220, 700, 2000]) {
    const signingKey = chain.key.signingKey.slice();
    signingKey[at]! ^= 0xff;
    t.throws(() => serverIdentity(chain.crypto, chain.root, chain.server, { ...chain.key, signingKey }), {
      code: 'key_malformed',
    });
  }
});

test.serial('the idle timeout waits for a reader that is paused, and nothing is lost', async (t) => {
  const { server, connect } = await rig({}, (tunnel) => void tunnel.write(Buffer.alloc(400_000, 5)));
  const tunnel = await connect({ idleTimeoutMs: 200 });
  tunnel.pause();
  await new Promise((resolve) => setTimeout(resolve, 600));
  t.is((await collected(tunnel, 400_000)).length, 400_000);
  await server.quit();
});

test.serial('all that was written before an end arrives, however slow the reader', async (t) => {
  const { server, connect } = await rig({}, (tunnel) => tunnel.end(Buffer.alloc(8_000_000, 6)));
  const tunnel = await connect();
  await new Promise((resolve) => setTimeout(resolve, 2500));
  let length = 0;
  for await (const chunk of tunnel) length += (chunk as Buffer).length;
  t.is(length, 8_000_000);
  t.is(tunnel.reason?.reason, 'peer_closed');
  await server.quit();
});

test.serial(
  'what the peer sent before its end is read, though something is still being written',
  async (t) => {
    const { server, connect } = await rig({}, (tunnel) => {
      tunnel.pause();
      tunnel.end(Buffer.alloc(300_000, 7));
    });
    const tunnel = await connect();
    tunnel.write(Buffer.alloc(1_000_000));
    let length = 0;
    for await (const chunk of tunnel) length += (chunk as Buffer).length;
    t.is(length, 300_000);
    await server.quit();
  },
);

test.serial('an application that fails its tunnel is not taken for an orderly end', async (t) => {
  const { server, connect } = await rig({}, (tunnel) => {
    tunnel.write('part');
    setTimeout(() => tunnel.destroy(new Error('disk full')), 50);
  });
  const tunnel = await connect();
  await t.throwsAsync(collected(tunnel, 1000), { code: 'peer_error', message: /channel_down/ });
  await server.quit();
});

test.serial('quit may be asked for twice', async (t) => {
  const { server, connect } = await rig();
  (await connect()).resume();
  await Promise.all([server.quit(), server.quit()]);
  t.is(server.connections, 0);
});

test.serial('after all of this no socket, listener or timer is left', async (t) => {
  const left = (): string[] =>
    process.getActiveResourcesInfo().filter((name) => /^(TCP|Timeout|GetAddrInfo)/.test(name));
  const { server } = await rig();
  t.true(left().includes('TCPServerWrap'), 'a leak would be seen');
  await server.quit();
  // A closed connection lingers for a second at the most; then only this test's own pause is left.
  for (let i = 0; i < 150 && left().length > 0; i++) await new Promise((resolve) => setTimeout(resolve, 10));
  t.deepEqual(left(), []);
});
