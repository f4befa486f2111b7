// A client tunnel over TCP.

import { HANDSHAKE_DEADLINE_MS } from '../../src/params.ts';
import { ErrorCode, QstpError, reject } from '../../src/error.ts';
import type { RootCertificate, ServerCertificate } from '../../src/cert/certificate.ts';
import type { Provider } from '../../src/crypto/provider.ts';
import { createConnection } from '../../src/link/connection.ts';
import type { Connection, Deadlines } from '../../src/link/connection.ts';
import { clientSession } from '../../src/link/client.ts';
import type { ClientExtensions, ClientTrust } from '../../src/link/client.ts';
import { createTurn, turnFailed, turnPair, turnTicket, turnWorked } from '../../src/link/turn.ts';
import type { ClientOptions } from '../../src/session/client.ts';
import { profileLimits } from '../../src/profile.ts';
import { denoConnector } from './connector.ts';
import type { Endpoint } from './connector.ts';
import { denoClock, denoExecutor, denoRandom, denoTimer } from './platform.ts';
import { denoProvider } from './provider.ts';
import { clientPool } from './records.ts';
import { createTunnel } from './tunnel.ts';
import type { Tunnel } from './tunnel.ts';

export interface ConnectOptions extends Endpoint, Deadlines, ClientExtensions, ClientTrust {
  /** The trust anchor. */
  readonly root: RootCertificate;
  /** The server's certificate, from out of band: QSTP pins it. */
  readonly server: ServerCertificate;
  /** Default: native where Deno has it, else our kernels (`micro`). */
  readonly provider?: Provider;
  /** Signatures found good before. */
  readonly verified?: ClientOptions['verified'];
  /** Gives up connecting, or closes the tunnel. */
  readonly signal?: AbortSignal;
}

const ABORTED = /* @__PURE__ */ reject('aborted', ErrorCode.none, 'aborted by this end');

/**
 * Connects and resolves with the tunnel, or rejects with a QstpError whose `code` is the reason. With a `wallet`, it
 * resumes by ticket; tickets that are refused cost a round trip each, then a full handshake follows.
 */
export function connectQstp(options: ConnectOptions): Promise<Tunnel> {
  const { root, verified, signal } = options;
  const crypto = (options.provider ?? denoProvider()).suite(root.suite.id);
  const limits = profileLimits();
  const turn = createTurn({ ...limits, ...options, crypto, random: denoRandom, pool: clientPool() });
  const settings = { ...limits, ...options, timer: denoTimer, clock: denoClock, execute: denoExecutor };
  const connector = denoConnector([options], options.handshakeDeadlineMs ?? HANDSHAKE_DEADLINE_MS);
  const now = (): number => denoClock.now();
  return new Promise((resolve, fail) => {
    let facade: ReturnType<typeof createTunnel> | null = null;
    let connection: Connection;
    const abort = (): void => connection.fail(ABORTED);
    const attempt = (): void => {
      const chosen = turnPair(turn, now());
      const pair = 'reason' in chosen ? turn.pair : chosen;
      const before = pair.server === options.server ? verified : undefined;
      const session = clientSession(turn.side, turnTicket(turn, now()), before, now, pair);
      let cancel: (() => void) | null = null;
      const made = createConnection(session, settings, {
        established() {
          turnWorked(turn);
          facade = createTunnel(made);
          resolve(facade.tunnel);
        },
        message: (bytes) => facade!.events.message(bytes),
        drain: () => facade?.events.drain(),
        closed(why) {
          cancel?.();
          if (turnFailed(turn, why, facade === null && why !== ABORTED)) {
            attempt();
            return;
          }
          signal?.removeEventListener('abort', abort);
          if (facade === null) fail(new QstpError(why.reason, why.detail));
          else facade.events.closed(why);
        },
      });
      connection = made;
      cancel = connector.open(0, (bind, problem) => {
        cancel = null;
        if (bind === null) made.fail(reject('connect_failed', ErrorCode.connectFailure, problem));
        else made.start(bind(made));
      });
      // Told as every end is: after this returned.
      if ('reason' in chosen) denoTimer.set(() => made.fail(chosen), 0);
    };
    if (signal?.aborted === true) {
      fail(new QstpError(ABORTED.reason, ABORTED.detail));
      return;
    }
    signal?.addEventListener('abort', abort);
    attempt();
  });
}
