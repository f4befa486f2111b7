// A device with the lean bundle's facade as an agent of the suite.

import type * as Lean from '../../../targets/moddable/lean.ts';
import { ADDRESS, ModdableAgent } from './moddable-agent.ts';
import type { ModdableHost } from './moddable-agent.ts';

class Agent extends ModdableAgent<typeof Lean> {
  private device: Lean.LeanDevice | null = null;
  private client: ReturnType<typeof Lean.connect> | null = null;

  protected booted(): void {
    this.device = this.client = null;
  }

  protected write(bytes: Uint8Array): void {
    this.client!.write(bytes);
  }

  protected end(): void {
    this.client!.end();
  }

  protected connect(): void {
    const { port, pollMs, missed } = this.boot;
    this.device ??= this.bundle.openDevice({ fullHandshakeMinMs: 0 });
    this.client = this.bundle.connect(
      { qstp: this.device, address: ADDRESS, port, TCP: { io: this.net.TCP }, pollMs, missed },
      {
        connect: () => this.tell(['up']),
        data: (bytes) => this.got(bytes),
        error: ({ code }) => this.tell(['down', code]),
        close: (failed) => {
          if (!failed) this.tell(['stopped']);
        },
      },
    );
  }
}

export function createAgent(host: ModdableHost<typeof Lean>): Agent {
  return new Agent(host);
}
