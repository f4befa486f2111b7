// The certificates a client's connections use, one after the other (X7, X8): which pair is next, whose signatures were found
// good before, and what the end of a handshake says of a pair. A client without a trust store has one pair for good.

import { WITH_REVOCATION, WITH_SUCCESSION } from '../features.ts';
import type { Reject } from '../error.ts';
import type { ServerCertificate } from '../cert/certificate.ts';
import type { ClientOptions } from '../session/client.ts';
import { isRevocation } from '../session/trust.ts';
import { earliestTime } from './client.ts';
import type { ClientSide } from './client.ts';
import { blamesCertificates } from './trust.ts';
import { trustConfirmed, trustFailed, trustPair } from './trust-pair.ts';
import type { TrustedPair } from './trust-pair.ts';
import { walletClear } from './wallet.ts';

export class TrustedPairs {
  private readonly side: ClientSide;
  private verified: ClientOptions['verified'];
  /** Whose signatures `verified` is about. */
  private verifiedServer: ServerCertificate;

  constructor(side: ClientSide, verified: ClientOptions['verified']) {
    this.side = side;
    this.verified = verified;
    this.verifiedServer = side.server;
  }

  /** The certificates for the next connection; or why there are none. `now` in seconds. */
  next(now: number): TrustedPair | Reject {
    const { trust } = this.side;
    if (!(WITH_REVOCATION || WITH_SUCCESSION) || trust === undefined) return this.side;
    return trustPair(trust, earliestTime(this.side, now));
  }

  /** Which signatures of a pair were found good before. */
  verifiedOf(pair: TrustedPair): ClientOptions['verified'] {
    return pair.server === this.verifiedServer ? this.verified : 'none';
  }

  /** A full handshake went through with this pair. */
  confirm(pair: TrustedPair): void {
    const { trust } = this.side;
    this.verified = 'chain';
    this.verifiedServer = pair.server;
    if ((WITH_REVOCATION || WITH_SUCCESSION) && trust !== undefined) trustConfirmed(trust, pair);
  }

  /** A full handshake failed: the other pair is tried next, if it may be for the certificates. */
  failed(pair: TrustedPair, why: Reject): void {
    const { trust } = this.side;
    if (WITH_SUCCESSION && trust !== undefined && blamesCertificates(why)) trustFailed(trust, pair);
  }

  /** A connection ended. A server that was revoked may have been another's: the tickets it gave are not used. */
  forsake(why: Reject): void {
    const wallet = this.side.wallet ?? null;
    if (WITH_REVOCATION && wallet !== null && isRevocation(why)) walletClear(wallet);
  }
}
