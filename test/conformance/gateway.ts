// The server of the suite: ours, in this process, with noble's algorithms, and between it and the device a line that
// can be cut, hung and altered. Over sockets of this machine, or in virtual time for engines that have none.
import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { generateClientKey, generateRootKey, generateServerKey } from '../../src/cert/issue.ts';
import {
  rootCertificate,
  rootSignature,
  signClientCertificate,
  signServerCertificate,
} from '../../src/cert/issue.ts';
import { encodeRevocationList } from '../../src/cert/revocation.ts';
import { noble } from '../../src/crypto/noble.ts';
import type { Random, SuiteCrypto } from '../../src/crypto/provider.ts';
import { acceptCredential } from '../../src/link/provisioned.ts';
import type { Provisioning } from '../../src/link/provisioned.ts';
import { openRevocations } from '../../src/link/revocation-store.ts';
import { createServerLink } from '../../src/link/server.ts';
import type { Peer, ServerEvents, ServerLinkOptions } from '../../src/link/server.ts';
import { createServerTrust } from '../../src/link/server-trust.ts';
import { createTickets, memoryTicketStore } from '../../src/link/ticket-store.ts';
import type { Tickets } from '../../src/link/ticket-store.ts';
import type { Executor, TransportEvents } from '../../src/platform.ts';
import { serverIdentity } from '../../src/session/server.ts';
import { listen } from '../../targets/node/listen.ts';
import type { QstpServer } from '../../targets/node/listen.ts';
import { nodeClock, nodeExecutor } from '../../targets/node/platform.ts';
import { labelledRandom } from '../kat.ts';
import type { World } from '../net/virtual.ts';

const ZEROS = new Uint8Array(32);
const DAY = 86400;

/** A root with a gateway and a device, all of one parameter set. */
export interface Fleet {
  readonly crypto: SuiteCrypto;
  readonly root: ReturnType<typeof rootCertificate>;
  readonly rootKey: ReturnType<typeof generateRootKey>;
  readonly server: ReturnType<typeof signServerCertificate>;
  readonly serverKey: ReturnType<typeof generateServerKey>;
  readonly device: ReturnType<typeof signClientCertificate>;
  readonly deviceKey: ReturnType<typeof generateClientKey>;
  /** All are valid from this time on, seconds since 1970. */
  readonly from: number;
}

export function newFleet(suite: number, from: number): Fleet {
  const crypto = noble.suite(suite);
  const random = labelledRandom()(`conformance ${suite}`);
  const rootKey = generateRootKey(crypto, 'suite.qrr', 600, from, random);
  const root = rootCertificate(crypto, rootKey, ZEROS);
  const serverKey = generateServerKey(crypto, 'gateway.qrc', 300, from, random);
  const server = signServerCertificate(crypto, root, rootKey, serverKey, ZEROS);
  const deviceKey = generateClientKey(crypto, 'rtu-1.qcc', 300, from, random);
  const device = signClientCertificate(crypto, root, rootKey, deviceKey, ZEROS);
  return { crypto, root, rootKey, server, serverKey, device, deviceKey, from };
}

/** The device's end of a stream. */
export interface Stream {
  send(bytes: Uint8Array): void;
  /** Ends it, after what was sent. */
  end(): void;
}

/** What arrives from the device. */
export interface Upstream {
  data(bytes: Uint8Array): void;
  gone(): void;
}

/** What happens to the next bytes that go to the device. */
export type Tamper =
  /** The byte at this offset of a stream is altered. */
  | { readonly flip: number }
  /** The stream ends there. */
  | { readonly cut: number }
  /** The byte at this offset of the next bytes is altered, in whatever stream. */
  | { readonly next: number }
  /** Something else comes instead. */
  | { readonly noise: number };

interface Line {
  readonly stream: Stream;
  readonly up: Upstream;
  sent: number;
  over: boolean;
}

export interface GatewayOptions extends Pick<ServerLinkOptions, 'idleTimeoutMs' | 'halfOpenMs'> {
  /** Called when there is something new in `lines`. */
  readonly told?: () => void;
}

