// What the agents of Moddable's bundles have in common: the built bundle over stand-ins of Moddable's modules, and the
// sockets, the flash and the random words of its device. It runs in the engine, which gives it `load`, and `track` where
// buffers are to be kept hold of.

import { Flash, Net, startMachine, World } from '../../targets/moddable/stand-in.ts';
import type { Machine, Modules, Wire } from '../../targets/moddable/stand-in.ts';
import { pattern } from '../kernel-answers.ts';
import type { Boot, Command, DeviceEvent, Step } from '../protocol.ts';
import { bytesOfHex, hexOf } from './hex.ts';

export interface ModdableHost<Bundle> {
  /** Evaluates the bundle over these modules: what it exports. */
  load(modules: Modules): Bundle;
  /** Begins to keep hold of buffers: a function that counts those with these bytes in them. */
  track(): (bytes: readonly number[]) => number;
}

export const ADDRESS = '192.0.2.1';
/** Of TCP, hexadecimal digits. */
const SEGMENT = 2 * 1440;
const SEGMENT_MS = 1;

function bytesOf(text: string): Uint8Array {
  const out = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) out[i] = text.charCodeAt(i);
  return out;
}

function textOf(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < bytes.length; i++) text += String.fromCharCode(bytes[i]!);
  return text;
}

/** An agent is what its facade makes of four commands. */
export abstract class ModdableAgent<Bundle> {
  protected bundle!: Bundle;
  protected boot!: Boot;
  protected net = new Net(new World(0));
  private readonly host: ModdableHost<Bundle>;
  private world = this.net.world;
  private flash = new Flash();
  private wires: (Wire | null)[] = [];
  private out: DeviceEvent[] = [];
  private find: ((bytes: readonly number[]) => number) | null = null;
  /** When the last segment of a socket arrives. */
  private last = 0;

  constructor(host: ModdableHost<Bundle>) {
    this.host = host;
  }

  /** The bundle is loaded, and knows nothing yet. */
  protected abstract booted(): void;
  protected abstract connect(): void;
  protected abstract write(bytes: Uint8Array): void;
  protected abstract end(): void;

  protected tell(event: DeviceEvent): void {
    this.out.push(event);
  }

  /** A message that the device got. */
  protected got(bytes: Uint8Array): void {
    this.out.push(['got', textOf(bytes)]);
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
        return this.write(bytesOf(command[1]));
      case 'end':
        return this.end();
      case 'find': {
        const wanted: number[] = [];
        for (let i = 0; i < command[1].length; i += 2) wanted.push(parseInt(command[1].slice(i, i + 2), 16));
        this.out.push(['found', this.find!(wanted)]);
        return;
      }
      case 'flash':
        return this.tellFlash();
      case 'data':
        return this.deliver(command[1], command[2]);
      case 'gone':
        return this.deliverEnd(command[1]);
    }
  }

  private tellFlash(): void {
    const { values } = this.flash;
    for (const key of Object.keys(values))
      this.out.push(['stored', key, hexOf(new Uint8Array(values[key]!))]);
  }

  /** A segment at a time, as a device reads them: none waits in a buffer of the stand-ins for long. */
  private deliver(id: number, hex: string): void {
    for (let at = 0; at < hex.length; at += SEGMENT) {
      this.last = Math.max(this.world.ms, this.last + SEGMENT_MS);
      const from = at;
      this.world.after(this.last - this.world.ms, () =>
        this.wires[id]?.send(bytesOfHex(hex.slice(from, from + SEGMENT))),
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
    const at = this.world.ms;
    this.world = new World(boot.epoch);
    this.world.ms = at;
    this.net = new Net(this.world);
    this.wires = [];
    this.net.servers[`${ADDRESS}:${boot.port}`] = (wire) => this.accept(wire);
    if (boot.values !== null) {
      this.flash = new Flash();
      this.flash.most = boot.valueBytes ?? this.flash.most;
      for (const [key, value] of boot.values) this.flash.values[key] = bytesOfHex(value).buffer;
    }
    const machine = startMachine(this.world, this.flash);
    machine.radio = boot.entropy;
    this.fill(machine);
    if (boot.track) this.find = this.host.track();
    this.bundle = this.host.load(machine.modules);
    this.booted();
    this.out.push(['ready']);
  }

  /** What the engine gives for random is the same on every engine, and new at every start. */
  private fill(machine: Machine): void {
    let block = 100 * (this.boot.starts + 1);
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
      data: (bytes) => void this.out.push(['send', id, hexOf(bytes)]),
      gone: () => {
        this.wires[id] = null;
        this.out.push(['close', id]);
      },
    };
  }
}
