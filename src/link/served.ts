// One client of a server: what the server knows of it, and what its connection tells. An object of few fields with its
// methods on the prototype, for a gateway has thousands of them.

import type { Reject } from '../error.ts';
import { ErrorCode, reject } from '../error.ts';
import { toHex } from '../bytes.ts';
import type { ClientName } from '../session/edge.ts';
import type { Session } from '../session/session.ts';
import type { Holdings } from '../wire/edge.ts';
import type { Admission } from './admission.ts';
import { createConnection } from './connection.ts';
import type { Connection, ConnectionEvents, ConnectionSettings } from './connection.ts';
import {
  ACK_EVERY,
  chainAgreed,
  chainDelivered,
  enterChain,
  holdsLarger,
  keepMessage,
  noteDelivered,
  rewindKept,
  sendKept,
  SUPERSEDED,
  tellDelivered,
  TOO_LARGE,
  WRONG_COUNT,
} from './exactly-once.ts';
import type { Chain, Chains } from './exactly-once.ts';
import type { Admitted, Peer, ServerEvents } from './server-settings.ts';

/** A client says what it holds once a day: not so often is it answered, milliseconds. */
const HOLDINGS_LEAST_MS = 3_600_000;

/** Most connections at once that have sent R1 with one ticket and not proved to be there (X4). */
const HALF_OPEN_MAX = 4;

const HALF_OPEN = /* @__PURE__ */ reject(
  'half_open',
  ErrorCode.hostsExceeded,
  'newer connections came with the same ticket before this one had proved to be there',
);

/** What the clients of a server share. */
export interface Serving {
  readonly settings: ConnectionSettings;
  /** Seconds a ticket lives. */
  readonly ticketLifetime: number;
  readonly events: ServerEvents;
  readonly admission: Admission;
  readonly chains: Chains;
  /** Those that are connected. */
  readonly peers: Set<Peer>;
  /** All that were let in and whose transports are not closed. */
  readonly live: Set<Served>;
  /** Connections between R2 and the client's hello, by ticket; the oldest first. */
  readonly halfOpen: Record<string, Connection[]>;
  count(name: string): void;
  refused(id: number, address: string, port: number, why: Reject): void;
  /** A client's certificate ends then, seconds. */
  watchEnd(to: number): void;
  /** The last of `live` is gone. */
  nobodyLeft(): void;
}

/** A client as its owner has it. */
class OnePeer implements Peer {
  readonly id: number;
  readonly address: string;
  readonly port: number;
  readonly connection: Connection;
  private readonly served: Served;

  constructor(served: Served, connection: Connection, id: number, address: string, port: number) {
    this.served = served;
    this.connection = connection;
    this.id = id;
    this.address = address;
    this.port = port;
  }

  get client(): ClientName | null {
    return this.served.client();
  }

  send(message: Uint8Array): boolean {
    return this.served.send(message);
  }
}

export class Served implements ConnectionEvents, Admitted {
  readonly connection: Connection;
  /** What it holds of trust, as it said, and when: ms. */
  held: Holdings | null = null;
  private heldAt = 0;
  private readonly serving: Serving;
  private readonly peer: Peer;
  /** Who it is; null if that is not known. */
  private name: ClientName | null = null;
  private connected = false;
  private told: ReturnType<ServerEvents['connected']> | null = null;
  /** The end of a connection that its owner closed while being told of it. */
  private early: Reject | null = null;
  private ticket = '';
  /** What is kept for this client (X9). */
  private chain: Chain | null = null;
  private agreed = false;
  /** The chain's entries when this connection entered it. */
  private entry = 0;

  constructor(serving: Serving, session: Session, id: number, address: string, port: number) {
    this.serving = serving;
    this.connection = createConnection(session, serving.settings, this);
    this.peer = new OnePeer(this, this.connection, id, address, port);
    serving.live.add(this);
  }

  /** Sends a message for the owner: {@link Peer.send}. */
  send(message: Uint8Array): boolean {
    const { chain, connection } = this;
    if (!this.agreed) return connection.send(message);
    keepMessage(chain!, message, connection);
    return connection.session.state === 'established' ? sendKept(chain!, connection) : true;
  }