export abstract class Gateway {
  /** What happened here, in order. */
  readonly lines: string[] = [];
  /** Shared secrets of ML-KEM, of all handshakes. */
  readonly secrets: Uint8Array[] = [];
  /** Streams that were opened. */
  streams = 0;
  /** Nothing passes, and nobody is told. */
  hung = false;
  tamper: Tamper | null = null;
  protected readonly fleet: Fleet;
  protected readonly options: GatewayOptions;
  protected readonly serving: ServerLinkOptions;
  protected peers: Peer[] = [];
  /** What the device has sent, of all its streams. */
  readonly heard: Uint8Array[] = [];
  /** The same in every run. */
  readonly random: Random = labelledRandom()('gateway');
  private readonly trust;
  private tickets;
  private open: Line[] = [];

  constructor(fleet: Fleet, options: GatewayOptions) {
    this.fleet = fleet;
    this.options = options;
    const { root, server, serverKey } = fleet;
    const kem = fleet.crypto.kem;
    const crypto: SuiteCrypto = {
      suite: fleet.crypto.suite,
      signer: fleet.crypto.signer,
      kem: Object.assign(Object.create(kem) as typeof kem, {
        decapsulateInto: (ciphertext: Uint8Array, secretKey: Uint8Array, shared: Uint8Array): boolean => {
          const good = kem.decapsulateInto(ciphertext, secretKey, shared);
          this.secrets.push(shared.slice());
          return good;
        },
      }),
    };
    const identities = [serverIdentity(crypto, root, server, serverKey)];
    this.tickets = this.newTickets();
    const roots = [{ crypto, revocations: openRevocations({ root, storage: null }) }];
    this.trust = createServerTrust({ roots, clients: 'optional' }, identities);
    const { told: _told, ...deadlines } = options;
    const tickets = this.tickets;
    this.serving = { identities, tickets, trust: this.trust, extensions: 'require', ...deadlines };
  }

  private newTickets(): Tickets {
    return createTickets(memoryTicketStore(), ZEROS.slice().fill(7), this.random);
  }

  /** Connects a device's stream to the server. */
  protected abstract reach(stream: Stream): Upstream;
  protected abstract now(): number;
  protected abstract get execute(): Executor;
  abstract readonly port: number;
  abstract close(): Promise<void>;

  protected readonly events: ServerEvents = {
    connected: (peer) => {
      this.peers.push(peer);
      this.tell(peer.connection.session.fullHandshake ? 'full handshake' : 'resumed');
      return {
        message: (bytes) => this.tell(`got ${Buffer.from(bytes).toString('latin1')}`),
        closed: (why) => {
          this.peers = this.peers.filter((other) => other !== peer);
          this.tell(`closed ${why.reason}`);
        },
      };
    },
    refused: (_peer, why) => this.tell(`refused ${why.reason}`),
  };

  private tell(line: string): void {
    this.lines.push(line);
    this.options.told?.();
  }

  /** A device has opened a stream. */
  attach(stream: Stream): Upstream {
    this.streams++;
    const line: Line = {
      stream,
      sent: 0,
      over: false,
      up: this.reach({
        send: (bytes) => this.send(line, bytes),
        end: () => this.end(line),
      }),
    };
    this.open.push(line);
    return {
      data: (bytes) => {
        if (line.over || this.hung) return;
        this.heard.push(Uint8Array.from(bytes));
        line.up.data(bytes);
      },
      gone: () => {
        if (!line.over && !this.hung) this.end(line);
      },
    };
  }

  private send(line: Line, bytes: Uint8Array): void {
    if (line.over || this.hung) return;
    const { tamper } = this;
    const copy = Uint8Array.from(bytes);
    const from = line.sent;
    line.sent += copy.length;
    if (tamper === null) line.stream.send(copy);
    else if ('noise' in tamper) line.stream.send(copy.fill(tamper.noise));
    else if ('next' in tamper) {
      copy[tamper.next]! ^= 0x40;
      line.stream.send(copy);
    } else {
      const at = ('flip' in tamper ? tamper.flip : tamper.cut) - from;
      const here = at >= 0 && at < copy.length;
      if (here && 'flip' in tamper) copy[at]! ^= 0x40;
      if (here && 'cut' in tamper) {
        line.stream.send(copy.subarray(0, at));
        this.end(line);
      } else line.stream.send(copy);
    }
  }

  private end(line: Line): void {
    if (line.over) return;
    line.over = true;
    this.open = this.open.filter((other) => other !== line);
    line.stream.end();
    line.up.gone();
  }

  /** Every stream breaks, for both ends. */
  cut(): void {
    this.hung = false;
    for (const line of this.open) this.end(line);
  }

