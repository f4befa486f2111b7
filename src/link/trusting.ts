// The part of a link that chooses whom to trust (X7, X8): the certificates of the next connection, what a handshake
// proves of them, and the notice that they end soon.

import { WITH_REVOCATION, WITH_SUCCESSION } from '../features.ts';
import type { Reject } from '../error.ts';
import type { Connection } from './connection.ts';
import { createClientChain } from './client.ts';
import { KeepingLink } from './keeping.ts';
import type { LinkEvents, LinkOptions, LinkPlatform } from './link-settings.ts';
import { askTrust, expiryNotice } from './trust.ts';
import type { TrustEvents } from './trust.ts';
import { trustFollowed } from './trust-pair.ts';
import type { TrustedPair } from './trust-pair.ts';
import { TrustedPairs } from './trusted-pairs.ts';

const WITH_TRUST = WITH_REVOCATION || WITH_SUCCESSION;

export abstract class TrustingLink extends KeepingLink implements TrustEvents {
  protected options: LinkOptions;
  protected readonly platform: LinkPlatform;
  /** The certificates of the attempt under way. */
  protected pair: TrustedPair;
  protected readonly pairs: TrustedPairs;
  private notice: string | null = null;

  constructor(options: LinkOptions, platform: LinkPlatform, events: LinkEvents) {
    super(options.queue, events);
    this.options = {
      ...options,
      chain: options.chain ?? createClientChain(),
      trustEvents: this,
    };
    this.platform = platform;
    // Of this copy, not of the caller's: a device keeps one of them.
    this.pair = this.options;
    this.pairs = new TrustedPairs(this.options, options.verified);
  }

  // ---- What is heard of trust: not for others to call ---------------------------------------------------------

  kept(what: 'list' | 'root' | 'successor'): void {
    this.metrics.trustTaken++;
    this.sayTrust(`a ${what} was taken`);
    this.warn();
  }

  refused(why: Reject): void {
    this.metrics.trustRefused++;
    this.sayTrust(`refused, ${why.reason}: ${why.detail}`);
  }

  /** The certificates of the connection, or of the one to come. */
  get certificates(): TrustedPair {
    return this.pair;
  }

  protected sayTrust(line: string): void {
    if (this.events.trust !== undefined) this.events.trust(line);
  }

  /** Says what is held, once a day, on a connection that lasts. */
  protected askAgain(connection: Connection): void {
    const { trust, chain } = this.options;
    if (WITH_TRUST && trust !== undefined) askTrust(connection, chain!, this.platform.clock.now());
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
}
