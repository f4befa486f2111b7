// What an end wants of the extensions, and what a handshake hands over to the session.

import { WITH_EXACTLY_ONCE, WITH_REKEY, WITH_RESUMPTION, WITH_STRICT } from '../features.ts';
import { Discovery, Feature } from '../params.ts';
import type { Reject } from '../error.ts';
import type { Job } from '../crypto/job.ts';
import type { Random, SuiteCrypto } from '../crypto/provider.ts';
import type { SigningKey } from '../crypto/signing.ts';
import type { ClientCertificate, RootCertificate } from '../cert/certificate.ts';
import type { Holdings } from '../wire/edge.ts';

/** `require` refuses peers without extensions, `allow` takes both, `never` speaks strict 1.4. */
export type Extensions = 'require' | 'allow' | 'never';

interface EdgeEnd {
  readonly extensions: Extensions;
  /** Bits of `Feature` this end offers or takes. */
  readonly features: number;
  /** AES-256-GCM records: a client asks for them, a server grants them (X10). */
  readonly gcm: boolean;
  /** Fills nonces and ticket ids. */
  readonly random: Random;
  /** Hash of the runtime profile, 32 bytes; zeros if there is none. */
  readonly profileHash?: Uint8Array | undefined;
  /** The algorithms for a KEM rekey of a resumed connection; absent: such a connection has none (X5). */
  readonly crypto?: SuiteCrypto | undefined;
  /** Packets under one key before it is updated. Default 2^24. */
  readonly updatePackets?: number | undefined;
}

/** 0 none, 1 floor, 2 synced (X2). */
export type ClockState = 0 | 1 | 2;

/** A client's clock as the handshake sees it. */
export interface SessionClock {
  readonly state: ClockState;
  /** Seconds: the time of day is not before it. */
  readonly floor: number;
  /**
   * Told of the time of an authenticated, fresh hello, milliseconds, with the validity of the server's
   * certificate, seconds. False if it cannot be right.
   */
  accept(serverTime: number, from: number, to: number): boolean;
}

export interface ClientEdge extends EdgeEnd {
  /** Asks for a signature over this very handshake, even with a clock that is set. */
  readonly freshness?: boolean | undefined;
  /** The poll period that keep-alives align with, milliseconds; 0 without keep-alives. */
  readonly pollMs: number;
  /** Poll cycles without life after which the server counts as dead. */
  readonly missed: number;
  /** Absent: the caller's clock is right. */
  readonly clock?: SessionClock | undefined;
  /** A ticket came: `secret` (32 bytes) is the receiver's to wipe. Lifetime in seconds. */
  ticket?(id: Uint8Array, secret: Uint8Array, lifetime: number): void;
  /** A KEM rekey went through: tickets of before are to be dropped, new ones come. */
  rekeyed?(): void;
  /** The server proved to hold the ticket's secret: the ticket is used up. */
  ticketUsed?(id: Uint8Array): void;
  /** Who this client is, for servers that ask (X6). */
  readonly identity?: ClientCredential | undefined;
  /** What this client takes of lists, successors and new roots (X7, X8). */
  readonly trust?: TrustKeeper | undefined;
}

/** A client's certificate with its key. */
export interface ClientCredential {
  readonly certificate: ClientCertificate;
  readonly signing: SigningKey;
}

/** A statement that may be taken once its signatures verified. */
export interface Judgement {
  readonly jobs: readonly Job[];
  /** Why it is refused if one does not. */
  readonly bad: Reject;
  /** Keeps it, durably. Why the connection has to end for it; null if it goes on. */
  keep(now: number): Reject | null;
}

/** What a client holds and takes. Times are seconds since 1970. */
export interface TrustKeeper {
  /** Largest statement it takes, bytes. Default 16,384. */
  readonly bytesMax?: number | undefined;
  /** What it holds, if the server is to be told now; null: not now. */
  held(fullHandshake: boolean, now: number): Holdings | null;
  /** A whole statement of type 0A, 0C or 0D. */
  judge(type: number, message: Uint8Array, now: number): Judgement | Reject;
  /** A statement was refused: counted, and the connection goes on. */
  refused(why: Reject): void;
}

/** Who a client is. */
export interface ClientName {
  /** Serial of its certificate, 16 bytes. */
  readonly serial: Uint8Array;
  readonly issuer: string;
  /** Seconds since 1970 when its certificate ends. */
  readonly to: number;
}

/** What a server judges its clients' identities by (X6). */
export interface ClientJudge {
  /** Clients without an identity are refused; else they may go on without. */
  readonly required: boolean;
  /** The root a certificate is to be verified under, with its algorithms; or why it is refused. */
  judge(
    certificate: ClientCertificate,
    now: number,
  ): { readonly root: RootCertificate; readonly crypto: SuiteCrypto } | Reject;
  /** Why a client that is known by its ticket may not go on; null if it may. */
  refuses(client: ClientName, now: number): Reject | null;
}

/** A revocation that takes effect once its signature verified. */
export interface RevocationVerdict {
  readonly crypto: SuiteCrypto;
  readonly job: Job;
  /** True if it has taken effect before. */
  known(): boolean;
  /** Takes effect, durably. `unstored`: until a restart only; `full`: not at all. */
  keep(): 'kept' | 'unstored' | 'full';
  /** Ends what it forbids, and tells whom it concerns: after `keep`. */
  enforce(now: number): void;
}

