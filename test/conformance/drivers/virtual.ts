// Engines without sockets: device and gateway live in one virtual time. Whichever has something due first goes on, and
// what one sends the other gets at the same moment; nothing waits for a real clock.
import type { World } from '../../net/virtual.ts';
import type { Gateway, Upstream } from '../gateway.ts';
import type { Command, DeviceEvent, Step } from '../protocol.ts';
import type { Driver } from '../rig.ts';

/** How an engine is asked to go on: as `StepCall` of the protocol, over whatever leads there. */
export interface VirtualEngine {
  step(ms: number, commands: readonly Command[]): Promise<Step>;
  /** Power is lost and back, where that makes another machine: it is told `boot` next. */
  power?(): Promise<void>;
  close(): void;
}

export class VirtualDriver implements Driver {
  told: (event: DeviceEvent) => void = () => undefined;
  private readonly engine: VirtualEngine;
  private readonly world: World;
  private readonly gateway: Gateway;
  private pending: Command[] = [];
  private ups = new Map<number, Upstream>();
  /** When the device has something due; 0: it was not asked yet. */
  private next = 0;

  constructor(engine: VirtualEngine, world: World, gateway: Gateway) {
    this.engine = engine;
    this.world = world;
    this.gateway = gateway;
  }

  now(): number {
    return this.world.ms;
  }

  command(command: Command): void {
    this.pending.push(command);
  }

  async power(): Promise<void> {
    this.gateway.cut();
    this.ups.clear();
    this.pending = [];
    await this.engine.power?.();
  }

  async pump(ms: number): Promise<void> {
    const { world } = this;
    let at = world.ms + ms;
    if (this.pending.length > 0) at = world.ms;
    if (world.next >= 0) at = Math.min(at, world.ms + world.next);
    if (this.next >= 0) at = Math.min(at, Math.max(this.next, world.ms));
    world.run(at - world.ms);
    if (this.pending.length === 0 && (this.next < 0 || this.next > at)) return;
    const { out, next } = await this.engine.step(at, this.pending.splice(0));
    this.next = next;
    for (const event of out) this.handle(event);
  }

  private handle(event: DeviceEvent): void {
    const [name, id] = event;
    if (name === 'open') {
      const up = this.gateway.attach({
        send: (bytes) => {
          const hex = Buffer.from(bytes).toString('hex');
          if (this.ups.get(id) === up) this.pending.push(['data', id, hex]);
        },
        end: () => {
          if (this.ups.get(id) === up) this.pending.push(['gone', id]);
        },
      });
      this.ups.set(id, up);
    } else if (name === 'send') this.ups.get(id)?.data(Buffer.from(event[2], 'hex'));
    else if (name === 'close') {
      this.ups.get(id)?.gone();
      this.ups.delete(id);
    } else this.told(event);
  }

  async close(): Promise<void> {
    this.engine.close();
  }
}
