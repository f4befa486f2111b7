// A device with Moddable's facade as an agent of the suite.

import type * as Moddable from '../../../targets/moddable/mod.ts';
import { bytesOfHex } from './hex.ts';
import { ADDRESS, ModdableAgent } from './moddable-agent.ts';
import type { ModdableHost } from './moddable-agent.ts';

class Agent extends ModdableAgent<typeof Moddable> {
  /** Certificates, which a product has as resources in flash. */
  private root!: Uint8Array;
  private server!: Uint8Array;
  private identity: { readonly certificate: Uint8Array; readonly key: Uint8Array } | null = null;
  private device: Moddable.Device | null = null;
  private link: Moddable.Link | null = null;

  protected booted(): void {
    this.root = bytesOfHex(this.boot.root);
    this.server = bytesOfHex(this.boot.server);
    const { identity } = this.boot;
    this.identity =
      identity === null
        ? null
        : { certificate: bytesOfHex(identity.certificate), key: bytesOfHex(identity.key) };
    this.device = this.link = null;
  }

  protected write(bytes: Uint8Array): void {
    this.link!.send(bytes);
  }

  protected end(): void {
    this.link!.stop();
  }

  protected connect(): void {
    const { boot, bundle, identity } = this;
    this.device ??= bundle.openDevice({
      root: this.root,
      server: this.server,
      pollMs: boot.pollMs,
      missed: boot.missed,
      fullHandshakeMinMs: 0,
      report: () => undefined,
      ...(identity === null ? {} : { identity }),
    });
    this.link = bundle.openLink(
      {
        qstp: this.device,
        endpoints: { address: ADDRESS, port: boot.port },
        TCP: { io: this.net.TCP },
      } as Parameters<typeof Moddable.openLink>[0],
      {
        state: (state, why) => {
          if (state === 'connected') this.tell(['up']);
          else if (state === 'stopped') this.tell(['stopped']);
          else if (state === 'waiting' && why !== null) this.tell(['down', why.reason]);
        },
        message: (bytes) => this.got(bytes),
      },
    );
    this.link.start();
  }
}

export function createAgent(host: ModdableHost<typeof Moddable>): Agent {
  return new Agent(host);
}