/** What a server knows of lists, successors and new roots (X7, X8). */
export interface TrustDesk {
  /** What is newer than what a client holds, in the order it is to be sent. */
  newer(held: Holdings, now: number): readonly { readonly type: number; readonly message: Uint8Array }[];
  /** True if a revocation in cleartext may be looked at now: one a second. */
  mayVerify(now: number): boolean;
  /** Why a client that is known by a ticket of another server may not go on; null if it may. */
  refuses(client: ClientName, now: number): Reject | null;
  /** A single revocation, signature || serial, under each root of its suite that this server has. */
  judge(revocation: Uint8Array, now: number): readonly RevocationVerdict[];
}

/** What a server finds under a ticket's id. */
export interface FoundTicket {
  /** 32 bytes. */
  readonly secret: Uint8Array;
  /** Who the client is; null if that is not known. */
  readonly identity: ClientName | null;
  /** Seconds of the last full handshake of its chain; 0: never (a provisioned credential). */
  readonly since: number;
  /** Resumptions since then. */
  readonly resumptions: number;
}

/** A ticket on its way out. */
export interface IssuedTicket extends FoundTicket {
  readonly id: Uint8Array;
  /** Seconds since 1970. */
  readonly issued: number;
  readonly expiry: number;
}

/** Where a server keeps its tickets. Answers come at once or later, and once. */
export interface TicketDesk {
  /** The live ticket, or null. The same work for an unknown id as for a known one. */
  find(id: Uint8Array, now: number, done: (ticket: FoundTicket | null) => void): void;
  /** Removes the ticket for good, over all gateways: false if another connection did. */
  take(id: Uint8Array, now: number, done: (taken: boolean) => void): void;
  /** Keeps a ticket. False if it could not: the client is not told of it then. */
  issue(ticket: IssuedTicket, done: (kept: boolean) => void): void;
}

export interface ServerEdge extends EdgeEnd {
  /** Whether a client that says it runs this is served: the hash of its hello, 32 bytes, lent. Default: all are. */
  acceptProfile?: ((hash: Uint8Array) => boolean) | undefined;
  /** A connection that is silent for longer is closed, milliseconds; 0: never. */
  readonly maxIdle: number;
  /** Tickets of this server; null: none are issued or taken. */
  readonly tickets: TicketDesk | null;
  /** Seconds since 1970 when the server's first certificate ends: no ticket lives longer. Absent: no limit. */
  readonly notAfter?: number | undefined;
  /** Seconds a ticket lives. Default 24 h. */
  readonly ticketLifetime?: number | undefined;
  /** Who may connect (X6). Absent: clients are not asked who they are. */
  readonly clients?: ClientJudge | undefined;
  readonly trust?: TrustDesk | undefined;
}

/** What an established handshake hands over. Everything in it is wiped by its taker. */
export interface HandshakeKeys {
  /** 0 full handshake, 1 resumption. */
  readonly kind: 0 | 1;
  /** Byte 41 as the client sent it (X1); 0 for strict 1.4. */
  readonly discovery: number;
  /** T: sch2, or H(R1 || R2). */
  readonly transcript: Uint8Array;
  /** Record keys of 1.4, 128 bytes, and rtcs; null for kind 1. */
  readonly material: Uint8Array | null;
  readonly ratchet: Uint8Array | null;
  /** chain[0] | chain[1] | export; null for strict 1.4. */
  readonly secrets: Uint8Array | null;
  /** A server's signature over T || serverTime, if the client asked for it (X2, type 04). */
  readonly freshness: Uint8Array | null;
  /** Milliseconds since 1970: what the server's hello says. */
  readonly serverTime: number;
  /** The ticket of kind 1. */
  readonly ticketId: Uint8Array | null;
  readonly ticket: FoundTicket | null;
  /** Validity of the server's certificate, seconds, and its key: what a client judges the hello by. */
  readonly from: number;
  readonly to: number;
  readonly verifyKey: Uint8Array | null;
}

/** FIPS 204 context of the freshness signature. */
export const FRESH_CONTEXT = 'QSTP-EDGE-1/fresh';

/** Features every end of this build speaks. */
export const FEATURES_OF_THIS_BUILD: number =
  Feature.keepalive |
  Feature.keyUpdate |
  (WITH_RESUMPTION ? Feature.resumption : 0) |
  (WITH_REKEY ? Feature.kemRekey : 0) |
  (WITH_EXACTLY_ONCE ? Feature.exactlyOnce : 0);

/** Byte 41 of a client's request. */
export function discoveryByte(edge: ClientEdge | null): number {
  if (edge === null || (WITH_STRICT && edge.extensions === 'never')) return 0;
  let byte: number = Discovery.edge;
  if (edge.clock !== undefined && edge.clock.state !== 2) byte |= Discovery.clockNotSet;
  if (edge.gcm) byte |= Discovery.gcm;
  if (edge.freshness === true) byte |= Discovery.freshness;
  return byte;
}

/** True if a client with this byte 41 wants the freshness signature. */
export function wantsFreshness(discovery: number): boolean {
  return (discovery & (Discovery.clockNotSet | Discovery.freshness)) !== 0;
}