  /** The transport is closed. */
  gone(): void {
    const { serving } = this;
    serving.admission.leave();
    serving.live.delete(this);
    if (serving.live.size === 0) serving.nobodyLeft();
  }

  // ---- What the connection tells ----------------------------------------------------------------------------

  identified(name: ClientName): void {
    this.name = name;
    this.serving.watchEnd(name.to);
  }

  client(): ClientName | null {
    return this.name;
  }

  holdings(held: Holdings): boolean {
    const ms = this.serving.settings.timer.now();
    if (this.held !== null && ((ms - this.heldAt) | 0) < HOLDINGS_LEAST_MS) return false;
    this.held = held;
    this.heldAt = ms;
    return true;
  }

  hello(): void {
    const { connection } = this;
    const { ticketId } = connection.session.phase!.keys;
    if (ticketId === null) return;
    this.ticket = toHex(ticketId);
    const waiting = (this.serving.halfOpen[this.ticket] ??= []);
    waiting.push(connection);
    if (waiting.length > HALF_OPEN_MAX) waiting[0]!.fail(HALF_OPEN);
  }

  established(): void {
    const { serving, peer, chain } = this;
    this.leaveHalfOpen();
    if (chain !== null && chainAgreed(this.connection) && !this.goOn(chain)) return;
    this.connected = true;
    serving.admission.handshakeOver(peer.address);
    serving.count('connected');
    serving.peers.add(peer);
    this.told = serving.events.connected(peer);
    if (this.early !== null) this.told.closed?.(this.early);
  }

  message(bytes: Uint8Array): void {
    if (this.agreed) noteDelivered(this.chain!, this.connection);
    this.told?.message?.(bytes);
  }

  keepalive(): void {
    if (this.agreed) tellDelivered(this.chain!, this.connection);
  }

  enterChain(ticketId: Uint8Array | null, words: Int32Array): boolean {
    const chain = this.serving.chains.enter(ticketId);
    this.chain = chain;
    if (chain === null) return false;
    if (ticketId !== null) enterChain(chain, words);
    this.entry = chain.entries;
    return true;
  }

  ticketIssued(ticketId: Uint8Array): void {
    const { chain, serving } = this;
    if (chain === null) return;
    const now = serving.settings.clock.now();
    serving.chains.lead(ticketId, chain, now, now + serving.ticketLifetime);
  }

  delivered(): void {
    const { connection } = this;
    if (this.agreed && !chainDelivered(this.chain!, connection.session.slot.words))
      connection.fail(WRONG_COUNT);
    else this.told?.drain?.();
  }

  drain(): void {
    if (this.agreed && this.chain!.untold >= ACK_EVERY) tellDelivered(this.chain!, this.connection);
    this.told?.drain?.();
  }

  closed(why: Reject): void {
    const { serving, peer, chain } = this;
    const { id, address, port } = peer;
    this.leaveHalfOpen();
    if (chain !== null && chain.holder === this.connection) chain.holder = null;
    if (!this.connected) {
      serving.admission.handshakeOver(address);
      serving.refused(id, address, port, why);
      return;
    }
    serving.count(why.reason);
    serving.peers.delete(peer);
    if (this.told === null) this.early = why;
    else this.told.closed?.(why);
  }

  private leaveHalfOpen(): void {
    const { halfOpen } = this.serving;
    const waiting = halfOpen[this.ticket];
    if (waiting === undefined) return;
    const at = waiting.indexOf(this.connection);
    if (at >= 0) waiting.splice(at, 1);
    if (waiting.length === 0) delete halfOpen[this.ticket];
  }

  /** What is kept goes first: what the owner sends on being told comes after it. False: the client is refused. */
  private goOn(kept: Chain): boolean {
    const { connection } = this;
    let why: Reject | null = null;
    // The client came back on another connection before this one's hello was here.
    if (kept.entries !== this.entry) why = SUPERSEDED;
    else if (!rewindKept(kept, connection)) why = WRONG_COUNT;
    else if (holdsLarger(kept, connection.session.messageMax)) why = TOO_LARGE;
    if (why !== null) {
      connection.fail(why);
      return false;
    }
    this.agreed = true;
    kept.holder = connection;
    sendKept(kept, connection);
    return true;
  }
}
