// Many tunnels that are open and say nothing but keep-alives. The server is one process and its clients another, so that
// the server's memory is its own; this part starts both and asks them.

import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { connect as connectTcp, createServer as createTcpServer } from 'node:net';
import { decodeRootCertificate, decodeServerCertificate } from '../src/cert/certificate.ts';
import type { RootCertificate, ServerCertificate } from '../src/cert/certificate.ts';
import { dial } from '../targets/node/dial.ts';
import { listen } from '../targets/node/listen.ts';
import { nodeProvider } from '../targets/node/provider.ts';
import type { Figures } from './figures.ts';
import { HOST, makeChain, onFreePort } from './gateway-peers.ts';

/** The state of an open tunnel does not depend on the parameter set: the quickest one. */
const SUITE = 1;
/**
 * Connections made and closed again before the first look at the memory: an engine's young heap, and what its threads
 * keep, grow once with the first handshakes, not with open tunnels.
 */
const WARM = 3000;
const IDLE = 5000;
const MANY = 10_000;
/** Begun and not finished. */
const AT_ONCE = 16;
const POLL_MS = 5000;
/** How long keep-alives are watched: an idle client asks every second poll. */
const WATCH_MS = 31_000;
const PATIENCE_MS = 240_000;
/** Closed connections are gone from both ends after so long. */
const SETTLE_MS = 2000;
const LIMIT = 1_000_000;
/**
 * What docs/performance.md tells gateways of many tunnels to start Node with: the engine's young heap grows with what
 * survives, to two halves of 64 MB, and shrinks again when it is not needed; its pages stay with the process.
 */
const SMALL_YOUNG = '--max-semi-space-size=4';

type Kind = 'tunnels' | 'sockets';

interface Address {
  readonly port: number;
  readonly root: string;
  readonly server: string;
}

interface ServerReport {
  /** Resident memory after collecting garbage, bytes. */
  readonly rss: number;
  /** Of that, what JavaScript objects and their arrays hold, bytes. */
  readonly live: number;
  readonly connections: number;
}

interface ClientReport {
  readonly open: number;
  readonly lost: number;
  /** Of each answer to a keep-alive: milliseconds off the beat. */
  readonly lateness: readonly number[];
  /** Connections that heard no answer while watched. */
  readonly silent: number;
}

// ---- The server -----------------------------------------------------------------------------------------------

async function memory(): Promise<{ rss: number; live: number }> {
  const { gc } = globalThis as { gc?: () => void };
  if (gc === undefined) throw new Error('start Node with --expose-gc');
  for (let i = 0; i < 4; i++) {
    gc();
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const { rss, heapUsed, external } = process.memoryUsage();
  return { rss, live: heapUsed + external };
}

function answer(handle: (ask: string, n: number) => Promise<object>): void {
  process.on('message', ({ ask, n }: { ask: string; n: number }) => {
    handle(ask, n).then(
      (reply) => process.send!(reply),
      (error: Error) => process.send!({ error: error.message }),
    );
  });
  process.once('disconnect', () => process.exit(0));
}

export async function idleServer(kind: Kind): Promise<void> {
  let connections = (): number => 0;
  let address: Address;
  if (kind === 'tunnels') {
    const chain = makeChain(nodeProvider(), SUITE);
    const server = await listen(
      {
        identities: [chain.identity],
        host: HOST,
        port: 0,
        maxConnections: LIMIT,
        maxHandshakes: LIMIT,
        maxHandshakesPerAddress: LIMIT,
      },
      { connected: () => ({}) },
    );
    connections = () => server.connections;
    const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
    address = { port: server.port, root: text(chain.root.bytes), server: text(chain.server.bytes) };
  } else {
    let open = 0;
    const server = createTcpServer((socket) => {
      open++;
      socket.on('data', () => undefined);
      socket.on('error', () => undefined);
      socket.on('close', () => open--);
    });
    connections = () => open;
    address = { port: await onFreePort(server), root: '', server: '' };
  }
  answer(async (ask) => (ask === 'address' ? address : { ...(await memory()), connections: connections() }));
}

// ---- The clients ----------------------------------------------------------------------------------------------

interface Open {
  /** When an answer came last, ms; 0 before the first. */
  last: number;
  answers: number;
}

export function idleClients(kind: Kind, address: Address): void {
  const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'base64'));
  const root: RootCertificate | null = kind === 'tunnels' ? decodeRootCertificate(bytes(address.root)) : null;
  const server: ServerCertificate | null =
    root === null ? null : decodeServerCertificate(bytes(address.server));
  const provider = nodeProvider();
  const { port } = address;
  const all: Open[] = [];
  let lost = 0;
  let lateness: number[] = [];

  let closing = false;

  const tunnel = (): Promise<void> =>
    new Promise((resolve, fail) => {
      const mine: Open = { last: 0, answers: 0 };
      const connection = dial(
        { host: HOST, port, root: root!, server: server!, provider, extensions: 'require', pollMs: POLL_MS },
        {
          established() {
            if (closing) {
              connection.close();
              return;
            }
            all.push(mine);
            resolve();
          },
          keepalive(tripMs) {
            if (tripMs < 0) return;
            const now = performance.now();
            const passed = now - mine.last;
            if (mine.last > 0) lateness.push(Math.abs(passed - Math.round(passed / POLL_MS) * POLL_MS));
            mine.last = now;
            mine.answers++;
          },
          closed(why) {
            if (why.reason === 'closed') {
              resolve();
              return;
            }
            lost++;
            fail(new Error(why.detail));
          },
        },
      );
    });
  const socket = (): Promise<void> =>
    new Promise((resolve, fail) => {
      const opened = connectTcp(port, HOST, () => {
        if (closing) opened.destroy();
        else all.push({ last: 0, answers: 0 });
        resolve();
      });
      opened.on('error', fail);
      opened.on('close', () => {
        if (!closing) lost++;
      });
    });

  const connect = async (n: number): Promise<void> => {
    let left = n;
    const worker = async (): Promise<void> => {
      while (left-- > 0) await (kind === 'tunnels' ? tunnel() : socket());
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
  };
  answer(async (ask, n): Promise<object> => {
    if (ask === 'connect' || ask === 'churn') {
      closing = ask === 'churn';
      await connect(n);
      if (closing) await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    } else if (ask === 'watch') {
      // What was late while thousands connected does not count.
      lateness = [];
      for (const each of all) {
        each.last = 0;
        each.answers = 0;
      }
      await new Promise((resolve) => setTimeout(resolve, n));
    }
    const silent = all.filter((each) => each.answers === 0).length;
    return { open: all.length, lost, lateness, silent } satisfies ClientReport;
  });
}

