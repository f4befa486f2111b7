// Two sessions, a network that an attacker owns, and the attacker's own sessions: the states of search.test.ts, whose
// inputs are in inputs.ts and whose rules are in rules.ts. Cryptography is fake (fake.ts); sessions, records and key
// schedules are the real ones.
import { slotSecrets, Word } from '../../src/pool/slot.ts';
import { createPool } from '../../src/pool/pool.ts';
import type { Pool } from '../../src/pool/pool.ts';
import { createClient } from '../../src/session/client.ts';
import { SessionEvent } from '../../src/session/core.ts';
import type { ClientEdge, ClientJudge, ClientName, Extensions, ServerEdge } from '../../src/session/edge.ts';
import { createResumption } from '../../src/session/resume.ts';
import { createServer } from '../../src/session/server.ts';
import { createSession } from '../../src/session/session.ts';
import type { Session, SessionOptions } from '../../src/session/session.ts';
import { sessionCookie } from '../../src/cert/cookie.ts';
import { runJob } from '../../src/crypto/job.ts';
import type { Job } from '../../src/crypto/job.ts';
import { equal, toHex } from '../../src/bytes.ts';
import { reject } from '../../src/error.ts';
import { EdgeFlag, HEADER_BYTES } from '../../src/params.ts';
import { chainOwner, clientEdge, serverEdge, Tickets } from './edge-pair.ts';
import { CLIENT, CLIENTS } from './evil.ts';
import { CLIENT_ROOT, fakeChain, fakeClientCrypto, fakeCrypto } from './fake.ts';
import { split } from './pair.ts';
import type { Chain } from './pair.ts';

export interface Config {
  name: string;
  client: Extensions | 'strict';
  server: Extensions | 'strict';
  gcm: boolean;
  kind: 0 | 1;
  freshness?: boolean;
  verified?: 'none' | 'chain';
  /** Deliver every packet byte by byte. */
  chopped?: boolean;
  receiveBytes?: number;
  handshakeBytes?: number;
  poolCipher?: 'rcs' | 'gcm';
  /** The server requires an identity, and the client has one (X6). */
  identity?: boolean;
}

export type Name = 'client' | 'server';
export const OTHER = { client: 'server', server: 'client' } as const;

export interface Item {
  bytes: Uint8Array;
  /** What the sender's keys vouch for: a label to tell packets apart by. */
  label: string;
}

/** Faults put into the sessions, to see that the search finds them. */
export interface Fault {
  session?(session: Session, name: Name): void;
  tickets?(tickets: Tickets): void;
  pool?(pool: Pool): void;
}

export const CLOSE = reject('closed', 0, 'closed here');

/** A violated rule: what the search is for. */
export class Violation extends Error {}

export function must(good: boolean, what: string): void {
  if (!good) throw new Violation(what);
}

/** Control messages by the length of their plaintext: each has another one with this suite. */
const CONTROL: Record<number, string> = {
  78: 'hello',
  70: 'hello',
  45: 'freshness',
  53: 'ticket',
  37: 'kem',
  1: 'byte',
};

export class World {
  readonly config: Config;
  readonly pool: Pool;
  readonly tickets = new Tickets();
  readonly client: Session;
  readonly server: Session;
  /** An impostor: a server with the true certificate but another signing key and other ticket secrets. */
  readonly impostor: Session;
  readonly queue: Record<Name, Item[]> = { client: [], server: [] };
  /** From the impostor, to the client. */
  readonly forged: Item[] = [];
  /** Genuine packets sent so far, to each end. */
  readonly seen: Record<Name, Item[]> = { client: [], server: [] };
  readonly sealed: Record<Name, string[]> = { client: [], server: [] };
  readonly delivered: Record<Name, string[]> = { client: [], server: [] };
  now: number;
  lost = false;
  private readonly chain: Chain;
  readonly ticketId: string;
  signature = false;
  fresh = false;
  proof = false;
  /** Serials, hex: of certificates whose signature verified, and of those whose owner signed this connection. */
  readonly certified = new Set<string>();
  readonly proved = new Set<string>();
  /** Who the server took its client for. */
  named: ClientName | null = null;
  readonly hello: Record<Name, boolean> = { client: false, server: false };
  spent: Record<string, number> = {};
  readonly deaf = { client: false, server: false };

