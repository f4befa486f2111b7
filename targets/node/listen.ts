// A server over TCP: many connections, several certificates, pause, resume and quit.

import { createServer as createTcpServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { SERVER_PORT } from '../../src/params.ts';
import { QstpError } from '../../src/error.ts';
import { profileLimits } from '../../src/profile.ts';
import { createExecutor } from '../../src/link/executor.ts';
import { createServerLink } from '../../src/link/server.ts';
import type { ServerEvents, ServerLink, ServerLinkOptions } from '../../src/link/server.ts';
import type { Clock } from '../../src/platform.ts';
import { nodeClock, nodeRandom, nodeTimer, socketTransport } from './platform.ts';

export type { Peer, ServerEvents } from '../../src/link/server.ts';

export interface ListenOptions extends ServerLinkOptions {
  /** Address to bind. Default: all, IPv6 and IPv4. */
  readonly host?: string;
  /** Default 32119; 0 takes a free one. */
  readonly port?: number;
  readonly clock?: Clock;
}

export interface QstpServer extends Pick<
  ServerLink,
  'connections' | 'peers' | 'counters' | 'pause' | 'resume'
> {
  readonly address: string;
  readonly port: number;
  /** Sends every client a close notice, closes, and resolves when nothing is left. */
  quit(): Promise<void>;
}

const TURN_AWAY_MS = 1000;

/** Starts a server. Rejects with `listen_failed` if the address cannot be bound. */
export async function listen(options: ListenOptions, events: ServerEvents): Promise<QstpServer> {
  const platform = {
    random: nodeRandom,
    timer: nodeTimer,
    clock: options.clock ?? nodeClock,
    execute: createExecutor(setImmediate),
  };
  const link = createServerLink({ ...profileLimits(), ...options }, platform, events);
  const tcp = createTcpServer((socket) => {
    const admitted = link.accept(socket.remoteAddress ?? 'unknown', socket.remotePort ?? 0);
    if (admitted instanceof Uint8Array) {
      turnAway(socket, admitted);
    } else {
      socket.once('close', () => admitted.gone());
      admitted.connection.start(socketTransport(socket, admitted.connection));
    }
  });
  const { address, port } = await bind(tcp, options);
  return {
    address,
    port,
    get connections() {
      return link.connections;
    },
    peers: link.peers,
    counters: link.counters,
    pause: () => link.pause(),
    resume: () => link.resume(),
    async quit() {
      const stopped = new Promise<void>((resolve) => tcp.close(() => resolve()));
      await Promise.all([stopped, new Promise<void>((resolve) => link.close(resolve))]);
    },
  };
}

/** Tells a client that there is no place for it, and closes within a second whatever it does. */
function turnAway(socket: Socket, packet: Uint8Array): void {
  const cancel = nodeTimer.set(() => socket.destroy(), TURN_AWAY_MS);
  socket.on('error', () => undefined);
  socket.once('close', cancel);
  socket.resume();
  socket.end(packet);
}

function bind(tcp: Server, options: ListenOptions): Promise<AddressInfo> {
  const port = options.port ?? SERVER_PORT;
  return new Promise((resolve, fail) => {
    tcp.once('error', (error) => {
      const where = `${options.host ?? '*'} port ${port}`;
      fail(new QstpError('listen_failed', `cannot listen on ${where}: ${error.message}`));
    });
    tcp.listen({ port, ...(options.host === undefined ? {} : { host: options.host }) }, () => {
      tcp.on('error', () => undefined);
      resolve(tcp.address() as AddressInfo);
    });
  });
}