// ---- Who asks both --------------------------------------------------------------------------------------------

class Part {
  private readonly child: ChildProcess;

  constructor(name: string, program: string, flags: readonly string[] = []) {
    this.child = fork(program, ['bench', '--part', name], {
      execArgv: ['--expose-gc', ...flags],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
  }

  ask<T>(ask: string, n = 0): Promise<T> {
    return new Promise((resolve, fail) => {
      const { child } = this;
      const timer = setTimeout(() => fail(new Error(`no answer to "${ask}"`)), PATIENCE_MS);
      const end = (): void => {
        clearTimeout(timer);
        child.off('exit', gone);
      };
      const gone = (): void => {
        end();
        fail(new Error('a process of the measurement ended'));
      };
      child.once('exit', gone);
      child.once('message', (reply: T & { error?: string }) => {
        end();
        if (reply.error === undefined) resolve(reply);
        else fail(new Error(reply.error));
      });
      child.send({ ask, n });
    });
  }

  stop(): void {
    this.child.kill();
  }
}

async function withParts<T>(
  kind: Kind,
  program: string,
  flags: readonly string[],
  run: (server: Part, clients: Part) => Promise<T>,
): Promise<T> {
  const server = new Part(`idle-server:${kind}`, program, flags);
  let clients: Part | null = null;
  try {
    const address = await server.ask<Address>('address');
    clients = new Part(`idle-clients:${kind}:${JSON.stringify(address)}`, program);
    return await run(server, clients);
  } finally {
    clients?.stop();
    server.stop();
  }
}

/** Bytes of resident memory that each of `counts` more connections takes, one after the other. */
async function growth(
  server: Part,
  clients: Part,
  counts: readonly number[],
): Promise<{ rss: number[]; live: number[] }> {
  let report = await clients.ask<ClientReport>('churn', WARM);
  let before = await server.ask<ServerReport>('rss');
  const [rss, live]: [number[], number[]] = [[], []];
  for (const count of counts) {
    report = await clients.ask<ClientReport>('connect', count);
    const after = await server.ask<ServerReport>('rss');
    if (report.lost > 0 || after.connections !== report.open) {
      throw new Error(`${report.lost} of ${report.open} connections were lost`);
    }
    rss.push((after.rss - before.rss) / count);
    live.push((after.live - before.live) / count);
    before = after;
  }
  return { rss, live };
}

/**
 * `node.idle.rss.bytes`: an idle tunnel over a bare socket, at 5,000; `live` is what its objects and arrays hold, without
 * what the engine's heaps and the C library keep for the next; `smallYoung` is the former with {@link SMALL_YOUNG}. Then `node.tunnels.*`: what each tunnel costs of the
 * first 5,000 and of the second, how late keep-alives are with 10,000, and tunnels lost.
 */
export async function benchIdle(figures: Figures, program: string): Promise<void> {
  const first = (kind: Kind, flags: readonly string[]): ReturnType<typeof growth> =>
    withParts(kind, program, flags, (server, clients) => growth(server, clients, [IDLE]));
  const [small, bareSmall] = [await first('tunnels', [SMALL_YOUNG]), await first('sockets', [SMALL_YOUNG])];
  figures['node.idle.smallYoung.rss.bytes'] = Math.round(small.rss[0]! - bareSmall.rss[0]!);
  const bare = await first('sockets', []);
  await withParts('tunnels', program, [], async (server, clients) => {
    const { rss, live } = await growth(server, clients, [IDLE, MANY - IDLE]);
    figures['node.idle.socket.rss.bytes'] = Math.round(bare.rss[0]!);
    figures['node.idle.rss.bytes'] = Math.round(rss[0]! - bare.rss[0]!);
    figures['node.tunnels.second5000.rss.bytes'] = Math.round(rss[1]! - bare.rss[0]!);
    figures['node.idle.live.bytes'] = Math.round(live[0]! - bare.live[0]!);
    figures['node.tunnels.second5000.live.bytes'] = Math.round(live[1]! - bare.live[0]!);
    const { open, lost, lateness, silent } = await clients.ask<ClientReport>('watch', WATCH_MS);
    const sorted = [...lateness].sort((a, b) => a - b);
    figures['node.tunnels.open'] = open - lost;
    figures['node.tunnels.lost'] = lost + silent;
    figures['node.tunnels.keepalive.p99.percent'] =
      (sorted[Math.floor(sorted.length * 0.99)]! / POLL_MS) * 100;
  });
}
