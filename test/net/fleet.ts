// A fleet in virtual time: an operator with its roots, two gateways that share tickets and are told of the same
// revocations, each with a storage of its own, and devices (fleet-device.ts).
import { toHex } from '../../src/bytes.ts';
import type { ClientCertificate, RootCertificate, ServerCertificate } from '../../src/cert/certificate.ts';
import {
  generateClientKey,
  generateRootKey,
  rootCertificate,
  rootSignature,
  signClientCertificate,
} from '../../src/cert/issue.ts';
import type { RootKey } from '../../src/cert/key-file.ts';
import { encodeRevocation, encodeRevocationList } from '../../src/cert/revocation.ts';
import type { SignWith } from '../../src/cert/revocation.ts';
import { encodeSuccession } from '../../src/cert/succession.ts';
import type { Random, SuiteCrypto } from '../../src/crypto/provider.ts';
import type { Connector, Storage } from '../../src/platform.ts';
import { Link } from '../../src/link/driver.ts';
import { openRevocations } from '../../src/link/revocation-store.ts';
import { createServerLink } from '../../src/link/server.ts';
import type { Peer, ServerLink } from '../../src/link/server.ts';
import { createServerTrust } from '../../src/link/server-trust.ts';
import type { ServerTrust } from '../../src/link/server-trust.ts';
import { memoryStorage } from '../../src/link/storage-memory.ts';
import { createTickets, memoryTicketStore } from '../../src/link/ticket-store.ts';
import { openTrust } from '../../src/link/trust-store.ts';
import type { ClientCredential } from '../../src/session/edge.ts';
import type { ServerIdentity } from '../../src/session/server.ts';
import { sendRevocation } from '../../src/session/trust.ts';
import { nodeRecords } from '../../targets/node/records.ts';
import { DAY, FROM } from '../cert/trust.ts';
import { labelledRandom } from '../kat.ts';
import { identityOf } from './trust-rig.ts';
import { serveWire, Wire, World } from './virtual.ts';

const ZEROS = new Uint8Array(32);
/** A list is good for 45 days, and issued anew every 30. */
const LIST_DAYS = 45;

/** A root with its key, as its operator holds it. */
export interface Authority {
  readonly crypto: SuiteCrypto;
  readonly random: Random;
  readonly root: RootCertificate;
  readonly rootKey: RootKey;
  readonly sign: SignWith;
  /** Storage key of its revocations on a gateway. */
  readonly name: string;
  listNumber: number;
  list: Uint8Array | null;
  readonly revoked: Uint8Array[];
  /** The statement of the root that follows it. */
  succession?: Uint8Array;
}

/** Counts by name. */
export type Counts = Record<string, number>;

export function count(counts: Counts, name: string, by = 1): void {
  counts[name] = (counts[name] ?? 0) + by;
}

/** A random source of the test's own, so that a run can be repeated: a number in [0, 1). */
export function dice(seed: number): () => number {
  let state = seed;
  return () => (state = (Math.imul(state, 48271) >>> 0) % 2147483647) / 2147483647;
}

/** What an operator writes down of a device: times in seconds. */
export interface Entry {
  /** When a gateway let it in last. */
  at: number;
  /** When the newest certificate ends that it was offered then. */
  until: number;
  full: number;
  resumed: number;
}

export class Gateway {
  readonly fleet: Fleet;
  readonly place: number;
  storage: Storage = memoryStorage();
  server!: ServerLink;
  trust!: ServerTrust;
  readonly lines: string[] = [];
  private readonly wires = new Set<Wire>();

  constructor(fleet: Fleet, place: number) {
    this.fleet = fleet;
    this.place = place;
  }

  /** Starts the process anew from its storage, with the certificates and roots of now. */
  start(): void {
    const { fleet, storage } = this;
    const { world, random, crypto } = fleet;
    for (const wire of [...this.wires]) wire.lose('the gateway restarted');
    const report = (line: string): void => void this.lines.push(line);
    const roots = fleet.authorities.map(({ root, name, succession }) => ({
      crypto,
      revocations: openRevocations({ root, storage, name, report }),
      succession,
    }));
    const identities = [...fleet.identities];
    this.trust = createServerTrust({ roots, clients: 'required', requireList: true }, identities);
    this.server = createServerLink(
      { identities, tickets: fleet.tickets, trust: this.trust, maxConnections: 64 },
      { random, timer: world.timer, clock: world.clock, execute: world.execute, engine: nodeRecords },
      {
        connected: (peer) => {
          fleet.seen(peer);
          return { message: () => count(fleet.totals, 'readings') };
        },
        refused: (_peer, why) => count(fleet.refusals, why.reason),
      },
    );
  }

