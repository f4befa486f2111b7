// Two sessions, a network that an attacker owns, and the attacker's own sessions: the states and inputs of
// search.test.ts. Cryptography is fake (fake.ts); sessions, records and key schedules are the real ones.
import { Cipher, hasFlag, SlotFlag, slotSecrets, Word } from '../../src/pool/slot.ts';
import { createPool, slotsTaken } from '../../src/pool/pool.ts';
import type { Pool } from '../../src/pool/pool.ts';
import { createClient } from '../../src/session/client.ts';
import { sealed, SessionEvent } from '../../src/session/core.ts';
import type { ClientEdge, ClientJudge, ClientName, Extensions, ServerEdge } from '../../src/session/edge.ts';
import { settleCipher } from '../../src/session/hello-client.ts';
import { CLIENT_CONTEXT } from '../../src/session/identity.ts';
import { createResumption } from '../../src/session/resume.ts';
import { createServer } from '../../src/session/server.ts';
import { createSession } from '../../src/session/session.ts';
import type { Session, SessionOptions } from '../../src/session/session.ts';
import { sessionCookie } from '../../src/cert/cookie.ts';
import { runJob } from '../../src/crypto/job.ts';
import type { Job } from '../../src/crypto/job.ts';
import { sha3_256 } from '../../src/crypto/micro/sponge.ts';
import { ascii, concat, equal, isZero, toHex } from '../../src/bytes.ts';
import { QstpError, reject } from '../../src/error.ts';
import { ControlType, EdgeFlag, Flag, HEADER_BYTES } from '../../src/params.ts';
import { DISCOVERY_AT, encodeError } from '../../src/wire/messages.ts';
import { encodeClientHello, encodeFragments, encodeServerHello, R1_PROOF } from '../../src/wire/edge.ts';
import { putHeader } from '../../src/wire/header.ts';
import { chainOwner, clientEdge, serverEdge, Tickets } from './edge-pair.ts';
import { CLIENT_ROOT, fakeChain, fakeClient, fakeClientCrypto, fakeCrypto, fakeSign } from './fake.ts';
import type { FakeClient } from './fake.ts';
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
const OTHER = { client: 'server', server: 'client' } as const;

