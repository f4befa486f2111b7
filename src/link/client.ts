// The client's side of a connection, for any target: what it wants of the extensions, and which handshake is
// next, a resumption with a ticket of its wallet or a full one.

import { missing } from '../error.ts';
import { wipe } from '../bytes.ts';
import {
  WITH_CLOCK,
  WITH_ENGINE,
  WITH_FULL_HANDSHAKE,
  WITH_GCM,
  WITH_IDENTITY,
  WITH_KEEPALIVE,
  WITH_PROVISIONED,
  WITH_RCS,
  WITH_RESUMPTION,
  WITH_REVOCATION,
  WITH_STRICT,
  WITH_SUCCESSION,
} from '../features.ts';
import { KEEPALIVE_MISSED, KEEPALIVE_WORDS, keepaliveInit } from './keepalive.ts';
import { acceptServerTime } from '../session/clock.ts';
import type { DeviceClock } from '../session/clock.ts';
import type { RootCertificate, ServerCertificate } from '../cert/certificate.ts';
import type { Random, SuiteCrypto } from '../crypto/provider.ts';
import type { Pool } from '../pool/pool.ts';
import { createClient } from '../session/client.ts';
import type { ClientOptions } from '../session/client.ts';
import { FEATURES_OF_THIS_BUILD } from '../session/edge.ts';
import type {
  ClientCredential,
  ClientEdge,
  ClockState,
  Extensions,
  SessionClock,
  TrustKeeper,
} from '../session/edge.ts';
import { createResumption } from '../session/resume.ts';
import { createSession } from '../session/session.ts';
import type { Session } from '../session/session.ts';
import { NONCE_BYTES } from '../params.ts';
import { trustKeeper } from './trust.ts';
import type { TrustEvents, TrustState } from './trust.ts';
import type { TrustedPair } from './trust-pair.ts';
import type { TrustStore } from './trust-store.ts';
import { walletAdd, walletClear, walletNext, walletRemove } from './wallet.ts';
import type { Ticket, Wallet } from './wallet.ts';

/** The extensions a client asks for. */
export interface ClientExtensions {
  /** Default `require`. For a strict 1.4 server: `never`, or `allow` to find out. */
  readonly extensions?: Extensions | undefined;
  /** AES-256-GCM records. Default true. */
  readonly gcm?: boolean | undefined;
  /** Bits of `Feature`; default all of this build. */
  readonly features?: number | undefined;
  /** Asks for a signature over each full handshake. Default false. */
  readonly freshness?: boolean | undefined;
  /** Period of the application's traffic, milliseconds, which keep-alives align with; 0: none. Default 20,000. */
  readonly pollMs?: number | undefined;
  /** Polls without a sign of life until the server counts as dead. Default 3. */
  readonly missed?: number | undefined;
  /** Where tickets are kept; null: every connection does a full handshake. */
  readonly wallet?: Wallet | null | undefined;
  /** What a device was provisioned with (provisioned.ts): used where no ticket is left. */
  readonly credential?: Ticket | undefined;
  /** 32 bytes, said in the hello. */
  readonly profileHash?: Uint8Array | undefined;
}

/** Whom a client trusts as it goes on, and who it is. */
export interface ClientTrust {
  /** Who this client is, for servers that ask (X6). */
  readonly identity?: ClientCredential | undefined;
  /** What it trusts beyond the root and server it begins with (X7, X8). */
  readonly trust?: TrustStore | undefined;
  /** Told of what comes; default: nobody. */
  readonly trustEvents?: TrustEvents | undefined;
}

export interface ClientSide extends ClientExtensions, ClientTrust {
  /** Null in builds that only resume. */
  readonly crypto: SuiteCrypto | null;
  readonly root: RootCertificate;
  readonly server: ServerCertificate;
  readonly random: Random;
  readonly pool?: Pool | undefined;
  readonly recordLimit?: number | undefined;
  /** The clock of a device that may have none; absent: the platform's is right. */
  readonly deviceClock?: DeviceClock | undefined;
  /** Kept by an owner that connects again and again; absent: made for each session. */
  readonly chain?: ClientChain | undefined;
  /** Seconds of the counter the device clock runs on. */
  readonly counter?: (() => number) | undefined;
}

export const POLL_MS = 20000;

/** Throws `invalid_input` for a poll period or count that cannot be, rather than when a connection begins. */
export function checkClient(side: ClientExtensions): void {
  const pollMs = side.pollMs ?? POLL_MS;
  const missed = side.missed ?? KEEPALIVE_MISSED;
  if (!WITH_STRICT && (side.extensions ?? 'require') !== 'require') throw missing('strict');
  if (!WITH_KEEPALIVE && pollMs !== 0 && side.pollMs !== undefined) throw missing('keepalive');
  if (WITH_KEEPALIVE && pollMs !== 0) keepaliveInit(new Int32Array(KEEPALIVE_WORDS), 0, pollMs, missed, 0);
}

/** What the connections of a client share, one after the other. */
export interface ClientChain extends TrustState {
  edge: ClientEdge | null;
  /** What the last connection resumed with: its tickets carry on from there. */
  ticket: Pick<Ticket, 'since' | 'resumptions'> | null;
}

export function createClientChain(): ClientChain {
  return { edge: null, ticket: null, pair: null, askedAt: 0 };
}

/** A device's clock as its handshakes see it. */
class DeviceTime implements SessionClock {
  private readonly clock: DeviceClock;
  private readonly counter: () => number;

  constructor(clock: DeviceClock, counter: () => number) {
    this.clock = clock;
    this.counter = counter;
  }

