// A client connection over TCP.

import { connect } from 'node:net';
import { HANDSHAKE_DEADLINE_MS, SERVER_PORT } from '../../src/params.ts';
import { ErrorCode, QstpError, reject } from '../../src/error.ts';
import type { RootCertificate, ServerCertificate } from '../../src/cert/certificate.ts';
import { noble } from '../../src/crypto/noble.ts';
import type { Provider } from '../../src/crypto/provider.ts';
import { createConnection } from '../../src/link/connection.ts';
import { createExecutor } from '../../src/link/executor.ts';
import type { Connection, ConnectionEvents, Deadlines } from '../../src/link/connection.ts';
import type { Clock } from '../../src/platform.ts';
import { clientSession, nextTicket } from '../../src/link/client.ts';
import type { ClientExtensions } from '../../src/link/client.ts';
import type { ClientOptions } from '../../src/session/client.ts';
import { profileLimits } from '../../src/profile.ts';
import { nodeClock, nodeRandom, nodeTimer, socketTransport } from './platform.ts';

export interface DialOptions extends Deadlines, ClientExtensions {
  /** Name or address, IPv4 or IPv6. Default localhost. */
  readonly host?: string;
  /** Default 32119. */
  readonly port?: number;
  /** The trust anchor. */
  readonly root: RootCertificate;
  /** The server's certificate, from out of band: QSTP pins it. */
  readonly server: ServerCertificate;
  /** Default noble. */
  readonly provider?: Provider;
  /** Signatures found good before; default: those of this process with the same certificate objects. */
  readonly verified?: ClientOptions['verified'];
  readonly clock?: Clock;
}

/** Server certificates whose chain verified in this process: reconnecting checks all but the signatures. */
const verifiedUnder = /* @__PURE__ */ new WeakMap<ServerCertificate, RootCertificate>();
const execute = /* @__PURE__ */ createExecutor(setImmediate);

/** Connects; what follows comes through `events`: `established`, or `closed` with the reason. */
export function dial(options: DialOptions, events: ConnectionEvents): Connection {
  const { root, server } = options;
  const host = options.host ?? 'localhost';
  const port = options.port ?? SERVER_PORT;
  if (!(Number.isInteger(port) && port >= 0 && port <= 65535)) {
    throw new QstpError('endpoint_invalid', `there is no port ${port}: give 0 to 65535`);
  }
  const crypto = (options.provider ?? noble).suite(root.suite.id);
  const verified = options.verified ?? (verifiedUnder.get(server) === root ? 'chain' : 'none');
  const limits = profileLimits();
  const clock = options.clock ?? nodeClock;
  const side = { ...limits, ...options, crypto, random: nodeRandom };
  const now = (): number => clock.now();
  const session = clientSession(side, nextTicket(side, now()), verified, now);
  let connected = false;
  const connection = createConnection(
    session,
    { ...limits, ...options, timer: nodeTimer, clock, execute },
    {
      ...events,
      established() {
        if (session.fullHandshake) verifiedUnder.set(server, root);
        events.established?.();
      },
      closed(why) {
        cancel();
        if (!connected) socket.destroy();
        events.closed?.(why);
      },
    },
  );
  const refuse = (problem: string): void => {
    const detail = `cannot connect to ${host} port ${port}: ${problem}`;
    connection.fail(reject('connect_failed', ErrorCode.connectFailure, detail));
  };
  const socket = connect({ host, port });
  const cancel = nodeTimer.set(
    () => refuse('no answer'),
    options.handshakeDeadlineMs ?? HANDSHAKE_DEADLINE_MS,
  );
  const early = (error: Error): void => refuse(describe(error));
  socket.on('error', early);
  socket.once('connect', () => {
    cancel();
    socket.off('error', early);
    connected = true;
    connection.start(socketTransport(socket, connection));
  });
  return connection;
}

/** The text of a connect error; an attempt at several addresses fails with one error for each. */
function describe(error: Error & { errors?: Error[] }): string {
  const inner = error.errors ?? [error];
  return inner.map((e) => e.message).join('; ');
}
