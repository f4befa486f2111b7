// Two ways to one server over loopback sockets, each through a relay that can be made slow or dead.
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { serverIdentity } from '../../src/session/server.ts';
import { listen } from '../../targets/node/listen.ts';
import { openLink } from '../../targets/node/mod.ts';
import { newChain } from '../session/pair.ts';

const chain = newChain(1, 'uplinks');
const clock = { now: () => chain.now };
const queue = { messages: 64, bytes: 8192 };

interface Relay {
  readonly endpoint: string;
  /** Bytes stay so long on their way, ms. */
  latency: number;
  /** Swallows what is under way and accepts nothing more. */
  die(): Promise<void>;
}

async function relay(t: ExecutionContext, port: number): Promise<Relay> {
  const sockets = new Set<Socket>();
  let dead = false;
  const made = { latency: 0 } as Relay & { endpoint: string };
  const server = createServer((near) => {
    const far = connect(port, '127.0.0.1');
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on('error', () => undefined);
      from.on('data', (bytes) => {
        setTimeout(() => {
          if (!dead) to.write(bytes);
        }, made.latency);
      });
      from.on('close', () => {
        sockets.delete(from);
        setTimeout(() => to.destroy(), made.latency);
      });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  made.endpoint = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  made.die = async () => {
    dead = true;
    server.close();
  };
  t.teardown(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return made;
}

for (const fault of ['slow', 'dead'] as const) {
  test(`an uplink that gets ${fault}: the tunnel goes on through the other, and every message arrives once`, async (t) => {
    const received: string[] = [];
    const identities = [serverIdentity(chain.crypto, chain.root, chain.server, chain.key)];
    const server = await listen(
      { identities, host: '127.0.0.1', port: 0, clock, queue },
      { connected: () => ({ message: (bytes) => void received.push(new TextDecoder().decode(bytes)) }) },
    );
    const relays = [await relay(t, server.port), await relay(t, server.port)];
    const link = openLink({
      root: chain.root,
      server: chain.server,
      endpoints: relays.map((r) => r.endpoint),
      clock,
      queue,
      pollMs: 100,
      probeMs: 100,
    });
    t.teardown(async () => {
      link.stop();
      await server.quit();
    });
    const until = async (what: string, condition: () => boolean): Promise<void> => {
      for (let waited = 0; !condition(); waited += 20) {
        if (waited > 30_000) throw new Error(`${what}: not within 30 s`);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    };
    await until('connected', () => link.connected);
    t.is(link.metrics.endpoint, 0);
    let sent = 0;
    const messages = setInterval(() => link.send(Buffer.from(`${sent++},`)), 250);
    t.teardown(() => clearInterval(messages));
    await until('a first message', () => received.length > 0);
    if (fault === 'slow') relays[0]!.latency = 400;
    else await relays[0]!.die();
    await until('moved', () => link.metrics.endpoint === 1 && link.connected);
    await new Promise((resolve) => setTimeout(resolve, 600));
    clearInterval(messages);
    const numbers = (): string[] => received.join('').split(',').slice(0, -1);
    await until('all delivered', () => numbers().length >= sent);
    t.deepEqual(
      numbers(),
      Array.from({ length: sent }, (_, i) => String(i)),
    );
    t.is(link.metrics.fullHandshakes, 1);
    t.true(link.metrics.resumptions >= 1);
  });
}
