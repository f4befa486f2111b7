// The server's side of forwards: carries out what clients ask for, if it is allowed.

import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { ErrorCode, reject } from '../../../src/error.ts';
import type { Reject } from '../../../src/error.ts';
import type { ConnectionEvents } from '../../../src/link/connection.ts';
import type { Peer } from '../listen.ts';
import { nodeTimer } from '../platform.ts';
import { openSocket } from './open-socket.ts';
import { pump } from './pump.ts';
import type { Pump } from './pump.ts';
import {
  FORWARD_WAIT_MS,
  formatEndpoint,
  forwardMessage,
  forwardText,
  ForwardType,
  parseEndpoint,
} from './records.ts';
import type { Endpoint } from './records.ts';

export interface ForwardPolicy {
  /** Targets clients may have connected to (-L). */
  readonly connect: readonly Endpoint[];
  /** Local addresses clients may have listened on (-R). */
  readonly listen: readonly Endpoint[];
}

/** Told what happens, in a line; `why` if it is the end of a tunnel. */
export type ForwardLog = (line: string, why?: Reject) => void;

export interface ForwardServer {
  /** What a new client's messages and end go to: pass it on from `ServerEvents.connected`. */
  accept(peer: Peer): Pick<ConnectionEvents, 'message' | 'drain' | 'closed'>;
  /** The addresses in use for -R. */
  readonly listening: readonly Endpoint[];
  /** Stops all listeners and the streams that wait. */
  close(): void;
}

/** A local port offered by clients: sockets that wait for a tunnel, or tunnels that wait for a socket. */
/** A connection that came before there was a tunnel for it. */
interface Waiting {
  readonly socket: Socket;
  /** Stops the clock that would close it. */
  readonly keep: () => void;
}

interface Port {
  readonly tcp: Server;
  readonly bound: Endpoint;
  readonly sockets: Waiting[];
  readonly tunnels: Client[];
}

interface Client {
  readonly peer: Peer;
  stream: Pump | null;
  port: Port | null;
}

/** Ports held open for clients, which QSTP 1.4 does not authenticate. */
const PORTS_MAX = 64;

