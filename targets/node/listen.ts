// A server over TCP: many connections, several certificates, pause, resume and quit.

import { createServer as createTcpServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { SERVER_PORT } from '../../src/params.ts';
import { QstpError } from '../../src/error.ts';
import { profileLimits } from '../../src/profile.ts';
import { createExecutor } from '../../src/link/executor.ts';
import { requireOwnArrays } from '../../src/pool/pool.ts';
import { createServerLink } from '../../src/link/server.ts';
import type { ServerEvents, ServerLink, ServerLinkOptions } from '../../src/link/server.ts';
import type { Tickets } from '../../src/link/ticket-store.ts';
import type { Clock } from '../../src/platform.ts';
import { nodeClock, nodeRandom, nodeRoom, nodeTimer, socketTransport } from './platform.ts';
import { nodeRecords } from './records.ts';
import { folderTickets, memoryTickets, sweepTickets } from './tickets.ts';

export type { Peer, ServerEvents } from '../../src/link/server.ts';

export interface ListenOptions extends ServerLinkOptions {
  /** Address to bind. Default: all, IPv6 and IPv4. */
  readonly host?: string;
  /** Default 32119; 0 takes a free one. */
  readonly port?: number;
  /** Where tickets are kept. Default: in memory, until the server ends; null: nowhere. */
  readonly tickets?: ServerLinkOptions['tickets'];
  /** Keeps tickets in this folder instead, so that clients resume after a restart: see `folderTickets`. */
  readonly ticketFolder?: string;
  /** The key that seals them. Default: the folder's name and `.key`. */
  readonly ticketKeyFile?: string;
  /** Told in one line of a ticket folder that fails. */
  readonly report?: (line: string) => void;
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

function ticketsOf(options: ListenOptions): Tickets | null {
  const { tickets, ticketFolder, ticketKeyFile, report } = options;
  if (tickets !== undefined) return tickets;
  if (ticketFolder === undefined) return memoryTickets();
  return folderTickets(ticketFolder, {
    ...(ticketKeyFile === undefined ? {} : { keyFile: ticketKeyFile }),
    ...(report === undefined ? {} : { report }),
  });
}

/**
 * Starts a server. Rejects with `listen_failed` if the address cannot be bound, with `storage_failed` or
 * `ticket_key` if the tickets cannot be kept where they should.
 */
export async function listen(options: ListenOptions, events: ServerEvents): Promise<QstpServer> {
  const clock = options.clock ?? nodeClock;
  const platform = {
    random: nodeRandom,
    timer: nodeTimer,
    clock,
    execute: createExecutor(setImmediate),
    engine: nodeRecords,
    room: nodeRoom,
  };
  const tickets = ticketsOf(options);
  requireOwnArrays(options.pool);
  const link = createServerLink({ ...profileLimits(), ...options, tickets }, platform, events);
  const tcp = createTcpServer((socket) => {
    const admitted = link.accept(socket.remoteAddress ?? 'unknown', socket.remotePort ?? 0);
    if (admitted instanceof Uint8Array) {
      turnAway(socket, admitted);
    } else {
      socket.on('close', () => admitted.gone());
      admitted.connection.start(socketTransport(socket, admitted.connection));
    }
  });
  const { address, port } = await bind(tcp, options);
  const stopSweeping = tickets === null ? () => undefined : sweepTickets(tickets, clock);
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
      stopSweeping();
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
