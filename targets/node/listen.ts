// A server over TCP: many connections, several certificates, pause, resume and quit.

import { createServer as createTcpServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { SERVER_PORT } from '../../src/params.ts';
import { QstpError } from '../../src/error.ts';
import type { Reject } from '../../src/error.ts';
import { equal } from '../../src/bytes.ts';
import { createAdmission } from '../../src/link/admission.ts';
import type { AdmissionOptions } from '../../src/link/admission.ts';
import { createConnection } from '../../src/link/connection.ts';
import type { Connection, ConnectionEvents } from '../../src/link/connection.ts';
import type { Clock } from '../../src/platform.ts';
import { createServer } from '../../src/session/server.ts';
import type { ServerIdentity } from '../../src/session/server.ts';
import { createSession } from '../../src/session/session.ts';
import { encodeError } from '../../src/wire/messages.ts';
import { createExecutor, nodeClock, nodeRandom, nodeTimer, socketTransport } from './platform.ts';

export interface ListenOptions extends AdmissionOptions {
  /** One or more certificates with their keys; the client's request names one by its serial. */
  readonly identities: readonly ServerIdentity[];
  /** Address to bind. Default: all, IPv6 and IPv4. */
  readonly host?: string;
  /** Default 32119; 0 takes a free one. */
  readonly port?: number;
  readonly handshakeDeadlineMs?: number;
  readonly idleTimeoutMs?: number;
  readonly clock?: Clock;
}

/** One client of a server. */
export interface Peer {
  /** Counts up from 1 for the life of the server. */
  readonly id: number;
  readonly address: string;
  readonly port: number;
  readonly connection: Connection;
}

export interface ServerEvents {
  /** A client finished its handshake. Returns what its messages and its end are told to. */
  connected(peer: Peer): Pick<ConnectionEvents, 'message' | 'drain' | 'closed'>;
  /** A client was refused or failed before it was connected. */
  refused?(peer: Pick<Peer, 'id' | 'address' | 'port'>, why: Reject): void;
}

export interface QstpServer {
  readonly address: string;
  readonly port: number;
  /** Connections at present, unfinished handshakes included. */
  readonly connections: number;
  readonly peers: ReadonlySet<Peer>;
  /** Counters since the start: connected, refused, and every reason of an end by its name. */
  readonly counters: Readonly<Record<string, number>>;
  /** Refuses new clients; live tunnels go on. */
  pause(): void;
  resume(): void;
  /** Sends every client a close notice, closes, and resolves when nothing is left. */
  quit(): Promise<void>;
}

const TURN_AWAY_MS = 1000;

/** Starts a server. Rejects with `listen_failed` if the address cannot be bound. */
export function listen(options: ListenOptions, events: ServerEvents): Promise<QstpServer> {
  if (options.identities.length === 0) {
    throw new QstpError('no_identity', 'a server needs at least one certificate with its key');
  }
  const admission = createAdmission(options);
  const execute = createExecutor();
  const clock = options.clock ?? nodeClock;
  const peers = new Set<Peer>();
  const live = new Set<Connection>();
  const counters: Record<string, number> = { connected: 0, refused: 0 };
  let lastId = 0;
  let lastGone: (() => void) | null = null;

  const count = (name: string): void => {
    counters[name] = (counters[name] ?? 0) + 1;
  };

  const identify = (serial: Uint8Array): ServerIdentity | null => {
    let found: ServerIdentity | null = null;
    for (const identity of options.identities) {
      if (equal(identity.certificate.serial, serial)) found = identity;
    }
    return found;
  };

  const accept = (socket: Socket): void => {
    const id = ++lastId;
    const address = socket.remoteAddress ?? 'unknown';
    const port = socket.remotePort ?? 0;
    const refuse = (why: Reject): void => {
      count('refused');
      count(why.reason);
      events.refused?.({ id, address, port }, why);
    };
    const full = admission.enter(address);
    if (full !== null) {
      refuse(full);
      turnAway(socket, encodeError(full.code, clock.now()));
      return;
    }
    let told: ReturnType<ServerEvents['connected']> | null = null;
    const session = createSession(createServer({ identify, random: nodeRandom }));
    const connection = createConnection(
      { session, timer: nodeTimer, clock, execute, ...deadlines(options) },
      {
        established() {
          admission.handshakeOver(address);
          count('connected');
          peers.add(peer);
          told = events.connected(peer);
        },
        message: (bytes) => told?.message?.(bytes),
        drain: () => told?.drain?.(),
        closed(why) {
          if (told === null) {
            admission.handshakeOver(address);
            refuse(why);
          } else {
            count(why.reason);
            peers.delete(peer);
            told.closed?.(why);
          }
        },
      },
    );
    const peer: Peer = { id, address, port, connection };
    live.add(connection);
    socket.once('close', () => {
      admission.leave();
      live.delete(connection);
      if (live.size === 0) lastGone?.();
    });
    connection.start(socketTransport(socket, connection));
  };

  const tcp = createTcpServer(accept);
  return bind(tcp, options).then((bound) => ({
    address: bound.address,
    port: bound.port,
    get connections() {
      return admission.connections;
    },
    peers,
    counters,
    pause: () => admission.pause(),
    resume: () => admission.resume(),
    async quit() {
      admission.pause();
      const stopped = new Promise<void>((resolve) => tcp.close(() => resolve()));
      // A socket's own close comes after the listener's.
      const drained = new Promise<void>((resolve) => {
        lastGone = resolve;
        if (live.size === 0) resolve();
      });
      for (const connection of live) connection.close();
      await Promise.all([stopped, drained]);
    },
  }));
}

/** Tells a client that there is no place for it, and closes within a second whatever it does. */
function turnAway(socket: Socket, packet: Uint8Array): void {
  const cancel = nodeTimer.set(() => socket.destroy(), TURN_AWAY_MS);
  socket.on('error', () => undefined);
  socket.once('close', cancel);
  socket.resume();
  socket.end(packet);
}

function deadlines(
  options: ListenOptions,
): Partial<Pick<ListenOptions, 'handshakeDeadlineMs' | 'idleTimeoutMs'>> {
  const { handshakeDeadlineMs, idleTimeoutMs } = options;
  return {
    ...(handshakeDeadlineMs === undefined ? {} : { handshakeDeadlineMs }),
    ...(idleTimeoutMs === undefined ? {} : { idleTimeoutMs }),
  };
}

function bind(tcp: Server, options: ListenOptions): Promise<AddressInfo> {
  const port = options.port ?? SERVER_PORT;
  return new Promise((resolve, fail) => {
    tcp.once('error', (error) => {
      fail(
        new QstpError(
          'listen_failed',
          `cannot listen on ${options.host ?? '*'} port ${port}: ${error.message}`,
        ),
      );
    });
    tcp.listen({ port, ...(options.host === undefined ? {} : { host: options.host }) }, () => {
      tcp.on('error', () => undefined);
      resolve(tcp.address() as AddressInfo);
    });
  });
}