  /** Sends a message to the client that came last. */
  write(text: string): void {
    this.peers[this.peers.length - 1]!.send(Uint8Array.from(Buffer.from(text, 'latin1')));
  }

  /** Tickets and credentials are lost. */
  forget(): void {
    Object.assign(this.tickets, this.newTickets());
  }

  /** Takes a credential that a device was provisioned with (X4). */
  accept(provisioning: Provisioning): void {
    const { from } = this.fleet;
    acceptCredential(this.tickets, provisioning, null, from, from + 100 * DAY, () => undefined);
  }

  /** Takes a list of the root that revokes the device's certificate (X7). */
  revoke(): Promise<void> {
    const { crypto, root, rootKey, device, from } = this.fleet;
    const content = { rootSerial: root.serial, number: 1, issued: from, nextUpdate: from + 30 * DAY };
    const sign = rootSignature(crypto, root, rootKey, ZEROS);
    const list = encodeRevocationList(content, [device.serial], crypto.suite, sign);
    return new Promise((resolve, reject) => {
      this.trust.importList(list, this.now(), this.execute, (why) => {
        if (why === null) resolve();
        else reject(new Error(`the list is refused: ${why.reason}`));
      });
    });
  }
}

/** In virtual time. */
export class VirtualGateway extends Gateway {
  readonly port = 32119;
  private readonly world: World;
  private readonly link;

  constructor(world: World, fleet: Fleet, options: GatewayOptions = {}) {
    super(fleet, options);
    this.world = world;
    const { timer, clock, execute } = world;
    this.link = createServerLink(this.serving, { random: this.random, timer, clock, execute }, this.events);
  }

  protected now(): number {
    return this.world.clock.now();
  }

  protected get execute(): Executor {
    return this.world.execute;
  }

  protected reach(stream: Stream): Upstream {
    const admitted = this.link.accept('192.0.2.2', 1);
    if (admitted instanceof Uint8Array) {
      stream.send(admitted);
      this.world.after(0, () => stream.end());
      return { data: () => undefined, gone: () => undefined };
    }
    const connection: TransportEvents = admitted.connection;
    let over = false;
    const gone = (): void => {
      if (over) return;
      over = true;
      stream.end();
      admitted.gone();
      connection.gone(null);
    };
    this.world.after(0, () =>
      admitted.connection.start({
        write(bytes, length) {
          stream.send(bytes.slice(0, length));
          return true;
        },
        pause: () => undefined,
        resume: () => undefined,
        end: (sent) => void this.world.after(0, sent),
        destroy: gone,
      }),
    );
    return {
      data: (bytes) => {
        if (!over) connection.data(bytes);
      },
      gone,
    };
  }

  async close(): Promise<void> {
    // It is gone with its world.
  }
}

/** Over TCP on this machine: the server that `listen` starts, and a line of sockets before it. */
export class TcpGateway extends Gateway {
  port = 0;
  private server!: QstpServer;
  private front!: Server;
  private readonly sockets = new Set<Socket>();

  static async open(fleet: Fleet, options: GatewayOptions = {}): Promise<TcpGateway> {
    const gateway = new TcpGateway(fleet, options);
    const { serving, events } = gateway;
    gateway.server = await listen({ ...serving, host: '127.0.0.1', port: 0 }, events);
    gateway.front = createServer((socket) => gateway.take(socket));
    await new Promise<void>((resolve) => gateway.front.listen(0, '127.0.0.1', resolve));
    gateway.port = (gateway.front.address() as AddressInfo).port;
    return gateway;
  }

  protected now(): number {
    return nodeClock.now();
  }

  protected get execute(): Executor {
    return nodeExecutor;
  }

  private keep(socket: Socket): void {
    this.sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => this.sockets.delete(socket));
  }

  private take(socket: Socket): void {
    this.keep(socket);
    const up = this.attach({ send: (bytes) => void socket.write(bytes), end: () => socket.destroySoon() });
    socket.on('data', (bytes) => up.data(bytes));
    socket.on('close', () => up.gone());
  }

  protected reach(stream: Stream): Upstream {
    const socket = connect(this.server.port, '127.0.0.1');
    this.keep(socket);
    socket.on('data', (bytes) => stream.send(bytes));
    socket.on('close', () => stream.end());
    return { data: (bytes) => void socket.write(bytes), gone: () => socket.destroySoon() };
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    this.front.close();
    await this.server.quit();
  }
}