  accept(wire: Wire, address: string): void {
    const taken = serveWire(this.server, wire, address, () => this.wires.delete(wire));
    if (taken) this.wires.add(wire);
  }

  /** Gives it a list as a file: the reason it was refused for, or null. */
  load(list: Uint8Array): string | null {
    let answer: string | null = 'no answer';
    const { world } = this.fleet;
    this.trust.importList(list, world.clock.now(), world.execute, (why) => {
      answer = why === null ? null : why.reason;
    });
    world.run(100);
    return answer;
  }
}

export class Fleet {
  readonly world = new World(FROM + 100);
  readonly crypto: SuiteCrypto;
  readonly random: Random;
  readonly authorities: Authority[] = [];
  /** Certificates of the gateways, oldest first. */
  readonly identities: ServerIdentity[] = [];
  readonly tickets: ReturnType<typeof createTickets>;
  readonly gateways: readonly Gateway[];
  readonly refusals: Counts = {};
  readonly totals: Counts = {};
  /** What happened on which day, in words. */
  readonly log: { day: number; what: string; outcome: string }[] = [];
  /** What the operator knows of its devices, by name. */
  readonly ledger = new Map<string, Entry>();
  /** Who was revoked. */
  readonly shutOut = new Set<string>();
  /** Certificates that the application hands to a device through its tunnel, by the device's name. */
  readonly renewed = new Map<string, ClientCertificate>();

  constructor(crypto: SuiteCrypto, rootDays: number, certificateDays: number) {
    this.crypto = crypto;
    this.random = labelledRandom()('fleet');
    this.tickets = createTickets(memoryTicketStore(), new Uint8Array(32).fill(7), this.random);
    this.authorities.push(this.makeRoot(rootDays));
    this.identities.push(identityOf(this.authorities[0]!, 'gateway.qrc', certificateDays));
    this.gateways = [new Gateway(this, 0), new Gateway(this, 1)];
    for (const gateway of this.gateways) gateway.start();
    this.issueLists();
  }

  get now(): number {
    return this.world.clock.now();
  }

  get day(): number {
    return Math.floor(this.world.ms / 1000 / DAY);
  }

  /** The root that signs now. */
  get authority(): Authority {
    return this.authorities[this.authorities.length - 1]!;
  }

  get newest(): ServerCertificate {
    return this.identities[this.identities.length - 1]!.certificate;
  }

  note(what: string, outcome: string, day: number = this.day): void {
    this.log.push({ day, what, outcome });
  }

  /** Of a client that a gateway let in. */
  seen(peer: Peer): void {
    const { issuer } = peer.client!;
    const entry = this.ledger.get(issuer);
    if (entry !== undefined) {
      entry.at = this.now;
      entry.until = this.newest.to;
      if (peer.connection.session.fullHandshake) entry.full++;
      else entry.resumed++;
    }
    const certificate = this.renewed.get(issuer);
    if (certificate !== undefined) peer.send(certificate.bytes);
  }

  // ---- What the operator does ------------------------------------------------------------------------------

  private makeRoot(days: number): Authority {
    const { crypto, random } = this;
    const name = 'qr' + this.authorities.length;
    const rootKey = generateRootKey(crypto, 'fleet.qrr', days, this.now - 50, random);
    const root = rootCertificate(crypto, rootKey, ZEROS);
    const sign = rootSignature(crypto, root, rootKey, ZEROS);
    return { crypto, random, root, rootKey, sign, name, listNumber: 0, list: null, revoked: [] };
  }

  /** A new identity of a device or of the operator, under the root that signs now. */
  credential(issuer: string, days: number): ClientCredential {
    const { crypto, random, authority } = this;
    const key = generateClientKey(crypto, issuer, days, this.now - 50, random);
    const certificate = signClientCertificate(crypto, authority.root, authority.rootKey, key, ZEROS);
    return { certificate, signing: key.signingKey };
  }

  /** The same key under a new certificate of the root that signs now, for the application to hand over. */
  renewClient(issuer: string, credential: ClientCredential, days: number): void {
    const { crypto, random, authority, now } = this;
    const { verifyKey, suite, version } = credential.certificate;
    const serial = new Uint8Array(16);
    random(serial);
    const request = { suite, version, issuer, serial, verifyKey, from: now - 50, to: now + days * DAY };
    const { root, rootKey } = authority;
    this.renewed.set(issuer, signClientCertificate(crypto, root, rootKey, request, ZEROS));
  }

