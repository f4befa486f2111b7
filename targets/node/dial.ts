// A client connection over TCP.

import { HANDSHAKE_DEADLINE_MS, SERVER_PORT } from '../../src/params.ts';
import { ErrorCode, reject } from '../../src/error.ts';
import type { RootCertificate, ServerCertificate } from '../../src/cert/certificate.ts';
import type { Provider } from '../../src/crypto/provider.ts';
import { createConnection } from '../../src/link/connection.ts';
import type { Connection, ConnectionEvents, Deadlines } from '../../src/link/connection.ts';
import type { Clock } from '../../src/platform.ts';
import { createPool } from '../../src/pool/pool.ts';
import { clientSession } from '../../src/link/client.ts';
import type { ClientExtensions, ClientSide, ClientTrust } from '../../src/link/client.ts';
import { createTurn, turnFailed, turnPair, turnTicket, turnWorked } from '../../src/link/turn.ts';
import type { Turn } from '../../src/link/turn.ts';
import type { ClientOptions } from '../../src/session/client.ts';
import { profileLimits } from '../../src/profile.ts';
import { checkPort, nodeConnector } from './connector.ts';
import { nodeClock, nodeExecutor, nodeRandom, nodeRoom, nodeTimer } from './platform.ts';
import { nodeProvider } from './provider.ts';
import { nodeRecords } from './records.ts';
import { noteVerified, verifiedBefore } from './verified.ts';

export interface DialOptions extends Deadlines, ClientExtensions, ClientTrust {
  /** Name or address, IPv4 or IPv6. Default localhost. */
  readonly host?: string;
  /** Default 32119. */
  readonly port?: number;
  /** The trust anchor. */
  readonly root: RootCertificate;
  /** The server's certificate, from out of band: QSTP pins it. */
  readonly server: ServerCertificate;
  /** Default: native where Node has it, else our kernels (`micro`). */
  readonly provider?: Provider;
  /** Signatures found good before; default: those of this process with the same certificate objects. */
  readonly verified?: ClientOptions['verified'];
  readonly clock?: Clock;
}

/** An attempt may begin before the slot of the one before is free. */
const CLIENT_SLOTS = 4;

function clientSide(options: DialOptions): ClientSide {
  const crypto = (options.provider ?? nodeProvider()).suite(options.root.suite.id);
  const pool = createPool({ slots: 1, maxSlots: CLIENT_SLOTS, engine: nodeRecords });
  return { ...profileLimits(), ...options, crypto, random: nodeRandom, pool };
}

/** What a connection that may take several attempts (dialTurn) has to remember. */
export function dialTurns(options: DialOptions): Turn {
  return createTurn(clientSide(options));
}

/**
 * Connects, with a ticket of `options.wallet` if there is one; what follows comes through `events`:
 * `established`, or `closed` with the reason. This is one attempt: `connectQstp` falls back to a full handshake
 * where a ticket is refused.
 */
export function dial(options: DialOptions, events: ConnectionEvents): Connection {
  const turn = dialTurns(options);
  return dialTurn(options, turn, {
    ...events,
    closed(why) {
      turnFailed(turn, why, false);
      events.closed?.(why);
    },
  });
}

/** The next attempt of a turn. When it is closed, `turnFailed` must be asked whether to make another. */
export function dialTurn(options: DialOptions, turn: Turn, events: ConnectionEvents): Connection {
  const port = options.port ?? SERVER_PORT;
  checkPort(port);
  const clock = options.clock ?? nodeClock;
  const now = (): number => clock.now();
  const chosen = turnPair(turn, now());
  const pair = 'reason' in chosen ? turn.pair : chosen;
  const { root, server } = pair;
  const stated = server === options.server ? options.verified : undefined;
  const verified = stated ?? verifiedBefore(root, server);
  const session = clientSession(turn.side, turnTicket(turn, now()), verified, now, pair);
  let cancel: (() => void) | null = null;
  const connection = createConnection(
    session,
    { ...profileLimits(), ...options, timer: nodeTimer, clock, execute: nodeExecutor, room: nodeRoom },
    {
      ...events,
      established() {
        turnWorked(turn);
        if (session.fullHandshake) noteVerified(root, server);
        events.established?.();
      },
      closed(why) {
        cancel?.();
        events.closed?.(why);
      },
    },
  );
  const timeoutMs = options.handshakeDeadlineMs ?? HANDSHAKE_DEADLINE_MS;
  const connector = nodeConnector([{ host: options.host ?? 'localhost', port }], timeoutMs);
  cancel = connector.open(0, (bind, problem) => {
    cancel = null;
    if (bind === null) connection.fail(reject('connect_failed', ErrorCode.connectFailure, problem));
    else connection.start(bind(connection));
  });
  if ('reason' in chosen) {
    // Told as every end is: after this returned.
    nodeTimer.set(() => connection.fail(chosen), 0);
  }
  return connection;
}
