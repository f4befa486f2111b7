// The client's side of forwards: `-L` listens here and connects there, `-R` the other way round.

import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { ErrorCode, QstpError, reject } from '../../../src/error.ts';
import type { Reject } from '../../../src/error.ts';
import { createBackoff } from '../../../src/link/reconnect.ts';
import type { Connection } from '../../../src/link/connection.ts';
import { turnFailed } from '../../../src/link/turn.ts';
import type { Turn } from '../../../src/link/turn.ts';
import { openWallet } from '../../../src/link/wallet.ts';
import { dialTurn, dialTurns } from '../dial.ts';
import type { DialOptions } from '../dial.ts';
import { nodeTimer } from '../platform.ts';
import { openSocket } from './open-socket.ts';
import { pump } from './pump.ts';
import type { Pump } from './pump.ts';
import { formatEndpoint, forwardMessage, forwardText, ForwardType, refusalText } from './records.ts';
import type { Endpoint } from './records.ts';
import type { ForwardLog } from './server.ts';

export interface Forward {
  /** Where connections are taken: here with -L; there, once the server said so, with -R. */
  readonly listening: Endpoint | null;
  /** Tunnels at present. */
  readonly tunnels: ReadonlySet<Connection>;
  close(): void;
}

/** Tickets kept for the tunnels of a forward: each serves one. */
export const FORWARD_TICKETS = 16;

/** Tunnels of a forward resume by each other's tickets. */
function withWallet(options: DialOptions): DialOptions {
  if (options.wallet !== undefined) return options;
  return { ...options, wallet: openWallet({ serial: options.server.serial, max: FORWARD_TICKETS }) };
}

/** -L: listens on `local`; each connection gets a tunnel of its own, whose far end connects to `target`. */
export function forwardLocal(
  options: DialOptions,
  local: Endpoint,
  target: Endpoint,
  log: ForwardLog,
): Promise<Forward> {
  const dialled = withWallet(options);
  const tunnels = new Set<Connection>();
  const tcp = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
    let stream: Pump | null = null;
    const refused = (line: string, why?: Reject): void => {
      log(`stream from port ${socket.remotePort}: ${line}`, why);
      socket.destroy();
    };
    const turn = dialTurns(dialled);
    let closeTunnel: () => void;
    const attempt = (): void => {
      const connection = dialTurn(dialled, turn, {
        established: () => void connection.send(forwardMessage(ForwardType.connect, formatEndpoint(target))),
        message(message) {
          if (stream !== null) {
            stream.message(message);
          } else if (message[0] === ForwardType.ok) {
            log(`stream from port ${socket.remotePort}: connected to ${forwardText(message)}`);
            stream = pump(connection, socket);
            socket.resume();
          } else {
            refused(refusalText(message));
            connection.close();
          }
        },
        drain: () => stream?.drain(),
        closed(why) {
          tunnels.delete(connection);
          if (turnFailed(turn, why, stream === null && !socket.destroyed)) attempt();
          else if (stream !== null) stream.closed(why);
          else if (!socket.destroyed) refused(why.detail, why);
        },
      });
      tunnels.add(connection);
      closeTunnel = () => connection.close();
    };
    attempt();
    socket.on('error', () => undefined);
    socket.once('close', () => closeTunnel());
  });
  return new Promise((resolve, fail) => {
    tcp.once('error', (error) => {
      fail(new QstpError('listen_failed', `cannot listen on ${formatEndpoint(local)}: ${error.message}`));
    });
    tcp.listen({ ...local }, () => {
      const { address, port } = tcp.address() as AddressInfo;
      resolve({
        listening: { host: address, port },
        tunnels,
        close() {
          tcp.close();
          for (const connection of tunnels) connection.close();
        },
      });
    });
  });
}

/** Streams a server can have at once from one -R. */
const STREAMS_MAX = 256;

export interface RemoteForwardEvents {
  /** A tunnel is being made. */
  connecting?(): void;
  /** A tunnel is up, before anything is sent through it. */
  established?(connection: Connection): void;
  /** The server listens; `at` is its address there. */
  waiting?(at: string): void;
  /** A tunnel ended or could not be made; the next try comes after `retryMs`. */
  lost?(why: Reject, retryMs: number): void;
}

/**
 * -R: the server listens on `remote`; each connection made there comes out here, at `target`. One tunnel
 * always waits for the next connection; after a cut it is made anew with growing, jittered pauses.
 */
export function forwardRemote(
  options: DialOptions,
  remote: Endpoint,
  target: Endpoint,
  log: ForwardLog,
  events: RemoteForwardEvents = {},
): Forward {
  const dialled = withWallet(options);
  const tunnels = new Set<Connection>();
  const backoff = createBackoff();
  let cancelRetry: (() => void) | null = null;
  let stopped = false;
  /** Set while there are too many streams to wait for another. */
  let waitLater = false;

  const waitForStream = (): void => {
    if (!stopped) attempt(dialTurns(dialled));
  };

  const attempt = (turn: Turn): void => {
    let stream: Pump | null = null;
    let used = false;
    events.connecting?.();
    const connection = dialTurn(dialled, turn, {
      established() {
        events.established?.(connection);
        connection.send(forwardMessage(ForwardType.listen, formatEndpoint(remote)));
      },
      message(message) {
        if (stream !== null) {
          stream.message(message);
        } else if (message[0] === ForwardType.ok) {
          backoff.succeeded();
          events.waiting?.(forwardText(message));
        } else if (message[0] === ForwardType.open) {
          used = true;
          // What the far end sends is kept back until there is somewhere to put it.
          connection.pause();
          openSocket(
            target,
            (socket) => {
              log(`stream to ${formatEndpoint(target)}`);
              if (connection.session.state !== 'established') {
                socket.destroy();
                return;
              }
              stream = pump(connection, socket);
              connection.resume();
            },
            (problem) => connection.fail(reject('target_failed', ErrorCode.connectionFailure, problem)),
          );
          if (tunnels.size < STREAMS_MAX) waitForStream();
          else waitLater = true;
        } else {
          connection.fail(reject('forward_refused', ErrorCode.invalidRequest, refusalText(message)));
        }
      },
      drain: () => stream?.drain(),
      closed(why) {
        tunnels.delete(connection);
        const again = turnFailed(turn, why, !used && !stopped);
        stream?.closed(why);
        // What is tried again at once needs nobody's hand: no hint goes with it.
        if (again) log(`${why.detail}: trying again`);
        else log(why.detail, why);
        if (again) attempt(turn);
        if (waitLater) {
          waitLater = false;
          waitForStream();
        }
        if (used || stopped || again) return;
        const pause = backoff.next(Math.random());
        events.lost?.(why, pause);
        cancelRetry = nodeTimer.set(waitForStream, pause);
      },
    });
    tunnels.add(connection);
  };

  waitForStream();
  return {
    listening: null,
    tunnels,
    close() {
      stopped = true;
      cancelRetry?.();
      for (const connection of tunnels) connection.close();
    },
  };
}
