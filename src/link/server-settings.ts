// What a server is given, whom it tells, and what it hands out.

import type { Reject } from '../error.ts';
import type { Pool } from '../pool/pool.ts';
import type { Random, RecordEngine } from '../crypto/provider.ts';
import type { Clock, Executor, Timer } from '../platform.ts';
import type { ClientName, Extensions } from '../session/edge.ts';
import type { ServerIdentity } from '../session/server.ts';
import type { AdmissionOptions } from './admission.ts';
import type { Connection } from './connection.ts';
import type { ConnectionEvents, Deadlines } from './connection-settings.ts';
import type { QueueOptions } from './exactly-once.ts';
import type { ServerTrust } from './server-trust.ts';
import type { Tickets } from './ticket-store.ts';

/** What the caller decides; what the platform gives is in {@link ServerPlatform}. */
export interface ServerLinkOptions extends AdmissionOptions, Deadlines {
  /** Longest message taken, tag included, bytes. Default 65,536. */
  readonly recordLimit?: number;
  /** The extensions: who is served. Default `allow`, clients of strict 1.4 too; `require` where identities are required. */
  readonly extensions?: Extensions | undefined;
  /** Whether clients that ask for AES-256-GCM records get them. Default true. */
  readonly gcm?: boolean | undefined;
  /** Bits of `Feature`; default all of this build. */
  readonly features?: number | undefined;
  /** Where tickets are kept; null: clients do a full handshake every time. */
  readonly tickets?: Tickets | null | undefined;
  /** Seconds a ticket lives. Default 24 h. */
  readonly ticketLifetime?: number | undefined;
  /**
   * Keeps messages for each client until they are delivered, and sends them again after a resumption (X9), as
   * long as the server runs. Default: none is kept, and clients are told so.
   */
  readonly queue?: QueueOptions | undefined;
  /** 32 bytes, said in the hello. */
  readonly profileHash?: Uint8Array | undefined;
  /** Whether a client that says it runs this is served: the hash of its hello, 32 bytes, lent. Default: all are. */
  readonly acceptProfile?: ((hash: Uint8Array) => boolean) | undefined;
  /** Where connections live. Default: a pool that grows by slabs of 64 slots up to `maxConnections`. */
  readonly pool?: Pool | undefined;
  /** Whom this server trusts and asks (X6 to X8). Default: clients are anonymous, and told of nothing. */
  readonly trust?: ServerTrust | undefined;
  /** One or more certificates with their keys; the client's request names one by its serial. */
  readonly identities: readonly ServerIdentity[];
}

export interface ServerPlatform {
  readonly random: Random;
  readonly timer: Timer;
  readonly clock: Clock;
  readonly execute: Executor;
  /** What does records in the place of the kernels, for the pool that is made where none is given. */
  readonly engine?: RecordEngine | null;
  /** Room for a packet: as of the connections' settings. */
  readonly room?: (bytes: number) => Uint8Array;
}

/** One client of a server. */
export interface Peer {
  /** Counts up from 1 for the life of the server. */
  readonly id: number;
  readonly address: string;
  readonly port: number;
  readonly connection: Connection;
  /** Who the client is; null if that is not known (X6). */
  readonly client: ClientName | null;
  /** Sends a message, and keeps it until it is delivered if both ends take part in that (X9). As `Link.send`. */
  send(message: Uint8Array): boolean;
}

export interface ServerEvents {
  /** A client finished its handshake. Returns what its messages and its end are told to. */
  connected(peer: Peer): Pick<ConnectionEvents, 'message' | 'drain' | 'closed'>;
  /** A client was refused or failed before it was connected. */
  refused?(peer: Pick<Peer, 'id' | 'address' | 'port'>, why: Reject): void;
}

/** A client let in: start its connection over a transport, and call `gone` when that is closed. */
export interface Admitted {
  readonly connection: Connection;
  gone(): void;
}

export interface ServerLink {
  /** Connections at present, unfinished handshakes included. */
  readonly connections: number;
  readonly peers: ReadonlySet<Peer>;
  /** Counters since the start: connected, refused, and every reason of an end by its name. */
  readonly counters: Readonly<Record<string, number>>;
  /** Refuses new clients; live tunnels go on. */
  pause(): void;
  resume(): void;
  /** Lets a client in, or returns the packet to turn it away with. */
  accept(address: string, port: number): Admitted | Uint8Array;
  /** Lets no one in any more, closes all with a notice; calls back when the last is gone. */
  close(done: () => void): void;
}
