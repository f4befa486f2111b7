// A link that stays, over TCP: src/link/driver.ts with Node's sockets, timers and clock.

import { HANDSHAKE_DEADLINE_MS } from '../../src/params.ts';
import { QstpError } from '../../src/error.ts';
import type { RootCertificate, ServerCertificate } from '../../src/cert/certificate.ts';
import type { Provider } from '../../src/crypto/provider.ts';
import type { ClientExtensions, ClientTrust } from '../../src/link/client.ts';
import { openTrust } from '../../src/link/trust-store.ts';
import type { Deadlines } from '../../src/link/connection.ts';
import { Link } from '../../src/link/driver.ts';
import type { LinkEvents } from '../../src/link/driver.ts';
import type { PathChooser } from '../../src/link/endpoints.ts';
import type { QueueOptions } from '../../src/link/exactly-once.ts';
import type { BackoffOptions } from '../../src/link/reconnect.ts';
import { openWallet } from '../../src/link/wallet.ts';
import type { Clock, Storage } from '../../src/platform.ts';
import { createPool } from '../../src/pool/pool.ts';
import type { ClientOptions } from '../../src/session/client.ts';
import { createPathChooser, createPaths, PATH_DEFAULTS } from '../../src/qace/metrics.ts';
import { createQaceDecision } from '../../src/qace/simple.ts';
import { profileLimits } from '../../src/profile.ts';
import { nodeConnector, parseServer } from './connector.ts';
import { nodeClock, nodeExecutor, nodeRandom, nodeTimer } from './platform.ts';
import { nodeProvider } from './provider.ts';
import { nodeRecords } from './records.ts';
import { noteVerified, verifiedBefore } from './verified.ts';

export interface LinkOptions
  extends ClientExtensions, Pick<ClientTrust, 'identity'>, Deadlines, BackoffOptions {
  /**
   * The server, as `host`, `host:port`, `[IPv6]` or `[IPv6]:port` (default port 32119); or several that hold the
   * same certificate, the preferred one first.
   */
  readonly endpoints: string | readonly string[];
  /** The trust anchor. */
  readonly root: RootCertificate;
  /** The servers' certificate, from out of band: QSTP pins it. */
  readonly server: ServerCertificate;
  /** Where tickets outlive the process, such as `fileStorage(folder)`. One link at a time uses it. Default: nowhere. */
  readonly storage?: Storage | null;
  /** Told in one line of a storage that fails, or has a damaged record. */
  readonly report?: (line: string) => void;
  /** How long a TCP connection may take, milliseconds. Default 15,000. */
  readonly connectTimeoutMs?: number;
  /**
   * Chooses among several endpoints after a cut: `qace` by how each has answered keep-alives, or a chooser of your
   * own. Default: in order.
   */
  readonly chooser?: PathChooser | 'qace' | null;
  /** Least time between two full handshakes, milliseconds. Default 0. */
  readonly fullHandshakeMinMs?: number;
  /**
   * Keeps messages until they are delivered, and sends them again after a resumption. It does not outlive the
   * process, so it excludes `storage`. Default: none is kept.
   */
  readonly queue?: QueueOptions;
  /** Default: native where Node has it, else noble. */
  readonly provider?: Provider;
  /** Signatures found good before; default: those of this process with the same certificate objects. */
  readonly verified?: ClientOptions['verified'];
  readonly clock?: Clock;
}

/** An attempt may begin before the slot of the one before is free. */
const CLIENT_SLOTS = 4;

function qaceChooser(count: number): PathChooser {
  return createPathChooser(createPaths(count, PATH_DEFAULTS), createQaceDecision(count));
}

/**
 * Opens a link: it connects, resumes by ticket where it can, asks an idle server whether it lives, and comes back
 * by itself until `stop()`. The first event comes after this returns. Throws `endpoint_invalid`, and
 * `invalid_input` for a queue that is too small, or besides a storage.
 */
export function openLink(options: LinkOptions, events: LinkEvents = {}): Link {
  const { root, server } = options;
  const list = typeof options.endpoints === 'string' ? [options.endpoints] : options.endpoints;
  if (list.length === 0) throw new QstpError('endpoint_invalid', 'a link needs at least one endpoint');
  const endpoints = list.map(parseServer);
  if (options.queue !== undefined && (options.storage ?? null) !== null) {
    throw new QstpError(
      'invalid_input',
      'a queue is lost with the process, tickets in a storage are not: choose one of them',
    );
  }
  const report = options.report === undefined ? {} : { report: options.report };
  const wallet =
    options.wallet === undefined
      ? openWallet({
          serial: server.serial,
          storage: options.storage ?? null,
          ...report,
        })
      : options.wallet;
  const link = new Link(
    {
      ...profileLimits(),
      ...options,
      crypto: (options.provider ?? nodeProvider()).suite(root.suite.id),
      random: nodeRandom,
      pool: createPool({ slots: 1, maxSlots: CLIENT_SLOTS, engine: nodeRecords }),
      endpoints: endpoints.length,
      wallet,
      chooser: options.chooser === 'qace' ? qaceChooser(endpoints.length) : (options.chooser ?? null),
      verified: options.verified ?? verifiedBefore(root, server),
      ...(options.extensions === 'never'
        ? {}
        : { trust: openTrust({ root, server, storage: options.storage ?? null, ...report }) }),
    },
    {
      timer: nodeTimer,
      clock: options.clock ?? nodeClock,
      execute: nodeExecutor,
      connector: nodeConnector(endpoints, options.connectTimeoutMs ?? HANDSHAKE_DEADLINE_MS),
      jitter: Math.random,
    },
    {
      ...events,
      state(state, why, waitMs) {
        if (state === 'connected' && link.connection!.session.fullHandshake) {
          noteVerified(link.certificates.root, link.certificates.server);
        }
        events.state?.(state, why, waitMs);
      },
      trust(line) {
        if (events.trust !== undefined) events.trust(line);
        else options.report?.(line);
      },
    },
  );
  setImmediate(() => {
    if (link.state !== 'stopped') link.start();
  });
  return link;
}
