// A client tunnel over TCP.

import { HANDSHAKE_DEADLINE_MS, SERVER_PORT } from '../../src/params.ts';
import { ErrorCode, QstpError, reject } from '../../src/error.ts';
import type { RootCertificate, ServerCertificate } from '../../src/cert/certificate.ts';
import { noble } from '../../src/crypto/noble.ts';
import type { Provider } from '../../src/crypto/provider.ts';
import { createConnection } from '../../src/link/connection.ts';
import type { Deadlines } from '../../src/link/connection.ts';
import { createExecutor } from '../../src/link/executor.ts';
import { clientSession, nextTicket } from '../../src/link/client.ts';
import type { ClientExtensions } from '../../src/link/client.ts';
import type { ClientOptions } from '../../src/session/client.ts';
import { profileLimits } from '../../src/profile.ts';
import { connTransport, defer, denoClock, denoRandom, denoTimer } from './platform.ts';
import { createTunnel } from './tunnel.ts';
import type { Tunnel } from './tunnel.ts';

export interface ConnectOptions extends Deadlines, ClientExtensions {
  /** Name or address. Default localhost. */
  readonly hostname?: string;
  /** Default 32119. */
  readonly port?: number;
  /** The trust anchor. */
  readonly root: RootCertificate;
  /** The server's certificate, from out of band: QSTP pins it. */
  readonly server: ServerCertificate;
  /** Default noble. */
  readonly provider?: Provider;
  /** Signatures found good before. */
  readonly verified?: ClientOptions['verified'];
  /** Gives up connecting, or closes the tunnel. */
  readonly signal?: AbortSignal;
}

/** Connects and resolves with the tunnel, or rejects with a QstpError whose `code` is the reason. */
export function connectQstp(options: ConnectOptions): Promise<Tunnel> {
  const { root, verified, signal } = options;
  const hostname = options.hostname ?? 'localhost';
  const port = options.port ?? SERVER_PORT;
  const crypto = (options.provider ?? noble).suite(root.suite.id);
  const limits = profileLimits();
  const side = { ...limits, ...options, crypto, random: denoRandom };
  const now = (): number => denoClock.now();
  const session = clientSession(side, nextTicket(side, now()), verified, now);
  return new Promise((resolve, fail) => {
    let facade: ReturnType<typeof createTunnel> | null = null;
    const connection = createConnection(
      session,
      { ...limits, ...options, timer: denoTimer, clock: denoClock, execute: createExecutor(defer) },
      {
        established() {
          facade = createTunnel(connection);
          resolve(facade.tunnel);
        },
        message: (bytes) => facade!.events.message(bytes),
        drain: () => facade?.events.drain(),
        closed(why) {
          cancel();
          signal?.removeEventListener('abort', abort);
          if (facade === null) fail(new QstpError(why.reason, why.detail));
          else facade.events.closed(why);
        },
      },
    );
    const refuse = (problem: string): void => {
      const detail = `cannot connect to ${hostname} port ${port}: ${problem}`;
      connection.fail(reject('connect_failed', ErrorCode.connectFailure, detail));
    };
    const abort = (): void => {
      connection.fail(reject('aborted', ErrorCode.none, 'aborted by this end'));
    };
    const cancel = denoTimer.set(
      () => refuse('no answer'),
      options.handshakeDeadlineMs ?? HANDSHAKE_DEADLINE_MS,
    );
    if (signal?.aborted === true) {
      abort();
      return;
    }
    signal?.addEventListener('abort', abort);
    Deno.connect({ hostname, port }).then(
      (conn) => {
        cancel();
        if (session.state === 'closed') conn.close();
        else connection.start(connTransport(conn, connection));
      },
      (error: Error) => refuse(error.message),
    );
  });
}
