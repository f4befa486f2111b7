// The part of a link that chooses whom to trust (X7, X8): the certificates of the next connection, what a handshake
// proves of them, and the notice that they end soon.

import { WITH_REVOCATION, WITH_SUCCESSION } from '../features.ts';
import { DAY_SECONDS } from '../params.ts';
import type { Reject } from '../error.ts';
import type { ServerCertificate } from '../cert/certificate.ts';
import type { ClientOptions } from '../session/client.ts';
import { isRevocation, sendHoldings } from '../session/trust.ts';
import type { Connection } from './connection.ts';
import { createClientChain, earliestTime } from './client.ts';
import { KeepingLink } from './keeping.ts';
import type { LinkEvents, LinkOptions, LinkPlatform } from './link-settings.ts';
import { blamesCertificates, expiryNotice } from './trust.ts';
import type { TrustEvents } from './trust.ts';
import { trustConfirmed, trustFailed, trustFollowed, trustPair } from './trust-pair.ts';
import type { TrustedPair } from './trust-pair.ts';
import { walletClear } from './wallet.ts';

const WITH_TRUST = WITH_REVOCATION || WITH_SUCCESSION;

export abstract class TrustingLink extends KeepingLink {
  protected options: LinkOptions;
  protected readonly platform: LinkPlatform;
  /** The certificates of the attempt under way. */
  protected pair: TrustedPair;
  private verified: ClientOptions['verified'];
  /** Whose signatures `verified` is about. */
  private verifiedServer: ServerCertificate;
  private notice: string | null = null;

  constructor(options: LinkOptions, platform: LinkPlatform, events: LinkEvents) {
    super(options.queue, events);
    this.options = {
      ...options,
      chain: options.chain ?? createClientChain(),
      trustEvents: this.trustEvents(),
    };
    this.platform = platform;
    this.pair = options;
    this.verified = options.verified;
    this.verifiedServer = options.server;
  }

  protected trustEvents(): TrustEvents {
    return {
      kept: (what) => {
        this.metrics.trustTaken++;
        this.sayTrust(`a ${what} was taken`);
        this.warn();
      },
      refused: (why) => {
        this.metrics.trustRefused++;
        this.sayTrust(`refused, ${why.reason}: ${why.detail}`);
      },
    };
  }

  /** The certificates of the connection, or of the one to come. */
  get certificates(): TrustedPair {
    return this.pair;
  }

  protected sayTrust(line: string): void {
    if (this.events.trust !== undefined) this.events.trust(line);
  }

  /** The certificates for the next connection; or why there are none. */
  protected choosePair(now: number): TrustedPair | Reject {
    const { trust } = this.options;
    if (!WITH_TRUST || trust === undefined) return this.options;
    return trustPair(trust, earliestTime(this.options, now));
  }

  /** Says what is held, once a day, on a connection that lasts. */
  protected askAgain(connection: Connection): void {
    const { trust, chain } = this.options;
    if (!WITH_TRUST || trust === undefined) return;
    if (this.platform.clock.now() - chain!.askedAt < DAY_SECONDS) return;
    connection.control((now) => sendHoldings(connection.session, false, now));
  }

  /** A full handshake went through with the pair under way. */
  protected confirm(): void {
    const { trust } = this.options;
    this.verified = 'chain';
    this.verifiedServer = this.pair.server;
    if (WITH_TRUST && trust !== undefined) trustConfirmed(trust, this.pair);
  }

  /** A server that was revoked may have been another's: the tickets it gave are not used. */
  protected forsake(why: Reject): void {
    const wallet = this.options.wallet ?? null;
    if (WITH_REVOCATION && wallet !== null && isRevocation(why)) walletClear(wallet);
  }

  /** Says once, and again at each threshold, that certificates end soon. */
  protected warn(): void {
    if (!WITH_TRUST) return;
    const { pair, options } = this;
    this.metrics.certificateEnds = pair.root.to < pair.server.to ? pair.root.to : pair.server.to;
    const followed = options.trust !== undefined && trustFollowed(options.trust);
    const notice = followed ? null : expiryNotice(pair, this.platform.clock.now());
    if (notice !== null && notice !== this.notice) this.sayTrust(notice);
    this.notice = notice;
  }

  /** Which signatures of a pair were found good before. */
  protected verifiedOf(pair: TrustedPair): ClientOptions['verified'] {
    return pair.server === this.verifiedServer ? this.verified : 'none';
  }

  /** The other pair is tried next, if it may be for the certificates. */
  protected fullHandshakeFailed(why: Reject): void {
    const { trust } = this.options;
    if (WITH_SUCCESSION && trust !== undefined && blamesCertificates(why)) trustFailed(trust, this.pair);
  }
}
