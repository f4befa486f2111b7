// A server in the same engine and the same virtual time as a device's bundle: what scenarios are played against.

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
import type { Timer } from '../../../src/platform.ts';
import { pattern } from '../../conformance/kernel-answers.ts';
import { Flash, Net, startMachine, World } from './stand-in.ts';
import type { Machine, Wire } from './stand-in.ts';

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

/** The server of a scenario, its network and its time; `log` is what happens. */
export class ServerStage {
  readonly log: string[] = [];
  readonly world: World;
  readonly net: Net;
  readonly fixture: Fixture;
  flash = new Flash();
  machine!: Machine;
  /** Clients the server has now. */
  peers: Peer[] = [];
  wires: Wire[] = [];
  /** What the server got, a message an entry. */
  received: string[] = [];
  echo = true;
  /** The server hears nothing any more. */
  deaf = false;
  readonly tickets;

  constructor(fixture: Fixture, options: Partial<ServerLinkOptions> = {}) {
    this.fixture = fixture;
    this.world = new World(fixture.now);
    this.net = new Net(this.world);
    this.tickets = createTickets(memoryTicketStore(), pattern(32, 7), stream(5000));
    this.serve(options);
  }

  /** The server starts, or starts anew; `signing`: an impostor that has this key and not the certificate's. */
  serve(options: Partial<ServerLinkOptions>, signing?: Uint8Array): void {
    const { world, fixture } = this;
    const root = decodeRootCertificate(fromHex(fixture.root)!);
    const server = decodeServerCertificate(fromHex(fixture.server)!);
    const key = decodeKey(fromHex(fixture.key)!) as ServerKey;
    const crypto = micro.suite(root.suite.id);
    const identity = serverIdentity(crypto, root, server, key);
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
        identities: [signing === undefined ? identity : { ...identity, signing }],
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

  /** A device starts over this flash, with a generator that is its own and the clock of 1970. */
  startMachine(): Machine {
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
    return machine;
  }

  /** Power goes: alarms and sockets are lost, the flash stays. */
  cut(): void {
    this.world.cut();
    this.peers = [];
    this.net.open = 0;
  }
}