/** `waitMs`: how long a connection to a port waits for a tunnel. */
export function createForwardServer(
  policy: ForwardPolicy | ((peer: Peer) => ForwardPolicy),
  log: ForwardLog,
  waitMs: number = FORWARD_WAIT_MS,
): ForwardServer {
  const ports = new Map<string, Promise<Port>>();
  const bound: Endpoint[] = [];

  const say = (client: Client, line: string): void => log(`client ${client.peer.id}: ${line}`);

  const allowed = (list: readonly Endpoint[], wanted: Endpoint): boolean =>
    list.some((e) => e.host === wanted.host && (e.port === wanted.port || e.port === 0));

  const refuse = (client: Client, why: string): void => {
    say(client, `refused: ${why}`);
    const { connection } = client.peer;
    if (connection.session.state !== 'established') return;
    connection.send(forwardMessage(ForwardType.refused, why));
    connection.fail(reject('forward_refused', ErrorCode.invalidRequest, why));
  };

  const begin = (client: Client, socket: Socket): void => {
    client.stream = pump(client.peer.connection, socket);
    // Whatever came while nobody read is in the socket's buffer.
    socket.resume();
  };

  const connectTo = (client: Client, target: Endpoint): void => {
    openSocket(
      target,
      (socket) => {
        const { connection } = client.peer;
        if (connection.session.state !== 'established') {
          socket.destroy();
          return;
        }
        say(client, `connected to ${formatEndpoint(target)}`);
        connection.send(forwardMessage(ForwardType.ok, formatEndpoint(target)));
        begin(client, socket);
      },
      (problem) => refuse(client, problem),
    );
  };

  const pair = (client: Client, socket: Socket): void => {
    client.port = null;
    say(client, `stream from ${socket.remoteAddress} port ${socket.remotePort}`);
    client.peer.connection.send(forwardMessage(ForwardType.open));
    begin(client, socket);
  };

  const openPort = (wanted: Endpoint): Promise<Port> =>
    new Promise((resolve, fail) => {
      const sockets: Waiting[] = [];
      const tunnels: Client[] = [];
      const tcp = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
        socket.on('error', () => undefined);
        // The newest: an older one may be of a link that died without a word.
        const tunnel = tunnels.pop();
        if (tunnel !== undefined) {
          pair(tunnel, socket);
          return;
        }
        const keep = nodeTimer.set(() => socket.destroy(), waitMs);
        const waiting = { socket, keep };
        sockets.push(waiting);
        socket.once('close', () => {
          keep();
          const at = sockets.indexOf(waiting);
          if (at >= 0) sockets.splice(at, 1);
        });
      });
      tcp.once('error', fail);
      tcp.listen({ ...wanted }, () => {
        const { address, port } = tcp.address() as AddressInfo;
        const endpoint = { host: address, port };
        bound.push(endpoint);
        resolve({ tcp, bound: endpoint, sockets, tunnels });
      });
    });

  const listenOn = async (client: Client, wanted: Endpoint): Promise<void> => {
    const name = formatEndpoint(wanted);
    let port: Port;
    try {
      let opening = ports.get(name);
      if (opening === undefined) {
        if (ports.size >= PORTS_MAX) throw new Error(`${PORTS_MAX} ports are open already`);
        opening = openPort(wanted);
        ports.set(name, opening);
      }
      port = await opening;
    } catch (error) {
      ports.delete(name);
      refuse(client, `cannot listen on ${name}: ${(error as Error).message}`);
      return;
    }
    const { connection } = client.peer;
    if (connection.session.state !== 'established') return;
    connection.send(forwardMessage(ForwardType.ok, formatEndpoint(port.bound)));
    const waiting = port.sockets.shift();
    if (waiting !== undefined) {
      waiting.keep();
      pair(client, waiting.socket);
    } else {
      say(client, `waits for a stream on ${formatEndpoint(port.bound)}`);
      client.port = port;
      port.tunnels.push(client);
    }
  };

  const request = (client: Client, message: Uint8Array): void => {
    const type = message[0];
    if (type !== ForwardType.connect && type !== ForwardType.listen) {
      refuse(client, 'a forward begins with a request to connect or listen: use `qstp forward`');
      return;
    }
    let endpoint: Endpoint;
    try {
      endpoint = parseEndpoint(forwardText(message));
    } catch (error) {
      refuse(client, (error as Error).message);
      return;
    }
    const name = formatEndpoint(endpoint);
    const { connect, listen } = typeof policy === 'function' ? policy(client.peer) : policy;
    if (type === ForwardType.connect) {
      if (allowed(connect, endpoint)) connectTo(client, endpoint);
      else refuse(client, `connecting to ${name} is not allowed here: serve with --allow-connect ${name}`);
    } else if (allowed(listen, endpoint)) {
      void listenOn(client, endpoint);
    } else {
      refuse(client, `listening on ${name} is not allowed here: serve with --allow-listen ${name}`);
    }
  };

  return {
    listening: bound,
    accept(peer) {
      const client: Client = { peer, stream: null, port: null };
      let asked = false;
      return {
        message(message) {
          if (client.stream !== null) client.stream.message(message);
          else if (asked) refuse(client, 'a message came before the stream began');
          else {
            asked = true;
            request(client, message);
          }
        },
        drain: () => client.stream?.drain(),
        closed(why) {
          client.stream?.closed(why);
          const waiting = client.port?.tunnels;
          if (waiting !== undefined) waiting.splice(waiting.indexOf(client), 1);
          say(client, why.detail);
        },
      };
    },
    close() {
      for (const opening of ports.values()) {
        opening.then(
          (port) => {
            port.tcp.close();
            for (const { socket } of [...port.sockets]) socket.destroy();
          },
          () => undefined,
        );
      }
    },
  };
}
