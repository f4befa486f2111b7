// What a link that stays is opened with on any engine that has processes and files: Node's and Deno's `openLink`.

import { WITH_REVOCATION, WITH_SUCCESSION } from '../features.ts';
import { QstpError } from '../error.ts';
import type { RootCertificate, ServerCertificate } from '../cert/certificate.ts';
import type { Provider } from '../crypto/provider.ts';
import type { Storage } from '../platform.ts';
import type { ClientOptions } from '../session/client.ts';
import type { ClientExtensions, ClientTrust } from './client.ts';
import type { Deadlines } from './connection-settings.ts';
import type { QueueOptions } from './exactly-once.ts';
import type { LinkEvents } from './link-settings.ts';
import type { BackoffOptions } from './reconnect.ts';
import { openTrust } from './trust-store.ts';
import type { TrustStore } from './trust-store.ts';
import { openWallet } from './wallet.ts';
import type { Wallet } from './wallet.ts';

export interface StandingOptions extends ClientExtensions, ClientTrust, Deadlines, BackoffOptions {
  /** The trust anchor it begins with. */
  readonly root: RootCertificate;
  /** The servers' certificate, from out of band: QSTP pins it. Those that follow come through the tunnel (X8). */
  readonly server: ServerCertificate;
  /**
   * Where tickets, and what was heard of trust, outlive the process. One link at a time uses it. Default: nowhere.
   */
  readonly storage?: Storage | null;
  /** Told in one line of a storage that fails or has a damaged record, of what is new in trust, of what ends soon. */
  readonly report?: (line: string) => void;
  /** How long a TCP connection may take, milliseconds. Default 15,000. */
  readonly connectTimeoutMs?: number;
  /** Least time between two full handshakes, milliseconds. Default 0. */
  readonly fullHandshakeMinMs?: number;
  /**
   * Keeps messages until they are delivered, and sends them again after a resumption. It does not outlive the
   * process, so it excludes `storage`. Default: none is kept.
   */
  readonly queue?: QueueOptions;
  /** Default: native where the engine has it, else our kernels (`micro`). */
  readonly provider?: Provider;
  /** Signatures found good before. */
  readonly verified?: ClientOptions['verified'];
}

/** Wallet and trust of a link, over its storage. Throws `endpoint_invalid`, `invalid_input` for what excludes itself. */
export function openStanding(
  options: StandingOptions,
  endpoints: number,
): { readonly wallet: Wallet | null; readonly trust?: TrustStore } {
  const { root, server, extensions } = options;
  const storage = options.storage ?? null;
  const report = options.report === undefined ? {} : { report: options.report };
  if (endpoints === 0) throw new QstpError('endpoint_invalid', 'a link needs at least one endpoint');
  if (options.queue !== undefined && storage !== null) {
    throw new QstpError(
      'invalid_input',
      'a queue is lost with the process, tickets in a storage are not: choose one of them',
    );
  }
  const wallet =
    options.wallet === undefined ? openWallet({ serial: server.serial, storage, ...report }) : options.wallet;
  const follows = (WITH_REVOCATION || WITH_SUCCESSION) && extensions !== 'never';
  if (!follows) return { wallet };
  return { wallet, trust: options.trust ?? openTrust({ root, server, storage, ...report }) };
}

/** Events of which `report` gets the lines about trust, where nobody else takes them. */
export function reportTrust(options: StandingOptions, events: LinkEvents): LinkEvents {
  const { report } = options;
  return events.trust !== undefined || report === undefined ? events : { ...events, trust: report };
}
