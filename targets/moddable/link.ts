// A link that stays, over TCP: src/link/driver.ts with Moddable's sockets, timers and clock.

import { QstpError } from '../../src/error.ts';
import type { Reject } from '../../src/error.ts';
import { WITH_PATHS } from '../../src/features.ts';
import type { Deadlines } from '../../src/link/connection.ts';
import { Link } from '../../src/link/driver.ts';
import type { LinkEvents, LinkPlatform, LinkState } from '../../src/link/driver.ts';
import type { LinkOptions as DrivenOptions } from '../../src/link/driver.ts';
import type { PathChooser } from '../../src/link/endpoints.ts';
import type { BackoffOptions } from '../../src/link/reconnect.ts';
import { choosing } from '../../src/qace/chooser.ts';
import { ModdableConnector } from './connector.ts';
import type { DnsOptions, Endpoint } from './connector.ts';
import { deviceOf } from './device.ts';
import type { Device, DeviceOptions } from './device.ts';
import { moddableTimer } from './platform.ts';
import type { TcpOptions } from './platform.ts';

export interface LinkOptions extends Deadlines, BackoffOptions {
  /** The device's end: one link uses it, and no socket besides. */
  readonly qstp: Device | DeviceOptions;
  /** The server, or several that hold the same certificate, the preferred one first. */
  readonly endpoints: Endpoint | readonly Endpoint[];
  /** The sockets: `{io: TCP}`. */
  readonly TCP: TcpOptions;
  /** Resolves names: `{io: Resolver, ...}`. Not needed where endpoints have addresses. */
  readonly dns?: DnsOptions;
  /** How long a TCP connection may take, milliseconds. Default 15,000. */
  readonly connectTimeoutMs?: number;
  /**
   * Chooses among several endpoints, after a cut and while connected: `qace` by how each answers, null: in order, or a
   * chooser of your own. Default with several endpoints: `qace`.
   */
  readonly chooser?: PathChooser | 'qace' | null;
  /**
   * With a chooser: how often a stream is opened to each endpoint and closed again, to know how long each takes and move
   * to a better one, milliseconds; 0: never. Default 30,000 with `qace`, else 0.
   */
  readonly probeMs?: number;
}

const CONNECT_MS = 15000;

/**
 * Makes a link, which connects once `start()` is called, resumes where it can, and comes back by itself until
 * `stop()`. The network has to be up. Throws `endpoint_invalid`, and as {@link Device.start}.
 */
export function openLink(options: LinkOptions, events: LinkEvents = {}): Link {
  const device = deviceOf(options.qstp);
  // First, with little on the engine's stack.
  device.start();
  return linkOver(device, options, events);
}

function linkOver(device: Device, options: LinkOptions, events: LinkEvents): Link {
  const { endpoints, TCP, dns, connectTimeoutMs } = options;
  const list: readonly Endpoint[] = 'length' in endpoints ? endpoints : [endpoints];
  if (list.length === 0) throw new QstpError('endpoint_invalid', 'a link needs at least one endpoint');
  const { qstp: _qstp, TCP: _tcp, dns: _dns, endpoints: _endpoints, ...rest } = options;
  const { fullHandshakeMinMs, handshakeDeadlineMs } = device;
  return new DeviceLink(
    {
      fullHandshakeMinMs,
      handshakeDeadlineMs,
      ...device.start(),
      ...rest,
      endpoints: list.length,
      ...(WITH_PATHS ? choosing(options, list.length) : { chooser: null }),
    },
    {
      timer: moddableTimer,
      clock: device.clock,
      execute: device.execute,
      connector: new ModdableConnector(list, TCP, dns, connectTimeoutMs ?? CONNECT_MS),
      jitter: Math.random,
    },
    events,
    device,
  );
}

/** A link whose device hears of it too. */
class DeviceLink extends Link {
  private readonly device: Device;

  constructor(options: DrivenOptions, platform: LinkPlatform, events: LinkEvents, device: Device) {
    super(options, platform, events);
    this.device = device;
  }

  protected override enter(state: LinkState, why: Reject | null, waitMs: number): void {
    if (state === 'connecting') this.device.noteTime();
    else if (state === 'waiting' && why !== null) this.device.noteEnd(why);
    super.enter(state, why, waitMs);
  }

  protected override sayTrust(line: string): void {
    if (this.events.trust === undefined) this.device.report(line);
    else this.events.trust(line);
  }
}
