// A device and its server for scenarios.ts: the machine with its flash, the network between them, what either tells.
import { fromHex } from '../../../src/bytes.ts';
import { decodeRootCertificate, decodeServerCertificate } from '../../../src/cert/certificate.ts';
import { decodeKey } from '../../../src/cert/key-file.ts';
import type { ServerKey } from '../../../src/cert/key-file.ts';
import { micro } from '../../../src/crypto/micro.ts';
import { createExecutor } from '../../../src/link/executor.ts';
import { createServerLink } from '../../../src/link/server.ts';
import type { Peer, ServerLinkOptions } from '../../../src/link/server.ts';
import { createTickets, memoryTicketStore } from '../../../src/link/ticket-store.ts';
import { serverIdentity } from '../../../src/session/server.ts';
import type { ServerIdentity } from '../../../src/session/server.ts';
import type { Timer } from '../../../src/platform.ts';
import { Flash, Net, startMachine, World } from './stand-in.ts';
import type { Machine, Modules, Wire } from './stand-in.ts';
import type * as Moddable from '../../../targets/moddable/mod.ts';
import { pattern } from '../../conformance/kernel-answers.ts';

export interface Fixture {
  /** Hex. */
  readonly root: string;
  readonly server: string;
  readonly key: string;
  /** A time at which all is valid. */
  readonly now: number;
  /** Another server: a certificate of 100 days and the one that follows, each with its key. Hex. */
  readonly renewed: readonly { readonly server: string; readonly key: string }[];
}

export interface Host {
  /** Evaluates the bundle over these modules: what it exports. */
  load(modules: Modules): typeof Moddable;
}

export type QSTPSocket = InstanceType<typeof Moddable.QSTPSocket>;
export type SocketOptions = ConstructorParameters<typeof Moddable.QSTPSocket>[0];

export const ADDRESS = '192.0.2.1';
export const PORT = 32119;

/** A generator for everything that is not the device's. */
export function stream(seed: number): (out: Uint8Array) => void {
  let n = seed;
  return (out) => out.set(pattern(out.length, n++));
}

export const text = (s: string): Uint8Array => {
  const out = new Uint8Array(s.length);
  for (let i = 0; i < s.length; i++) out[i] = s.charCodeAt(i);
  return out;
};
export const fromText = (b: Uint8Array | ArrayBuffer): string => String.fromCharCode(...new Uint8Array(b));

/** Everything of one scenario. */
export class Stage {
  readonly log: string[] = [];
  readonly world: World;
  readonly net: Net;
  readonly host: Host;
  readonly fixture: Fixture;
  flash = new Flash();
  machine!: Machine;
  bundle!: typeof Moddable;
  device!: Moddable.Device;
  /** Clients the server has now. */
  peers: Peer[] = [];
  wires: Wire[] = [];
  /** What the server got, a message an entry. */
  received: string[] = [];
  echo = true;
  /** The server hears nothing any more. */
  deaf = false;
  readonly tickets;

  constructor(host: Host, fixture: Fixture, options: Partial<ServerLinkOptions> = {}) {
    this.host = host;
    this.fixture = fixture;
    this.world = new World(fixture.now);
    this.net = new Net(this.world);
    this.tickets = createTickets(memoryTicketStore(), pattern(32, 7), stream(5000));
    this.serve(options);
  }

