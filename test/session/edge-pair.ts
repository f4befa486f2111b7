// A client and a server session that speak the extensions, joined without a network, for tests.
import type { ExecutionContext } from 'ava';
import { FEATURES_OF_THIS_BUILD } from '../../src/session/edge.ts';
import type {
  ClientEdge,
  FoundTicket,
  IssuedTicket,
  ServerEdge,
  TicketDesk,
} from '../../src/session/edge.ts';
import type { SessionOwner } from '../../src/session/core.ts';
import { createResumption } from '../../src/session/resume.ts';
import { createSession } from '../../src/session/session.ts';
import type { Session, SessionOptions } from '../../src/session/session.ts';
import { toHex } from '../../src/bytes.ts';
import { clientOf, deliver, serverOf, settle } from './pair.ts';
import type { Chain } from './pair.ts';

export interface WalletTicket {
  id: Uint8Array;
  secret: Uint8Array;
  lifetime: number;
}

/** Tickets of a client and of a server, in memory, as simple as can be. */
export class Tickets implements TicketDesk {
  readonly client: WalletTicket[] = [];
  readonly server = new Map<string, IssuedTicket>();
  taken = 0;
  full = false;

  find(id: Uint8Array, now: number, done: (ticket: FoundTicket | null) => void): void {
    const found = this.server.get(toHex(id));
    done(found === undefined || found.expiry < now ? null : { ...found, secret: found.secret.slice() });
  }
  take(id: Uint8Array, _now: number, done: (taken: boolean) => void): void {
    const good = this.server.delete(toHex(id));
    if (good) this.taken++;
    done(good);
  }
  issue(ticket: IssuedTicket, done: (kept: boolean) => void): void {
    if (this.full) {
      done(false);
      return;
    }
    this.server.set(toHex(ticket.id), { ...ticket, secret: ticket.secret.slice() });
    done(true);
  }
}

export function clientEdge(chain: Chain, tickets: Tickets, more: Partial<ClientEdge> = {}): ClientEdge {
  return {
    extensions: 'require',
    features: FEATURES_OF_THIS_BUILD,
    gcm: true,
    random: chain.random('edge client'),
    pollMs: 1000,
    missed: 3,
    ticket: (id, secret, lifetime) => tickets.client.push({ id, secret, lifetime }),
    ticketUsed: (id) => {
      const at = tickets.client.findIndex((ticket) => toHex(ticket.id) === toHex(id));
      if (at >= 0) tickets.client.splice(at, 1);
    },
    ...more,
  };
}

export function serverEdge(chain: Chain, tickets: Tickets, more: Partial<ServerEdge> = {}): ServerEdge {
  return {
    extensions: 'allow',
    features: FEATURES_OF_THIS_BUILD,
    gcm: true,
    random: chain.random('edge server'),
    maxIdle: 60000,
    tickets,
    ...more,
  };
}

/** An owner that keeps the promise of exactly once, and counts for no chain. */
export function chainOwner(ready: () => unknown = () => null): SessionOwner {
  return {
    handshakeBufferReady: () => void ready(),
    enterChain: () => true,
    ticketIssued: () => undefined,
    identified: () => undefined,
    client: () => null,
    holdings: () => true,
    revocationAnswered: () => undefined,
  };
}

export interface EdgePair {
  client: Session;
  server: Session;
  /** Everything each end sent. */
  sent: { client: Uint8Array[]; server: Uint8Array[] };
}

/** Both ends say what they have to say until neither has anything left. */
export function exchange(chain: Chain, pair: EdgePair, now: number = chain.now): Uint8Array[] {
  const messages: Uint8Array[] = [];
  const { client, server, sent } = pair;
  for (let quiet = 0; quiet < 2;) {
    quiet = 0;
    for (const [from, to, log] of [
      [client, server, sent.client],
      [server, client, sent.server],
    ] as const) {
      settle(from, chain.crypto, now);
      const packet = from.takeOutput();
      if (packet === null) {
        quiet++;
        continue;
      }
      log.push(packet.slice());
      messages.push(...deliver(to, packet, chain.crypto, now));
    }
  }
  return messages;
}

/** A message to send: `n` bytes that differ with `salt`. */
export function bytes(n: number, salt = 0): Uint8Array {
  return Uint8Array.from({ length: n }, (_, i) => (i * 31 + salt) & 255);
}

/** A message goes through in each direction. */
export function bothWays(t: ExecutionContext, chain: Chain, { client, server }: EdgePair, n = 20): void {
  const { crypto, now } = chain;
  t.deepEqual(deliver(server, client.seal(bytes(n), now), crypto, now), [bytes(n)]);
  t.deepEqual(deliver(client, server.seal(bytes(n, 9), now), crypto, now), [bytes(n, 9)]);
}

export interface EdgeOptions {
  client?: Partial<ClientEdge>;
  server?: Partial<ServerEdge>;
  session?: SessionOptions;
  /** What the client's clock says; the chain's time by default. */
  clientNow?: number;
  tickets?: Tickets;
}

/** A full handshake with the hellos. */
export function fullPair(chain: Chain, options: EdgeOptions = {}): EdgePair & { tickets: Tickets } {
  const tickets = options.tickets ?? new Tickets();
  const edge = clientEdge(chain, tickets, options.client);
  const client = clientOf(chain, { verified: 'chain', edge, ...options.session });
  const server = serverOf(chain, { edge: serverEdge(chain, tickets, options.server), ...options.session });
  for (const session of [client, server]) session.owner = chainOwner();
  const pair = { client, server, sent: { client: [], server: [] }, tickets };
  server.start(chain.now);
  client.start(options.clientNow ?? chain.now);
  exchange(chain, pair);
  return pair;
}

/** A client that resumes with a ticket, and a server for it; nothing is sent yet. */
export function resumingPair(
  chain: Chain,
  tickets: Tickets,
  ticket: WalletTicket,
  options: EdgeOptions = {},
): EdgePair {
  const nonce = new Uint8Array(32);
  chain.random('client nonce')(nonce);
  const client = createSession(
    createResumption({
      edge: clientEdge(chain, tickets, options.client),
      ticketId: ticket.id,
      secret: ticket.secret,
      clientNonce: nonce,
      from: chain.server.from,
      to: chain.server.to,
    }),
    options.session,
  );
  const server = serverOf(chain, { edge: serverEdge(chain, tickets, options.server), ...options.session });
  server.start(chain.now);
  client.start(options.clientNow ?? chain.now);
  return { client, server, sent: { client: [], server: [] } };
}