interface Item {
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

const CLOSE = reject('closed', 0, 'closed here');

/** A violated rule: what the search is for. */
export class Violation extends Error {}

function must(good: boolean, what: string): void {
  if (!good) throw new Violation(what);
}

function split(bytes: Uint8Array): Uint8Array[] {
  const packets: Uint8Array[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = HEADER_BYTES + (bytes[at + 1]! | (bytes[at + 2]! << 8));
    packets.push(bytes.slice(at, at + length));
    at += length;
  }
  return packets;
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
  private readonly ticketId: string;
  private signature = false;
  private fresh = false;
  private proof = false;
  /** Serials, hex: of certificates whose signature verified, and of those whose owner signed this connection. */
  private readonly certified = new Set<string>();
  private readonly proved = new Set<string>();
  /** Who the server took its client for. */
  private named: ClientName | null = null;
  private readonly hello: Record<Name, boolean> = { client: false, server: false };
  private spent: Record<string, number> = {};
  private readonly deaf = { client: false, server: false };

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

  private collect(name: Name): void {
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

  private verdict(name: Name, good: boolean | null): void {
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

  private checkIdentity(): void {
    must(this.named !== null, 'the server is established with a client that has no name');
    const serial = toHex(this.named!.serial);
    must(this.certified.has(serial), 'the server is established, and the root did not sign the certificate');
    must(this.proved.has(serial), 'the server is established with a client that proved nothing');
    must(hasFlag(this.server.slot, SlotFlag.edge), 'the server is established without extensions');
  }

  // ---- The rules ----------------------------------------------------------------------------------------

  check(): void {
    for (const name of ['client', 'server'] as const) this.checkEnd(name);
    const open = [this.client, this.server, this.impostor].filter(({ state }) => state !== 'closed').length;
    must(slotsTaken(this.pool) === open, `${slotsTaken(this.pool)} slots are taken by ${open} connections`);
    must(new Set(this.pool.free).size === this.pool.free.length, 'a slot was given back twice');
    must(new Set(this.pool.buffers).size === this.pool.buffers.length, 'a buffer was given back twice');
    for (const buffer of this.pool.buffers) must(isZero(buffer), 'a spare buffer is not wiped');
    const { holder, handshake } = this.pool;
    if (holder === null && handshake !== null) must(isZero(handshake), 'the handshake buffer is not wiped');
  }

  private checkEnd(name: Name): void {
    const session = this[name];
    const { slot, state } = session;
    const { config, client, server } = this;
    const edge = hasFlag(slot, SlotFlag.edge);
    if (state === 'closed') {
      must(session.closed !== null, `${name} closed without a reason`);
      must(session.pending === null, `${name} is closed and waits`);
      must(session.phase === null && session.waiting === null && session.rekey === null, `${name} keeps`);
      for (const array of [slot.words, slot.tx, slot.rx]) {
        must(
          array.every((word) => word === 0),
          `${name} is closed with secrets in its slot`,
        );
      }
      if (slot.receive !== null) must(isZero(slot.receive), `${name} is closed with bytes in its slot`);
      if (!this.deaf[name]) this.checkDeaf(name);
      this.deaf[name] = true;
      return;
    }
    if (session.pending !== null) {
      const before = digest(this);
      must(session.receive(new Uint8Array(40), 0, this.now) === 0, `${name} takes bytes in an operation`);
      must(digest(this) === before, `${name} is moved by bytes in an operation`);
    }
    if (state === 'established') {
      if (session === client) {
        const vouched = config.kind === 1 ? this.proof : this.signature;
        must(vouched, 'the client is established with a server that proved nothing');
        if (config.freshness === true && edge)
          must(this.fresh, 'established without the freshness signature');
        if (config.client === 'require')
          must(edge, 'the client requires extensions, and is established without');
        if (edge) must(this.hello.client, 'the client is established without the hello of the server');
        if (edge) must(session.confirmed, 'the client is established, and nothing opened');
      } else {
        if (config.server === 'require')
          must(edge, 'the server requires extensions, and is established without');
        if (edge) must(this.hello.server, 'the server is established without the hello of the client');
        if (config.identity === true) this.checkIdentity();
        if (config.kind === 1 && edge) {
          must(this.tickets.taken === 1, `the ticket was taken ${this.tickets.taken} times`);
          must(!this.tickets.server.has(this.ticketId), 'the ticket is still there');
        }
      }
    } else {
      must(this.delivered[name].length === 0, `${name} delivered in state ${state}`);
      must(session.messageMax === 0, `${name} can send in state ${state}`);
    }
    must(this.tickets.taken <= 1, 'the ticket was taken twice');
    if (client.state === 'established' && server.state === 'established' && !edge) {
      must(config.client !== 'require' && config.server !== 'require', 'strict, against the policy');
    }
  }

  /** Nothing moves an end that is closed, and nothing comes from it. */
  private checkDeaf(name: Name): void {
    const session = this[name];
    const { now } = this;
    must(session.receive(new Uint8Array(40), 0, now) === 0, `${name} is closed and takes bytes`);
    session.resume(true, now);
    session.start(now);
    session.helloMissed(now);
    session.close(CLOSE, now);
    session.rest();
    must(!session.updateDue(now + 1e6), `${name} is closed and wants to update`);
    for (const call of [
      () => session.seal(new Uint8Array(1), now),
      () => session.updateKeys(now),
      () => session.startRekey(now),
    ]) {
      try {
        call();
        throw new Violation(`${name} is closed and goes on`);
      } catch (error) {
        if (!(error instanceof QstpError)) throw error;
      }
    }
    must(session.sealKeepalive(0x14, new Uint8Array(100), 8, now) === 0, `${name} is closed and keeps alive`);
    must(session.takeOutput() === null, `${name} is closed and sends`);
    must(session.state === 'closed' && session.event === SessionEvent.none, `${name} came back`);
    must(
      slotSecrets(session.slot).every((byte) => byte === 0),
      `${name} is closed with secrets`,
    );
  }

  /**
   * Lets both ends go on undisturbed. No end may be stuck: it is established, closed, or waits for a packet,
   * which the link bounds in time. `honest`: nothing was done to them, so both are established.
   */
  continueHonestly(honest: boolean): void {
    for (let quiet = 0, rounds = 0; quiet < 2; rounds++) {
      must(rounds < 200, 'the two ends never come to rest');
      quiet = 0;
      for (const name of ['client', 'server'] as const) {
        const session = this[name];
        if (session.pending !== null) this.verdict(name, null);
        else if (this.queue[name].length > 0) {
          const { bytes, label } = this.queue[name].shift()!;
          this.give(name, bytes, label);
        } else quiet++;
        this.check();
      }
    }
    const { client, server } = this;
    if (honest) this.checkOutcome();
    if (client.state === 'established' && server.state === 'established') {
      for (const name of ['client', 'server'] as const) {
        if (this[name].state !== 'established') continue;
        const to = OTHER[name];
        const had = this.delivered[to].length;
        this.say(name);
        const { bytes, label } = this.queue[to].shift()!;
        this.give(to, bytes, label);
        this.check();
        // A cut packet is completed by the next one, and fails then; or both wait for more of it.
        const done = this.delivered[to].length === had + 1 || this[to].state === 'closed' || this.lost;
        must(done, `${to} is established, and neither delivers nor closes`);
      }
    }
    if (client.state === 'hello') client.helloMissed(this.now);
    this.collect('client');
    this.check();
    for (const name of ['client', 'server'] as const) {
      this[name].close(CLOSE, this.now);
      this.collect(name);
      must(this[name].state === 'closed', `${name} cannot be closed`);
    }
    this.impostor.close(CLOSE, this.now);
    this.check();
    must(slotsTaken(this.pool) === 0, 'slots are lost');
  }

  private checkOutcome(): void {
    const { client, server, config } = this;
    const edge = (policy: string): boolean => policy === 'allow' || policy === 'require';
    if (edge(config.client) && edge(config.server)) {
      must(client.state === 'established' && server.state === 'established', 'two honest ends do not agree');
    } else if (config.client === 'require' || config.server === 'require') {
      if (client.state === 'hello') client.helloMissed(this.now);
      this.collect('client');
      must(client.state === 'closed', 'a policy is not kept');
    } else {
      if (client.state === 'hello') client.helloMissed(this.now);
      must(client.state === 'established' && server.state === 'established', 'strict ends do not agree');
    }
  }

  say(name: Name): void {
    const text = `${name} ${this.sealed[name].length}`;
    const bytes = this[name].seal(new Uint8Array(Buffer.from(text)), this.now);
    this.sealed[name].push(text);
    this.queue[OTHER[name]].push({ bytes, label: 'message' });
    this.seen[OTHER[name]].push({ bytes, label: 'message' });
  }

  // ---- Inputs -------------------------------------------------------------------------------------------

  /** Everything that can happen next. Those that honest ends and a good network do come with cost 0. */
  inputs(others: Record<Name, Item[]>): Input[] {
    const list: Input[] = [];
    const add = (name: string, cost: number, run: (world: World) => void): void => {
      list.push({ name, cost, run });
    };
    // The straight way takes the first: a client signs its identity when the server has its hello.
    const signs = this.client.pending?.op === 'sign';
    for (const name of signs ? (['server', 'client'] as const) : (['client', 'server'] as const)) {
      const session = this[name];
      if (session.state === 'closed') continue;
      add(`${name} closes`, 1, (w) => {
        w[name].close(CLOSE, w.now);
        w.collect(name);
      });
      if (session.pending !== null) {
        add(`${name} goes on`, 0, (w) => w.verdict(name, null));
        add(`${name}'s operation fails`, 1, (w) => w.verdict(name, false));
        continue;
      }
      this.network(name, others, add);
      this.peer(name, add);
      this.local(name, add);
    }
    this.mallory(add);
    return list;
  }

  private network(name: Name, others: Record<Name, Item[]>, add: Add): void {
    const queue = this.queue[name];
    if (queue.length > 0) {
      add(`${name} gets ${queue[0]!.label}`, 0, (w) => {
        const { bytes, label } = w.queue[name].shift()!;
        w.give(name, bytes, label);
      });
      add(`${name} loses ${queue[0]!.label}`, 1, (w) => {
        w.queue[name].shift();
        w.lost = true;
      });
      for (const [byte, bit] of flips(queue[0]!.bytes)) {
        add(`${name} gets ${queue[0]!.label} with bit ${byte}.${bit} flipped`, 1, (w) => {
          const bytes = w.queue[name].shift()!.bytes.slice();
          bytes[byte]! ^= 1 << bit;
          // The discovery byte and the time of a record are the only ones that may pass.
          w.give(name, bytes, byte < 13 || byte > 20 ? 'flipped' : 'late');
        });
      }
      for (const keep of [HEADER_BYTES - 1, HEADER_BYTES, queue[0]!.bytes.length - 1]) {
        if (keep >= queue[0]!.bytes.length) continue;
        add(`${name} gets ${keep} bytes of ${queue[0]!.label}`, 1, (w) => {
          w.lost = true;
          w.give(name, w.queue[name].shift()!.bytes.subarray(0, keep), 'cut');
        });
      }
      if (queue.length > 1) {
        add(`${name}'s packets change places`, 1, (w) => {
          const [a, b] = w.queue[name].splice(0, 2);
          w.queue[name].unshift(b!, a!);
        });
      }
    }
    this.seen[name].forEach((item, i) => {
      if (item === queue[0]) return;
      add(`${name} gets packet ${i} (${item.label}) again`, 1, (w) =>
        w.give(name, w.seen[name][i]!.bytes, item.label),
      );
    });
    this.seen[OTHER[name]].forEach((item, i) => {
      add(`${name} gets its own packet ${i} (${item.label})`, 1, (w) =>
        w.give(name, w.seen[OTHER[name]][i]!.bytes, 'reflected'),
      );
    });
    others[name].forEach(({ bytes, label }, i) => {
      add(`${name} gets packet ${i} (${label}) of another connection`, 1, (w) =>
        w.give(name, bytes, 'foreign'),
      );
    });
    add(`${name} gets a plain error`, 1, (w) => w.give(name, encodeError(0x0f, w.now), 'plain'));
    for (const length of [0, 1, 33]) {
      add(`${name} gets a terminate of ${length}`, 1, (w) =>
        w.give(name, plain(w, name, 0x03, length), 'plain'),
      );
    }
    for (const flag of [
      Flag.encryptedMessage,
      EdgeFlag.control,
      EdgeFlag.controlGcm,
      EdgeFlag.keepaliveRequest,
    ]) {
      add(`${name} gets a forged ${flag}`, 1, (w) => w.give(name, plain(w, name, flag, 60), 'forged'));
    }
  }

  /** What a peer that holds the keys could seal, out of turn or malformed. */
  private peer(name: Name, add: Add): void {
    const from = OTHER[name];
    const peer = this[from];
    // Instead of signing, a client with an identity may say anything else.
    const signs = this.config.identity === true && from === 'client' && peer.state === 'hello';
    if (peer.state === 'closed' || this.queue[name].length > 0 || (peer.pending !== null && !signs)) return;
    const keyed = peer.slot.words[Word.cipher] !== Cipher.none;
    const early = !keyed && peer.phase !== null && peer.role === 'client';
    if (!keyed && !early) return;
    if (keyed && from === 'client' && this.config.identity === true) this.liar(add);
    const flags = keyed ? [0] : [EdgeFlag.control, EdgeFlag.controlGcm];
    for (const first of flags) {
      EVIL.forEach(({ what, flag, body }) => {
        add(`${from} seals ${what}${first === 0 ? '' : `, keyed by ${first}`}`, 1, (w) => {
          const { slot } = w[from];
          if (first !== 0 && settleCipher(w[from], first, w.now) !== null) return;
          if (first !== 0 && w[from].state === 'closed') return;
          const gcm = slot.words[Word.cipher] === Cipher.gcm;
          const own = flag === EdgeFlag.control && gcm ? EdgeFlag.controlGcm : flag;
          const text = Buffer.from(body).toString();
          if (flag === Flag.encryptedMessage) w.sealed[from].push(text);
          const hello = body[0] === (from === 'client' ? ControlType.clientHello : ControlType.serverHello);
          w.give(name, sealed(slot, own, body, w.now), hello && body.length > 60 ? 'hello' : what);
        });
      });
    }
  }

  /** What a client that holds the keys of the connection could show as its identity. */
  private liar(add: Add): void {
    const flag = this.server.slot.words[Word.cipher] === Cipher.gcm ? EdgeFlag.controlGcm : EdgeFlag.control;
    for (const [what, fragments] of LIES) {
      add(`the client shows ${what}`, 1, (w) => {
        for (const body of fragments(w)) {
          if (w.server.state === 'closed' || w.server.pending !== null) break;
          w.give('server', sealed(w.client.slot, flag, body, w.now), what);
        }
      });
    }
  }

  private once(what: string): boolean {
    return (this.spent[what] ?? 0) === 0;
  }

  private local(name: Name, add: Add): void {
    const session = this[name];
    const spend = (w: World, what: string): void => {
      w.spent[what] = (w.spent[what] ?? 0) + 1;
    };
    if (session.state === 'hello' && name === 'client') {
      // Of two ends that speak the extensions, it means that the hello is late.
      add('the hello is missed', 1, (w) => {
        w.client.helloMissed(w.now);
        w.collect('client');
      });
    }
    if (session.state !== 'established') return;
    const quiet = this.queue[OTHER[name]].length === 0;
    if (this.sealed[name].length < 1 && quiet) add(`${name} says something`, 0, (w) => w.say(name));
    const edge = hasFlag(session.slot, SlotFlag.edge);
    if (edge && this.once(`${name} update`)) {
      for (const wait of [0, 3600]) {
        add(`${name} updates its key after ${wait} s`, 1, (w) => {
          spend(w, `${name} update`);
          w.now += wait;
          try {
            w[name].updateKeys(w.now);
          } catch (error) {
            // Not between the messages of a rekey.
            if (!(error instanceof QstpError)) throw error;
          }
          w.collect(name);
        });
      }
    }
    if (edge && name === 'client' && this.once('rekey')) {
      add('the client rekeys', 0, (w) => {
        spend(w, 'rekey');
        try {
          w.client.startRekey(w.now);
        } catch (error) {
          // A connection by ticket without the algorithms.
          if (!(error instanceof QstpError)) throw error;
        }
        w.collect('client');
      });
    }
  }

  private mallory(add: Add): void {
    const { impostor, client } = this;
    if (impostor.state !== 'closed' && this.queue.server.length > 0) {
      add('the impostor gets what the server should', 1, (w) => {
        const { bytes } = w.queue.server.shift()!;
        w.lost = true;
        for (let at = 0; at < bytes.length && w.impostor.state !== 'closed';) {
          const count = w.impostor.receive(bytes, at, w.now);
          if (count === 0) break;
          at += count;
          while (w.impostor.pending !== null) {
            w.impostor.resume(runJob(fakeCrypto, w.impostor.pending), w.now);
          }
        }
        const output = w.impostor.takeOutput();
        if (output !== null)
          for (const packet of split(output)) w.forged.push({ bytes: packet, label: 'forged' });
      });
    }
    if (this.forged.length > 0 && client.state !== 'closed' && client.pending === null) {
      // Once the attacker is in, going on with it costs no more.
      add('the client gets a packet of the impostor', 0, (w) =>
        w.give('client', w.forged.shift()!.bytes, 'impostor'),
      );
    }
  }
}

type Add = (name: string, cost: number, run: (world: World) => void) => void;
export interface Input {
  name: string;
  cost: number;
  run(world: World): void;
}

/** Bits to flip: each field of a header, the discovery bits, the ends of the body. */
function flips(bytes: Uint8Array): [number, number][] {
  const list: [number, number][] = [
    [0, 0],
    [0, 2],
    [1, 0],
    [4, 7],
    [5, 0],
    [12, 7],
    [13, 0],
    [20, 7],
  ];
  if (bytes.length > HEADER_BYTES) list.push([HEADER_BYTES, 0], [bytes.length - 1, 7]);
  const discovery = bytes[0] === 1 ? DISCOVERY_AT : bytes[0] === EdgeFlag.resumeRequest ? R1_PROOF - 1 : -1;
  if (discovery > 0) for (let bit = 0; bit < 5; bit++) list.push([discovery, bit]);
  return list;
}

/** A packet with the header that is due next, and a body that nobody sealed. */
function plain(world: World, name: Name, flag: number, length: number): Uint8Array {
  const { words } = world[name].slot;
  const packet = new Uint8Array(HEADER_BYTES + length).fill(3);
  putHeader(packet, flag, length, (words[Word.rxLow]! || 2) + 1, 0, world.now);
  return packet;
}

interface Evil {
  what: string;
  flag: number;
  body: Uint8Array;
}

const EVIL: Evil[] = [];
for (let type = 0; type <= 0x10; type++) {
  for (const length of [1, 53]) {
    const body = new Uint8Array(length).fill(1);
    body[0] = type;
    EVIL.push({ what: `control ${type} of ${length}`, flag: EdgeFlag.control, body });
  }
}
for (const type of [ControlType.freshness, ControlType.rekeyKey, ControlType.rekeyCiphertext]) {
  for (const length of [1, 32, 40]) {
    const body = encodeFragments(type, new Uint8Array(length).fill(2), 512)[0]!;
    EVIL.push({ what: `message ${type} of ${length}`, flag: EdgeFlag.control, body });
  }
  const half = encodeFragments(type, new Uint8Array(32).fill(2), 21)[0]!;
  EVIL.push({ what: `half of message ${type}`, flag: EdgeFlag.control, body: half });
}
const HASH = new Uint8Array(32);
const NONCE = new Uint8Array(16);
for (const maxRecord of [0, 5, 600]) {
  for (const features of [0x127, -1]) {
    const common = {
      features,
      maxRecord,
      deliveredLow: 0,
      deliveredHigh: 0,
      profileHash: HASH,
      nonce: NONCE,
    };
    const what = `hello, records of ${maxRecord}, features ${features}`;
    const client = encodeClientHello({ ...common, clockState: 2, missed: 3, poll: 0 });
    EVIL.push({ what: `a client's ${what}`, flag: EdgeFlag.control, body: client });
    for (const discovery of [1, 5]) {
      const server = { ...common, discovery, mustAuthenticate: false, serverTime: 0, maxIdle: 0 };
      const body = encodeServerHello(server);
      EVIL.push({ what: `a server's ${what}, echo ${discovery}`, flag: EdgeFlag.control, body });
    }
  }
}
const MORE: [string, number, number][] = [
  ['a message', Flag.encryptedMessage, 4],
  ['a keep-alive request', EdgeFlag.keepaliveRequest, 8],
  ['a keep-alive request of 7', EdgeFlag.keepaliveRequest, 7],
  ['a keep-alive response', EdgeFlag.keepaliveResponse, 12],
  ['a notice', Flag.errorCondition, 1],
  ['a ratchet', Flag.symmetricRatchetRequest, 32],
  ['a resume response', EdgeFlag.resumeResponse, 64],
  ['a terminate', Flag.connectionTerminate, 4],
];
for (const [what, flag, length] of MORE) EVIL.push({ what, flag, body: new Uint8Array(length).fill(0x61) });

const CLIENT = fakeClient(41);
/** Of the same root, and its key is the attacker's; and one that the root did not sign. */
const OTHER_CLIENT = fakeClient(42);
const SELF_MADE = fakeClient(43, new Uint8Array(1312).fill(43));
const CLIENTS: readonly FakeClient[] = [CLIENT, OTHER_CLIENT, SELF_MADE];

/** Messages of type 03 that must not get anybody in, as fragments. */
const LIES: readonly [what: string, fragments: (world: World) => Uint8Array[]][] = [
  ["another's certificate", (w) => cut(shown(w, CLIENT, OTHER_CLIENT.signing))],
  ['one that no root signed', (w) => cut(shown(w, SELF_MADE, SELF_MADE.signing))],
  ['what it showed in another connection', (w) => cut(shown(w, CLIENT, CLIENT.signing, HASH))],
  ['what it showed after another hello', (w) => cut(shown(w, CLIENT, CLIENT.signing, null, NONCE))],
  ['its certificate without a signature', () => cut(CLIENT.certificate.bytes)],
  ['a root', () => cut(concat([CLIENT_ROOT.bytes, new Uint8Array(2420)]))],
  ['the second half first', (w) => halves(w).reverse()],
  ['the first half twice', (w) => [halves(w)[0]!, ...halves(w)]],
  ['the first half, then another message', (w) => [halves(w)[0]!, Uint8Array.of(ControlType.keyUpdate)]],
  [
    "halves of its own and of another's",
    (w) => [halves(w)[0]!, cut(shown(w, OTHER_CLIENT, OTHER_CLIENT.signing))[1]!],
  ],
  ['one byte too much', (w) => cut(concat([shown(w, CLIENT, CLIENT.signing), new Uint8Array(1)]))],
];

function cut(message: Uint8Array): Uint8Array[] {
  return encodeFragments(ControlType.clientIdentity, message, 4000);
}

function halves(world: World): Uint8Array[] {
  return cut(shown(world, CLIENT, CLIENT.signing));
}

/** A certificate with a signature over this connection, or over another's T or nonce. */
function shown(
  { server }: World,
  { certificate }: FakeClient,
  key: Uint8Array,
  transcript: Uint8Array | null = null,
  nonce: Uint8Array | null = null,
): Uint8Array {
  const { phase } = server;
  const message = concat([
    transcript ?? phase?.keys.transcript ?? HASH,
    sha3_256(certificate.bytes),
    phase?.serverNonce ?? NONCE,
    nonce ?? phase?.identity?.clientNonce ?? NONCE,
  ]);
  return concat([certificate.bytes, fakeSign(key, message, ascii(CLIENT_CONTEXT))]);
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
  parts.push(JSON.stringify(world['spent']), JSON.stringify(world['hello']));
  parts.push(world['named']?.issuer, world['certified'].size, world['proved'].size);
  const wait = world.server.phase?.identity ?? null;
  const shows = wait === null || wait.assembly === null ? null : wait.assembly;
  parts.push(wait !== null, shows?.fill, shows?.bytes.length);
  // Of certificate and signature.
  if (shows !== null) parts.push(toHex(shows.bytes.subarray(0, 8)), toHex(shows.bytes.subarray(3846, 3854)));
  parts.push(world['signature'], world['fresh'], world['proof']);
  parts.push(toHex(slotSecrets(world.client.slot)) === toHex(slotSecrets(world.server.slot)));
  return parts.join('|');
}