  /** The server starts, or starts anew. */
  serve(options: Partial<ServerLinkOptions>): void {
    const { world, fixture } = this;
    const root = decodeRootCertificate(fromHex(fixture.root)!);
    const server = decodeServerCertificate(fromHex(fixture.server)!);
    const key = decodeKey(fromHex(fixture.key)!) as ServerKey;
    const crypto = micro.suite(root.suite.id);
    const timer: Timer = {
      schedule: (waker, ms) => world.after(ms, () => waker.wake()),
      cancel: (handle) => ((handle as { run: unknown }).run = null),
      set(callback, ms) {
        const alarm = world.after(ms, callback);
        return () => (alarm.run = null);
      },
      now: () => world.ms,
    };
    const link = createServerLink(
      {
        identities: [serverIdentity(crypto, root, server, key)],
        extensions: 'require',
        tickets: this.tickets,
        ...options,
      },
      {
        random: stream(6000),
        timer,
        clock: { now: () => world.seconds },
        execute: createExecutor((callback) => void world.after(0, callback)),
      },
      {
        connected: (peer) => {
          this.peers.push(peer);
          this.tell(`server: ${peer.connection.session.fullHandshake ? 'full handshake' : 'resumed'}`);
          return {
            message: (bytes) => {
              this.received.push(fromText(bytes));
              if (this.echo) peer.send(bytes.slice());
            },
            closed: (why) => {
              this.peers.splice(this.peers.indexOf(peer), 1);
              this.tell(`server: ${why.reason}`);
            },
          };
        },
        refused: (_peer, why) => this.tell(`server refuses: ${why.reason}`),
      },
    );
    this.net.servers[`${ADDRESS}:${PORT}`] = (wire) => {
      this.wires.push(wire);
      const admitted = link.accept('192.0.2.2', 1);
      if (admitted instanceof Uint8Array) {
        wire.send(admitted);
        wire.end();
        return { data: () => undefined, gone: () => undefined };
      }
      const { connection } = admitted;
      connection.start({
        write(bytes, length) {
          wire.send(bytes.subarray(0, length));
          return true;
        },
        pause: () => undefined,
        resume: () => undefined,
        end(sent) {
          sent();
        },
        destroy() {
          wire.end();
          admitted.gone();
          connection.gone(null);
        },
      });
      let over = false;
      return {
        data: (bytes) => {
          if (!over && !this.deaf) connection.data(bytes);
        },
        gone: () => {
          if (over) return;
          over = true;
          admitted.gone();
          connection.gone(null);
        },
      };
    };
  }

  tell(line: string): void {
    this.log.push(line);
  }

  /** The device starts, with what its flash holds. */
  start(options: Partial<Moddable.DeviceOptions> = {}): void {
    this.machine = startMachine(this.world, this.flash);
    const { machine, world } = this;
    let n = 100 + this.flash.writes;
    let words = new Uint8Array(0);
    let at = 0;
    Math.random = () => {
      if (at + 3 > words.length) {
        words = pattern(300, n++) as Uint8Array<ArrayBuffer>;
        at = 0;
      }
      at += 3;
      return (words[at - 3]! + 256 * words[at - 2]! + 65536 * words[at - 1]!) / 0x1000000;
    };
    Date.now = () => (world.seconds + machine.clockError) * 1000;
    this.bundle = this.host.load(machine.modules);
    this.device = this.bundle.openDevice({
      root: fromHex(this.fixture.root)!,
      server: fromHex(this.fixture.server)!,
      report: (line) => this.tell(`report: ${line}`),
      ...options,
    });
  }

  /** What is in the storage of the device, as its maker left it. */
  provision(act: (storage: Moddable.Storage) => void): void {
    const { preferenceStorage } = this.host.load(startMachine(this.world, this.flash).modules);
    act(preferenceStorage());
  }

  /** Power goes: alarms and sockets are lost, the flash stays. */
  cut(): void {
    this.world.cut();
    this.peers = [];
    this.net.open = 0;
  }

  connect(options: Partial<SocketOptions> = {}, name = 'device'): QSTPSocket {
    let told = false;
    return new this.bundle.QSTPSocket({
      address: ADDRESS,
      port: PORT,
      TCP: { io: this.net.TCP },
      qstp: this.device,
      onWritable: (count) => {
        if (!told) this.tell(`${name}: writable ${count}`);
        told = true;
      },
      onReadable: () => undefined,
      onError: (error) => this.tell(`${name}: ${(error as { code?: string }).code}`),
      ...options,
    } as SocketOptions);
  }
}

/** Connects, sends a line once, reads its echo, closes. */
export function talk(stage: Stage, line: string, done: () => void = () => undefined): void {
  let sent = false;
  const socket = stage.connect({
    onWritable(count) {
      if (sent) return;
      sent = true;
      stage.tell(`writable ${count}`);
      socket.write(text(line));
    },
    onReadable(count) {
      stage.tell(`readable ${count}: ${fromText(socket.read() as ArrayBuffer)}`);
      socket.close();
      done();
    },
  });
  stage.world.run(5000);
}

/** The identities of the server that is renewed. */
export function renewed(fixture: Fixture): ServerIdentity[] {
  const root = decodeRootCertificate(fromHex(fixture.root)!);
  return fixture.renewed.map(({ server, key }) =>
    serverIdentity(
      micro.suite(root.suite.id),
      root,
      decodeServerCertificate(fromHex(server)!),
      decodeKey(fromHex(key)!) as ServerKey,
    ),
  );
}