  /** Both gateways start anew, one after the other, with what there is now; certificates that ended are left out. */
  restart(): void {
    const live = this.identities.filter(({ certificate }) => certificate.to >= this.now);
    this.identities.splice(0, this.identities.length, ...live);
    for (const gateway of this.gateways) {
      gateway.start();
      this.world.run(60_000);
    }
  }

  /** `qstp server renew`: another certificate beside those there are. */
  renew(days: number): void {
    this.identities.push(identityOf(this.authority, 'gateway.qrc', days, this.now - 50));
    this.restart();
  }

  /** `qstp root rollover`: a root that follows, with its statement, its first list and a certificate under it. */
  rollover(rootDays: number, certificateDays: number): void {
    const old = this.authority;
    const next = this.makeRoot(rootDays);
    old.succession = encodeSuccession(old.root, next.root, 1, old.sign);
    this.authorities.push(next);
    this.renew(certificateDays);
    this.issueLists();
  }

  /** `qstp root revoke` of every root, and the list brought to both gateways. Throws if one refuses it. */
  issueLists(): void {
    for (const authority of this.authorities) {
      const { root, revoked, sign, crypto } = authority;
      const number = ++authority.listNumber;
      const times = { issued: this.now, nextUpdate: this.now + LIST_DAYS * DAY };
      authority.list = encodeRevocationList(
        { rootSerial: root.serial, number, ...times },
        revoked,
        crypto.suite,
        sign,
      );
    }
    for (const gateway of this.gateways) this.loadLists(gateway);
  }

  loadLists(gateway: Gateway): void {
    for (const { list } of this.authorities) {
      const why = list === null ? null : gateway.load(list);
      if (why !== null) throw new Error(`gateway ${gateway.place} refused a list: ${why}`);
    }
  }

  private signer(certificate: ClientCertificate): Authority {
    this.shutOut.add(certificate.issuer);
    const serial = toHex(certificate.rootSerial);
    return this.authorities.find(({ root }) => toHex(root.serial) === serial)!;
  }

  revokeByList(certificate: ClientCertificate): void {
    this.signer(certificate).revoked.push(certificate.serial);
    this.issueLists();
  }

  /** `qstp root revoke SERIAL --server`: through a tunnel to each gateway. The statuses of the answers. */
  revokeSealed(certificate: ClientCertificate): number[] {
    const authority = this.signer(certificate);
    // In the next list too.
    authority.revoked.push(certificate.serial);
    const identity = this.credential('operator.qcc', 1);
    const statuses: number[] = [];
    for (const { place } of this.gateways) {
      const { world } = this;
      const link = new Link(
        {
          crypto: this.crypto,
          root: this.authority.root,
          server: this.newest,
          random: this.random,
          endpoints: 1,
          pollMs: 0,
          identity,
          trust: openTrust({ root: this.authority.root, server: this.newest, storage: null }),
        },
        {
          timer: world.timer,
          clock: world.clock,
          execute: world.execute,
          connector: this.connector(() => place, '10.9.9.9'),
          jitter: () => 0.5,
        },
        {},
      );
      link.start();
      world.run(5000);
      const connection = link.connection!;
      connection.session.owner!.revocationAnswered = (status) => void statuses.push(status);
      const revocation = encodeRevocation(certificate.serial, authority.sign);
      connection.control((now) => void sendRevocation(connection.session, revocation, now));
      world.run(2000);
      link.stop();
      world.run(2000);
    }
    return statuses;
  }

  /** Devices that hold nothing valid any more, as far as the operator can tell: not seen since, and it ended. */
  dark(): string[] {
    const names: string[] = [];
    for (const [name, { until }] of this.ledger) {
      if (until < this.now && !this.shutOut.has(name)) names.push(name);
    }
    return names;
  }

  /** Streams to the gateways; `order` maps an endpoint to a gateway. */
  connector(order: (index: number) => number, address: string, opened?: (wire: Wire) => void): Connector {
    return {
      open: (index, done) =>
        this.world.after(3, () => {
          const wire = new Wire(this.world);
          if (opened !== undefined) opened(wire);
          this.gateways[order(index)]!.accept(wire, address);
          done((events) => wire.bind(0, events), '');
        }),
    };
  }
}

/** Lays out rows as a table of Markdown. */
export function table(headings: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const line = (cells: readonly (string | number)[]): string => `| ${cells.join(' | ')} |`;
  const rule = headings.map((_heading, at) =>
    rows.every((row) => typeof row[at] === 'number') ? '---:' : '---',
  );
  return [line(headings), line(rule), ...rows.map(line)].join('\n');
}
