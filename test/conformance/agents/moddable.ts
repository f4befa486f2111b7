// A device with Moddable's facade as an agent of the suite: the built bundle over stand-ins of Moddable's modules. It
// runs in the engine, which gives it `load`, and `track` where buffers are to be kept hold of.

import { fromHex, toHex } from '../../../src/bytes.ts';
import type * as Moddable from '../../../targets/moddable/mod.ts';
import { Flash, Net, startMachine, World } from '../../targets/moddable/stand-in.ts';
import type { Machine, Modules, Wire } from '../../targets/moddable/stand-in.ts';
import { pattern } from '../kernel-answers.ts';
import type { Boot, Command, DeviceEvent, Step } from '../protocol.ts';

export interface ModdableHost {
  /** Evaluates the bundle over these modules: what it exports. */
  load(modules: Modules): typeof Moddable;
  /** Begins to keep hold of buffers: a function that counts those with these bytes in them. */
  track(): (bytes: readonly number[]) => number;
}

const ADDRESS = '192.0.2.1';
/** Of TCP, hexadecimal digits. */
const SEGMENT = 2 * 1440;
const SEGMENT_MS = 1;

function bytesOf(text: string): Uint8Array {
  const out = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) out[i] = text.charCodeAt(i);
  return out;
}

class Agent {
  private readonly host: ModdableHost;
  private world = new World(0);
  private net = new Net(this.world);
  private flash = new Flash();
  private wires: (Wire | null)[] = [];
  private out: DeviceEvent[] = [];
  private find: ((bytes: readonly number[]) => number) | null = null;
  private boots = 0;
  private bundle!: typeof Moddable;
  private boot!: Boot;
  /** Certificates, which a product has as resources in flash. */
  private root!: Uint8Array;
  private server!: Uint8Array;
  /** When the last segment of a socket arrives. */
  private last = 0;
  private device: Moddable.Device | null = null;
  private link: Moddable.Link | null = null;

  constructor(host: ModdableHost) {
    this.host = host;
  }

  step(ms: number, commands: readonly Command[]): Step {
    this.world.run(ms - this.world.ms);
    for (const command of commands) {
      try {
        this.act(command);
      } catch (error) {
        this.out.push(['thrown', (error as { code?: string }).code ?? String(error)]);
      }
    }
    this.world.run(0);
    const { out } = this;
    this.out = [];
    return { out, next: this.world.next };
  }

  private act(command: Command): void {
    switch (command[0]) {
      case 'boot':
        return this.start(command[1]);
      case 'start':
        return this.connect();
      case 'write':
        this.link!.send(bytesOf(command[1]));
        return;
      case 'end':
        return this.link!.stop();
      case 'find': {
        const wanted: number[] = [];
        for (let i = 0; i < command[1].length; i += 2) wanted.push(parseInt(command[1].slice(i, i + 2), 16));
        this.out.push(['found', this.find!(wanted)]);
        return;
      }
      case 'data':
        return this.deliver(command[1], command[2]);
      case 'gone':
        return this.deliverEnd(command[1]);
    }
  }

  /** A segment at a time, as a device reads them: none waits in a buffer of the stand-ins for long. */
  private deliver(id: number, hex: string): void {
    for (let at = 0; at < hex.length; at += SEGMENT) {
      this.last = Math.max(this.world.ms, this.last + SEGMENT_MS);
      const from = at;
      this.world.after(this.last - this.world.ms, () =>
        this.wires[id]?.send(fromHex(hex.slice(from, from + SEGMENT))!),
      );
    }
  }

  private deliverEnd(id: number): void {
    const wait = this.last > this.world.ms ? this.last - this.world.ms : 0;
    this.world.after(wait, () => this.wires[id]?.end());
  }

  /** Power comes back: alarms, sockets and memory are lost, the flash is not. */
  private start(boot: Boot): void {
    this.boot = boot;
    this.root = fromHex(boot.root)!;
    this.server = fromHex(boot.server)!;
    const at = this.world.ms;
    this.world = new World(boot.epoch);
    this.world.ms = at;
    this.net = new Net(this.world);
    this.wires = [];
    this.net.servers[`${ADDRESS}:${boot.port}`] = (wire) => this.accept(wire);
    if (boot.values !== null) {
      this.flash = new Flash();
      const storage = this.host.load(startMachine(this.world, this.flash).modules).preferenceStorage();
      for (const [key, value] of boot.values) storage.set(key, fromHex(value)!);
    }
    const machine = startMachine(this.world, this.flash);
    machine.radio = boot.entropy;
    this.fill(machine);
    if (boot.track) this.find = this.host.track();
    this.bundle = this.host.load(machine.modules);
    this.device = this.link = null;
    this.out.push(['ready']);
  }

  /** What the engine gives for random is the same on every engine, and new at every start. */
  private fill(machine: Machine): void {
    let block = 100 * ++this.boots;
    let words = pattern(300, block);
    let at = 0;
    Math.random = () => {
      if (at + 3 > words.length) {
        words = pattern(300, ++block);
        at = 0;
      }
      at += 3;
      return (words[at - 3]! + 256 * words[at - 2]! + 65536 * words[at - 1]!) / 0x1000000;
    };
    Date.now = () => (this.world.seconds + machine.clockError) * 1000;
  }

  private accept(wire: Wire): ReturnType<NonNullable<Net['servers'][string]>> {
    const id = this.wires.push(wire) - 1;
    this.out.push(['open', id]);
    return {
      data: (bytes) => void this.out.push(['send', id, toHex(bytes)]),
      gone: () => {
        this.wires[id] = null;
        this.out.push(['close', id]);
      },
    };
  }

  private connect(): void {
    const { boot, bundle } = this;
    const { identity } = boot;
    this.device ??= bundle.openDevice({
      root: this.root,
      server: this.server,
      pollMs: boot.pollMs,
      missed: boot.missed,
      fullHandshakeMinMs: 0,
      report: () => undefined,
      ...(identity === null
        ? {}
        : { identity: { certificate: fromHex(identity.certificate)!, key: fromHex(identity.key)! } }),
    });
    this.link = bundle.openLink(
      {
        qstp: this.device,
        endpoints: { address: ADDRESS, port: boot.port },
        TCP: { io: this.net.TCP },
      } as Parameters<typeof Moddable.openLink>[0],
      {
        state: (state, why) => {
          if (state === 'connected') this.out.push(['up']);
          else if (state === 'stopped') this.out.push(['stopped']);
          else if (state === 'waiting' && why !== null) this.out.push(['down', why.reason]);
        },
        message: (bytes) => {
          let text = '';
          for (let i = 0; i < bytes.length; i++) text += String.fromCharCode(bytes[i]!);
          this.out.push(['got', text]);
        },
      },
    );
    this.link.start();
  }
}

export function createAgent(host: ModdableHost): Agent {
  return new Agent(host);
}
