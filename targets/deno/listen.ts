// A server over TCP. Deno Deploy has no listening sockets: this needs the Deno command.

import { SERVER_PORT } from '../../src/params.ts';
import { QstpError } from '../../src/error.ts';
import { profileLimits } from '../../src/profile.ts';
import { createExecutor } from '../../src/link/executor.ts';
import { requireOwnArrays } from '../../src/pool/pool.ts';
import { createServerLink } from '../../src/link/server.ts';
import type { Peer, ServerEvents, ServerLink, ServerLinkOptions } from '../../src/link/server.ts';
import { createTickets, memoryTicketStore } from '../../src/link/ticket-store.ts';
import type { Tickets } from '../../src/link/ticket-store.ts';
import { connTransport, defer, denoClock, denoRandom, denoTimer } from './platform.ts';
import { denoRecords } from './records.ts';
import { createTunnel } from './tunnel.ts';
import type { Tunnel } from './tunnel.ts';

export interface ListenOptions extends ServerLinkOptions {
  /** Address to bind. Default: all. */
  readonly hostname?: string;
  /** Default 32119; 0 takes a free one. */
  readonly port?: number;
  /** Where tickets are kept. Default: in memory, until the server ends; null: nowhere. */
  readonly tickets?: ServerLinkOptions['tickets'];
  /** Ends the server, as `quit` does. */
  readonly signal?: AbortSignal;
}

/** Disposing of it waits for `quit`. */
export interface QstpServer
  extends Pick<ServerLink, 'connections' | 'counters' | 'pause' | 'resume'>, AsyncDisposable {
  readonly hostname: string;
  readonly port: number;
  /** Sends every client a close notice, closes, and resolves when nothing is left; again is as good. */
  quit(): Promise<void>;
}

const TURN_AWAY_MS = 1000;
const TICKET_KEY_BYTES = 32;
/** Expired tickets are refused anyway: sweeping saves room only. */
const SWEEP_MS = 3600000;
const ACCEPT_AGAIN_MS = 100;

/** Starts a server that hands each client over as a tunnel. Throws `listen_failed`; `aborted` if the signal was. */
export function listenQstp(
  options: ListenOptions,
  onTunnel: (tunnel: Tunnel, peer: Peer) => void,
  refused?: ServerEvents['refused'],
): QstpServer {
  if (options.queue !== undefined) {
    throw new QstpError(
      'invalid_input',
      'a tunnel is a stream, whose chunks are not kept: take "queue" away, or use a Node server',
    );
  }
  const { signal } = options;
  if (signal?.aborted === true) throw new QstpError('aborted', 'aborted by this end');
  const platform = {
    random: denoRandom,
    timer: denoTimer,
    clock: denoClock,
    execute: createExecutor(defer),
    engine: denoRecords,
  };
  const tickets = options.tickets === undefined ? memoryTickets() : options.tickets;
  requireOwnArrays(options.pool);
  const link = createServerLink({ ...profileLimits(), ...options, tickets }, platform, {
    connected(peer) {
      const { tunnel, events } = createTunnel(peer.connection);
      onTunnel(tunnel, peer);
      return events;
    },
    ...(refused === undefined ? {} : { refused }),
  });
  const listener = bind(options);
  const accepting = acceptAll(listener, link);
  const stopSweeping = tickets === null ? () => undefined : sweep(tickets);
  const end = async (): Promise<void> => {
    signal?.removeEventListener('abort', quit);
    stopSweeping();
    listener.close();
    await new Promise<void>((resolve) => link.close(resolve));
    await accepting;
  };
  let ended: Promise<void> | null = null;
  const quit = (): Promise<void> => (ended ??= end());
  signal?.addEventListener('abort', quit);
  return {
    hostname: listener.addr.hostname,
    port: listener.addr.port,
    get connections() {
      return link.connections;
    },
    counters: link.counters,
    pause: () => link.pause(),
    resume: () => link.resume(),
    quit,
    [Symbol.asyncDispose]: quit,
  };
}

/** Tickets that are gone with the process. */
function memoryTickets(): Tickets {
  const key = new Uint8Array(TICKET_KEY_BYTES);
  denoRandom(key);
  return createTickets(memoryTicketStore(), key, denoRandom);
}

/** Removes expired tickets every so often, without keeping the process alive for it. Returns what stops it. */
function sweep(tickets: Tickets): () => void {
  const handle = setInterval(() => tickets.sweep(denoClock.now(), () => undefined), SWEEP_MS);
  Deno.unrefTimer(handle as unknown as number);
  return () => clearInterval(handle);
}

function bind(options: ListenOptions): Deno.TcpListener {
  const port = options.port ?? SERVER_PORT;
  const { hostname } = options;
  try {
    return Deno.listen({ port, ...(hostname === undefined ? {} : { hostname }) });
  } catch (error) {
    const where = `${hostname ?? '*'} port ${port}`;
    throw new QstpError('listen_failed', `cannot listen on ${where}: ${(error as Error).message}`);
  }
}

/** Accepts until the listener is closed. Out of file descriptors, it waits for some to come back. */
async function acceptAll(listener: Deno.TcpListener, link: ServerLink): Promise<void> {
  for (;;) {
    try {
      accept(await listener.accept(), link);
    } catch (error) {
      if (error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted) return;
      await new Promise<void>((resolve) => void denoTimer.set(resolve, ACCEPT_AGAIN_MS));
    }
  }
}

function accept(conn: Deno.TcpConn, link: ServerLink): void {
  const { hostname, port } = conn.remoteAddr;
  const admitted = link.accept(hostname, port);
  if (admitted instanceof Uint8Array) {
    // Closing at once, with the request unread, would turn the answer into a reset.
    conn
      .write(admitted)
      .then(() => conn.closeWrite())
      .catch(() => undefined)
      .finally(() => denoTimer.set(() => conn.close(), TURN_AWAY_MS));
    return;
  }
  const { connection } = admitted;
  connection.start(
    connTransport(conn, {
      data: (bytes) => connection.data(bytes),
      drain: () => connection.drain(),
      gone(error) {
        connection.gone(error);
        admitted.gone();
      },
    }),
  );
}