  get state(): ClockState {
    return this.clock.state as ClockState;
  }

  get floor(): number {
    return this.clock.floor;
  }

  accept(time: number, from: number, to: number): boolean {
    return acceptServerTime(this.clock, time, from, to, this.counter()) === null;
  }
}

/** What a client's sessions share. The times are seconds since 1970. */
class OwnEdge implements ClientEdge {
  readonly extensions: Extensions;
  readonly features: number;
  readonly gcm: boolean;
  readonly random: Random;
  readonly crypto: SuiteCrypto | undefined;
  readonly profileHash: Uint8Array | undefined;
  readonly freshness: boolean | undefined;
  readonly pollMs: number;
  readonly missed: number;
  readonly clock: SessionClock | undefined;
  readonly identity: ClientCredential | undefined;
  readonly trust: TrustKeeper | undefined;
  private readonly wallet: Wallet | null;
  private readonly now: () => number;
  private readonly chain: ClientChain;

  constructor(side: ClientSide, now: () => number, chain: ClientChain) {
    const { deviceClock, trust } = side;
    this.extensions = WITH_STRICT ? (side.extensions ?? 'require') : 'require';
    this.features = side.features ?? FEATURES_OF_THIS_BUILD;
    this.gcm = WITH_GCM && (!WITH_RCS || (side.gcm ?? true));
    this.random = side.random;
    this.crypto = side.crypto ?? undefined;
    this.profileHash = side.profileHash;
    this.freshness = side.freshness;
    this.pollMs = WITH_KEEPALIVE ? (side.pollMs ?? POLL_MS) : 0;
    this.missed = side.missed ?? KEEPALIVE_MISSED;
    if (WITH_CLOCK && deviceClock !== undefined) this.clock = new DeviceTime(deviceClock, side.counter!);
    if (WITH_IDENTITY) this.identity = side.identity;
    if ((WITH_REVOCATION || WITH_SUCCESSION) && trust !== undefined)
      this.trust = trustKeeper(trust, chain, side.trustEvents ?? {});
    this.wallet = WITH_RESUMPTION ? (side.wallet ?? null) : null;
    this.now = now;
    this.chain = chain;
  }

  ticket(id: Uint8Array, secret: Uint8Array, lifetime: number): void {
    const { wallet, chain } = this;
    if (!WITH_RESUMPTION || wallet === null) {
      wipe(secret);
      return;
    }
    const time = this.now();
    const used = chain.ticket;
    const since = used === null ? time : used.since;
    const resumptions = used === null ? 0 : used.resumptions + 1;
    const { to } = chain.pair!.server;
    const most = to < time + lifetime ? to : time + lifetime;
    walletAdd(wallet, { id, secret, expiry: time === 0 ? 0 : most, since, resumptions });
  }

  ticketUsed(id: Uint8Array): void {
    // Written with the ticket that comes in its place: a server takes each once anyway.
    if (WITH_RESUMPTION && this.wallet !== null) walletRemove(this.wallet, id);
  }

  rekeyed(): void {
    if (!WITH_RESUMPTION || this.wallet === null) return;
    walletClear(this.wallet);
    this.chain.ticket = { since: this.now(), resumptions: -1 };
  }
}

/** The ticket to try next, not counting the first `skip`; null: a full handshake is due. */
export function nextTicket(side: ClientSide, now: number, skip = 0): Ticket | null {
  if (!WITH_RESUMPTION || side.extensions === 'never' || side.wallet === undefined || side.wallet === null)
    return null;
  return walletNext(side.wallet, earliestTime(side, now), skip);
}

/** The time of day, or what it is not before. */
export function earliestTime(side: ClientSide, now: number): number {
  return !WITH_CLOCK || now > 0 || side.deviceClock === undefined ? now : side.deviceClock.floor;
}

function randomNonce(random: Random): Uint8Array {
  const nonce = new Uint8Array(NONCE_BYTES);
  random(nonce);
  return nonce;
}

/** A session that resumes with `ticket`, or does a full handshake if there is none. */
export function clientSession(
  side: ClientSide,
  ticket: Ticket | null,
  verified: ClientOptions['verified'],
  now: () => number,
  pair: TrustedPair = side,
): Session {
  const { crypto, random, pool, recordLimit } = side;
  const { root, server } = pair;
  const chain = side.chain ?? createClientChain();
  chain.pair = pair;
  chain.ticket = ticket === null ? null : { since: ticket.since, resumptions: ticket.resumptions };
  if (chain.edge === null && (!WITH_STRICT || side.extensions !== 'never'))
    chain.edge = new OwnEdge(side, now, chain);
  const edge = chain.edge ?? undefined;
  const options = {
    ...(pool === undefined ? {} : { pool }),
    ...(recordLimit === undefined ? {} : { recordLimit }),
  };
  if (ticket === null || edge === undefined) {
    if (!WITH_FULL_HANDSHAKE) throw missing('fullHandshake');
    const engine = WITH_ENGINE && pool !== undefined ? pool.engine : null;
    const hash = engine === null ? null : engine.hash;
    const client = createClient({ crypto: crypto!, root, server, random, verified, edge, hash });
    return createSession(client, options);
  }
  const clientNonce = ticket.nonce === undefined ? randomNonce(random) : ticket.nonce();
  const { id, secret } = ticket;
  const { from, to } = server;
  if (!WITH_RESUMPTION && !WITH_PROVISIONED) throw missing('resumption');
  return createSession(createResumption({ edge, ticketId: id, secret, clientNonce, from, to }), options);
}