  /** `salt` tells connections apart: a client's nonce never repeats. */
  constructor(config: Config, fault: Fault = {}, salt = 0) {
    this.config = config;
    const chain = fakeChain();
    this.chain = chain;
    this.now = chain.now;
    this.pool = createPool({
      slots: 3,
      receiveBytes: config.receiveBytes ?? 0,
      handshakeBytes: config.handshakeBytes ?? 0,
      cipher: config.poolCipher ?? 'rcs',
    });
    const { tickets } = this;
    fault.tickets?.(tickets);
    const cEdge = (): ClientEdge =>
      clientEdge(chain, tickets, {
        extensions: config.client as Extensions,
        gcm: config.gcm,
        freshness: config.freshness ?? false,
        pollMs: 1000,
        ...(config.identity === true ? { identity: CLIENT } : {}),
      });
    const clients: ClientJudge = {
      required: true,
      judge: () => ({ root: CLIENT_ROOT, crypto: fakeClientCrypto }),
      refuses: () => null,
    };
    const sEdge = (desk: Tickets): ServerEdge =>
      serverEdge(chain, desk, {
        extensions: config.server as Extensions,
        ...(config.identity === true ? { clients } : {}),
      });
    const options: SessionOptions = { pool: this.pool };
    const id = new Uint8Array(16).fill(5);
    const secret = new Uint8Array(32).fill(6);
    this.ticketId = toHex(id);
    const found = { id, identity: null, since: 1, resumptions: 0, issued: 1, expiry: 1e10 };
    if (config.kind === 1) tickets.issue({ ...found, secret }, () => undefined);
    this.client = createSession(
      config.kind === 1
        ? createResumption({
            edge: cEdge(),
            ticketId: id,
            secret,
            clientNonce: new Uint8Array(32).fill(7 + salt),
            from: chain.server.from,
            to: chain.server.to,
          })
        : createClient({
            ...chain,
            verified: config.verified ?? 'chain',
            random: chain.random('client'),
            edge: config.client === 'strict' ? undefined : cEdge(),
          }),
      options,
    );
    const serverOf = (signing: Chain, desk: Tickets): Session => {
      const identity = {
        crypto: fakeCrypto,
        certificate: signing.server,
        key: signing.key,
        signing: signing.key.signingKey,
        cookie: sessionCookie(signing.root.hash, signing.server.hash),
      };
      return createSession(
        createServer({
          identify: (serial) => (equal(serial, signing.server.serial) ? identity : null),
          random: chain.random('server'),
          edge: config.server === 'strict' ? undefined : sEdge(desk),
        }),
        options,
      );
    };
    this.server = serverOf(chain, tickets);
    const theirs = new Tickets();
    theirs.issue({ ...found, secret: new Uint8Array(32).fill(66) }, () => undefined);
    this.impostor = serverOf(fakeChain(new Uint8Array(32).fill(77)), theirs);
    if (config.identity === true) this.watchTickets();
    fault.session?.(this.client, 'client');
    fault.session?.(this.server, 'server');
    fault.pool?.(this.pool);
    for (const session of [this.client, this.server, this.impostor]) session.owner = chainOwner();
    this.server.owner = {
      ...chainOwner(),
      identified: (client) => void (this.named = client),
      client: () => this.named,
    };
    this.impostor.start(this.now);
    this.server.start(this.now);
    this.client.start(this.now);
    this.collect('client');
  }

  /** No ticket before the identity, and none without it. */
  private watchTickets(): void {
    const { tickets } = this;
    const { issue } = tickets;
    tickets.issue = (ticket, done) => {
      const name = ticket.identity === null ? '' : toHex(ticket.identity.serial);
      must(this.proved.has(name), 'a ticket is issued to a client that proved nothing');
      issue.call(tickets, ticket, done);
    };
  }

  // ---- What the sessions bring --------------------------------------------------------------------------

  collect(name: Name): void {
    const session = this[name];
    const output = session.takeOutput();
    if (output === null) return;
    const to = OTHER[name];
    for (const bytes of split(output)) {
      const flag = bytes[0]!;
      let label = `${flag}`;
      if (flag === EdgeFlag.control || flag === EdgeFlag.controlGcm) {
        const tag = flag === EdgeFlag.control ? 32 : 16;
        label = CONTROL[bytes.length - HEADER_BYTES - tag] ?? 'control';
      }
      const item = { bytes, label };
      this.queue[to].push(item);
      this.seen[to].push(item);
    }
  }

