// A link that stays, over TCP: src/link/driver.ts with Deno's connections, timers and clock.

import { HANDSHAKE_DEADLINE_MS } from '../../src/params.ts';
import { QstpError } from '../../src/error.ts';
import type { RootCertificate, ServerCertificate } from '../../src/cert/certificate.ts';
import type { Provider } from '../../src/crypto/provider.ts';
import type { ClientExtensions } from '../../src/link/client.ts';
import type { Deadlines } from '../../src/link/connection.ts';
import { Link } from '../../src/link/driver.ts';
import type { LinkEvents } from '../../src/link/driver.ts';
import type { PathChooser } from '../../src/link/endpoints.ts';
import type { QueueOptions } from '../../src/link/exactly-once.ts';
import type { BackoffOptions } from '../../src/link/reconnect.ts';
import { openWallet } from '../../src/link/wallet.ts';
import type { Storage } from '../../src/platform.ts';
import type { ClientOptions } from '../../src/session/client.ts';
import { profileLimits } from '../../src/profile.ts';
import { denoConnector } from './connector.ts';
import type { Endpoint } from './connector.ts';
import { denoClock, denoExecutor, denoRandom, denoTimer } from './platform.ts';
import { denoProvider } from './provider.ts';

export interface LinkOptions extends ClientExtensions, Deadlines, BackoffOptions {
  /** The server, or several that hold the same certificate, the preferred one first. */
  readonly endpoints: Endpoint | readonly Endpoint[];
  /** The trust anchor. */
  readonly root: RootCertificate;
  /** The servers' certificate, from out of band: QSTP pins it. */
  readonly server: ServerCertificate;
  /** Where tickets outlive the process. One link at a time uses it. Default: nowhere. */
  readonly storage?: Storage | null;
  /** Told in one line of a storage that fails, or has a damaged record. */
  readonly report?: (line: string) => void;
  /** How long a TCP connection may take, milliseconds. Default 15,000. */
  readonly connectTimeoutMs?: number;
  /** Chooses among several endpoints, such as QACE. Default: in order. */
  readonly chooser?: PathChooser | null;
  /** Least time between two full handshakes, milliseconds. Default 0. */
  readonly fullHandshakeMinMs?: number;
  /**
   * Keeps messages until they are delivered, and sends them again after a resumption. It does not outlive the
   * process, so it excludes `storage`. Default: none is kept.
   */
  readonly queue?: QueueOptions;
  /** Default: native where Deno has it, else noble. */
  readonly provider?: Provider;
  /** Signatures found good before. */
  readonly verified?: ClientOptions['verified'];
  /** Stops the link. */
  readonly signal?: AbortSignal;
}

/**
 * Opens a link: it connects, resumes by ticket where it can, asks an idle server whether it lives, and comes back
 * by itself until `stop()`. The first event comes after this returns. Throws `endpoint_invalid`, and
 * `invalid_input` for a queue that is too small, or besides a storage.
 */
export function openLink(options: LinkOptions, events: LinkEvents = {}): Link {
  const { root, server, signal, report } = options;
  const list: readonly Endpoint[] = 'length' in options.endpoints ? options.endpoints : [options.endpoints];
  if (list.length === 0) throw new QstpError('endpoint_invalid', 'a link needs at least one endpoint');
  const storage = options.storage ?? null;
  if (options.queue !== undefined && (options.storage ?? null) !== null) {
    throw new QstpError(
      'invalid_input',
      'a queue is lost with the process, tickets in a storage are not: choose one of them',
    );
  }
  const wallet =
    options.wallet === undefined
      ? openWallet({ serial: server.serial, storage, ...(report === undefined ? {} : { report }) })
      : options.wallet;
  const link = new Link(
    {
      ...profileLimits(),
      ...options,
      crypto: (options.provider ?? denoProvider()).suite(root.suite.id),
      random: denoRandom,
      endpoints: list.length,
      wallet,
    },
    {
      timer: denoTimer,
      clock: denoClock,
      execute: denoExecutor,
      connector: denoConnector(list, options.connectTimeoutMs ?? HANDSHAKE_DEADLINE_MS),
      jitter: Math.random,
    },
    {
      ...events,
      state(state, why, waitMs) {
        if (state === 'stopped') signal?.removeEventListener('abort', stop);
        events.state?.(state, why, waitMs);
      },
    },
  );
  const stop = (): void => link.stop();
  signal?.addEventListener('abort', stop);
  if (signal?.aborted === true) link.stop();
  queueMicrotask(() => {
    if (link.state !== 'stopped') link.start();
  });
  return link;
}