  /** Hands bytes to an end. */
  give(name: Name, bytes: Uint8Array, label: string): void {
    const session = this[name];
    const size = this.config.chopped === true ? 1 : bytes.length;
    const copy = bytes.slice();
    if (label === '24') this.proof = true;
    if (label === 'hello') this.hello[name] = true;
    for (let at = 0; at < copy.length && session.state !== 'closed';) {
      const end = at + size < copy.length ? at + size : copy.length;
      const part = copy.subarray(at, end);
      for (let from = 0; from < part.length;) {
        const count = session.receive(part, from, this.now);
        must(count >= 0 && count <= part.length - from, 'receive took bytes that are not there');
        this.message(name);
        if (session.closed !== null) break;
        if (count === 0) {
          // Bytes behind a packet whose operation is pending: a driver would offer them later.
          must(session.pending !== null, `${name} takes nothing, and waits for nothing`);
          this.lost = true;
          this.collect(name);
          return;
        }
        from += count;
      }
      at = end;
    }
    this.collect(name);
  }

  private message(name: Name): void {
    const session = this[name];
    if (session.event !== SessionEvent.message) return;
    const text = Buffer.from(session.message!).toString();
    const got = this.delivered[name];
    must(text === this.sealed[OTHER[name]][got.length], `${name} delivered "${text}", which is not the next`);
    got.push(text);
  }

  verdict(name: Name, good: boolean | null): void {
    const session = this[name];
    const job = session.pending!;
    let result = good;
    if (good === null) {
      result = runJob(session.crypto ?? fakeCrypto, job);
      if (name === 'server' && job.op === 'verify' && result) this.noteProof(job);
      if (name === 'client' && job.op === 'verify' && result) {
        const own = equal(job.publicKey, this.chain.server.verifyKey);
        if (own && job.context === undefined) this.signature = true;
        if (own && job.context !== undefined) this.fresh = true;
      }
    }
    session.resume(result!, this.now);
    this.collect(name);
  }

  private noteProof(job: Job & { op: 'verify' }): void {
    for (const { certificate } of CLIENTS) {
      const serial = toHex(certificate.serial);
      const rooted = equal(job.publicKey, CLIENT_ROOT.verifyKey) && equal(job.message, certificate.hash);
      if (rooted && job.context === undefined) this.certified.add(serial);
      if (equal(job.publicKey, certificate.verifyKey) && job.context !== undefined) this.proved.add(serial);
    }
  }

  say(name: Name): void {
    const text = `${name} ${this.sealed[name].length}`;
    const bytes = this[name].seal(new Uint8Array(Buffer.from(text)), this.now);
    this.sealed[name].push(text);
    this.queue[OTHER[name]].push({ bytes, label: 'message' });
    this.seen[OTHER[name]].push({ bytes, label: 'message' });
  }
}

/** What can be seen of a world: two with the same are taken for one. */
export function digest(world: World): string {
  const parts: unknown[] = [world.now, world.lost, world.forged.length, world.impostor.state];
  for (const name of ['client', 'server'] as const) {
    const session = world[name];
    const inner = session as unknown as { handshake: { step: string } | null; lease: number };
    const { phase, rekey, pending } = session;
    parts.push(session.state, session.closed?.reason, inner.handshake?.step, inner.lease);
    parts.push(
      pending?.op,
      phase?.fresh,
      phase?.assembly?.fill,
      rekey?.assembly?.fill,
      rekey?.transcript.length,
    );
    parts.push(session.slot.words.subarray(0, Word.event).join());
    parts.push(world.queue[name].map((item) => item.label).join());
    parts.push(world.sealed[name].length, world.delivered[name].length);
  }
  parts.push(world.tickets.client.length, world.tickets.server.size, world.tickets.taken);
  parts.push(JSON.stringify(world.spent), JSON.stringify(world.hello));
  parts.push(world.named?.issuer, world.certified.size, world.proved.size);
  const wait = world.server.phase?.identity ?? null;
  const shows = wait === null || wait.assembly === null ? null : wait.assembly;
  parts.push(wait !== null, shows?.fill, shows?.bytes.length);
  // Of certificate and signature.
  if (shows !== null) parts.push(toHex(shows.bytes.subarray(0, 8)), toHex(shows.bytes.subarray(3846, 3854)));
  parts.push(world.signature, world.fresh, world.proof);
  parts.push(toHex(slotSecrets(world.client.slot)) === toHex(slotSecrets(world.server.slot)));
  return parts.join('|');
}
